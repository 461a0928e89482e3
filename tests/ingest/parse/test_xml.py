"""XML says what its elements are called, invoices are readable, bytes in base64 are never text."""

import base64
import json
import random
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest
from lxml import etree

from ingest.parse.document.base64_text import without_base64
from ingest.parse.office.invoice import invoice_of
from ingest.parse.office.invoice_page import differences
from ingest.parse.process.pool import ParserPool
from sovereign_rag.domain import ElementKind
from sovereign_rag.errors import DocumentError
from tests.ingest.parse.pages import shown, write_pdf
from tests.parsed import GERMAN, headings, of_kind

LABELS = files("ingest.parse.office").joinpath("invoice_labels.toml")
PICTURE = base64.b64encode(random.Random(7).randbytes(2_000_000)).decode()

CII = """<rsm:CrossIndustryInvoice
 xmlns:rsm="urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100"
 xmlns:ram="urn:ram" xmlns:udt="urn:udt"><rsm:ExchangedDocument><ram:ID>R-77</ram:ID>
<ram:TypeCode>380</ram:TypeCode><ram:IssueDateTime><udt:DateTimeString format="102">20260305
</udt:DateTimeString></ram:IssueDateTime></rsm:ExchangedDocument><rsm:SupplyChainTradeTransaction>
<ram:IncludedSupplyChainTradeLineItem><ram:AssociatedDocumentLineDocument><ram:LineID>1</ram:LineID>
</ram:AssociatedDocumentLineDocument><ram:SpecifiedTradeProduct><ram:Name>Papier</ram:Name>
</ram:SpecifiedTradeProduct><ram:SpecifiedLineTradeAgreement><ram:NetPriceProductTradePrice>
<ram:ChargeAmount>4.90</ram:ChargeAmount></ram:NetPriceProductTradePrice></ram:SpecifiedLineTradeAgreement>
<ram:SpecifiedLineTradeDelivery><ram:BilledQuantity unitCode="H87">20</ram:BilledQuantity>
</ram:SpecifiedLineTradeDelivery><ram:SpecifiedLineTradeSettlement>
<ram:SpecifiedTradeSettlementLineMonetarySummation><ram:LineTotalAmount>98.00</ram:LineTotalAmount>
</ram:SpecifiedTradeSettlementLineMonetarySummation></ram:SpecifiedLineTradeSettlement>
</ram:IncludedSupplyChainTradeLineItem><ram:ApplicableHeaderTradeAgreement><ram:SellerTradeParty>
<ram:Name>Lieferant GmbH</ram:Name><ram:PostalTradeAddress><ram:CityName>München</ram:CityName>
<ram:CountryID>DE</ram:CountryID></ram:PostalTradeAddress></ram:SellerTradeParty>
<ram:AdditionalReferencedDocument><ram:AttachmentBinaryObject mimeCode="text/plain"
 filename="anlage.txt">{attachment}</ram:AttachmentBinaryObject></ram:AdditionalReferencedDocument>
</ram:ApplicableHeaderTradeAgreement><ram:ApplicableHeaderTradeSettlement>
<ram:InvoiceCurrencyCode>EUR</ram:InvoiceCurrencyCode><ram:SpecifiedTradePaymentTerms><ram:DueDateDateTime>
<udt:DateTimeString format="102">20260404</udt:DateTimeString></ram:DueDateDateTime>
</ram:SpecifiedTradePaymentTerms><ram:SpecifiedTradeSettlementHeaderMonetarySummation>
<ram:TaxTotalAmount currencyID="EUR">18.62</ram:TaxTotalAmount>
<ram:GrandTotalAmount>1116.62</ram:GrandTotalAmount><ram:DuePayableAmount>1116.62</ram:DuePayableAmount>
</ram:SpecifiedTradeSettlementHeaderMonetarySummation></ram:ApplicableHeaderTradeSettlement>
</rsm:SupplyChainTradeTransaction></rsm:CrossIndustryInvoice>"""

UBL = """<Invoice xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2" xmlns:cbc="urn:cbc"
 xmlns:cac="urn:cac"><cbc:ID>F-12</cbc:ID><cbc:IssueDate>2026-03-05</cbc:IssueDate>
<cbc:DueDate>2026-04-04</cbc:DueDate><cbc:InvoiceTypeCode>380</cbc:InvoiceTypeCode>
<cbc:DocumentCurrencyCode>EUR</cbc:DocumentCurrencyCode><cac:AccountingSupplierParty><cac:Party>
<cac:PostalAddress><cbc:CityName>Lyon</cbc:CityName><cac:Country><cbc:IdentificationCode>FR
</cbc:IdentificationCode></cac:Country></cac:PostalAddress><cac:PartyLegalEntity>
<cbc:RegistrationName>Moulin SARL</cbc:RegistrationName></cac:PartyLegalEntity></cac:Party>
</cac:AccountingSupplierParty>
<cac:PaymentMeans><cac:PayeeFinancialAccount><cbc:ID>FR7630006000011234567890189
</cbc:ID></cac:PayeeFinancialAccount></cac:PaymentMeans>
<cac:TaxTotal><cbc:TaxAmount currencyID="EUR">20.00
</cbc:TaxAmount><cac:TaxSubtotal><cbc:TaxableAmount>100.00</cbc:TaxableAmount><cbc:TaxAmount>20.00
</cbc:TaxAmount><cac:TaxCategory><cbc:Percent>20</cbc:Percent></cac:TaxCategory></cac:TaxSubtotal>
</cac:TaxTotal><cac:LegalMonetaryTotal><cbc:TaxInclusiveAmount>120.00</cbc:TaxInclusiveAmount>
<cbc:PayableAmount>120.00</cbc:PayableAmount></cac:LegalMonetaryTotal><cac:InvoiceLine><cbc:ID>1</cbc:ID>
<cbc:InvoicedQuantity unitCode="KGM">25</cbc:InvoicedQuantity><cbc:LineExtensionAmount>100.00
</cbc:LineExtensionAmount><cac:Item><cbc:Name>Farine</cbc:Name></cac:Item><cac:Price><cbc:PriceAmount>4.00
</cbc:PriceAmount></cac:Price></cac:InvoiceLine></Invoice>"""

FATTURA = """<p:FatturaElettronica
 xmlns:p="http://ivaservizi.agenziaentrate.gov.it/docs/xsd/fatture/v1.2">
<FatturaElettronicaHeader><CedentePrestatore><DatiAnagrafici><IdFiscaleIVA><IdPaese>IT</IdPaese>
<IdCodice>01234567890</IdCodice></IdFiscaleIVA><Anagrafica>
<Denominazione>Officina Srl</Denominazione>
</Anagrafica></DatiAnagrafici><Sede><Indirizzo>Via Roma</Indirizzo><NumeroCivico>3</NumeroCivico>
<CAP>20121</CAP><Comune>Milano</Comune></Sede></CedentePrestatore></FatturaElettronicaHeader>
<FatturaElettronicaBody><DatiGenerali><DatiGeneraliDocumento><TipoDocumento>TD01</TipoDocumento>
<Divisa>EUR</Divisa><Data>2026-03-05</Data><Numero>42/A</Numero>
<ImportoTotaleDocumento>610.00</ImportoTotaleDocumento></DatiGeneraliDocumento></DatiGenerali>
<DatiBeniServizi><DettaglioLinee><NumeroLinea>1</NumeroLinea><Descrizione>Revisione</Descrizione>
<Quantita>1.00</Quantita><PrezzoUnitario>500.00</PrezzoUnitario><PrezzoTotale>500.00</PrezzoTotale>
<AliquotaIVA>22.00</AliquotaIVA></DettaglioLinee></DatiBeniServizi><DatiPagamento><DettaglioPagamento>
<DataScadenzaPagamento>2026-04-04</DataScadenzaPagamento><ImportoPagamento>610.00</ImportoPagamento>
</DettaglioPagamento></DatiPagamento></FatturaElettronicaBody></p:FatturaElettronica>"""


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("invoice", "language", "title", "said"),
    [
        (
            CII,
            "de",
            "Rechnung R-77",
            [
                "Fälligkeitsdatum: 04.04.2026",
                "Gesamtbetrag mit Umsatzsteuer: 1116.62 EUR",
                "1 | Papier | 20 Stück | 4.90 | 98.00",
                "Zahlbetrag: 1116.62 EUR",
            ],
        ),
        (
            UBL,
            "fr",
            "Facture F-12",
            [
                "Date d’échéance: 04/04/2026",
                "Montant total TTC: 120.00 EUR",
                "20 % | 100.00 | 20.00",
                "IBAN: FR7630006000011234567890189",
                "1 | Farine | 25 kg | 4.00 | 100.00",
            ],
        ),
        (
            FATTURA,
            "it",
            "Fattura 42/A",
            [
                "Data di scadenza: 04/04/2026",
                "Totale documento: 610.00 EUR",
                "Officina Srl\nVia Roma 3, 20121 Milano\nPartita IVA: IT01234567890",
            ],
        ),
    ],
)
def test_an_invoice_is_written_out_in_its_own_language(
    pool: ParserPool, tmp_path: Path, invoice: str, language: str, title: str, said: list[str]
) -> None:
    path = write(tmp_path / "invoice.xml", invoice.replace("{attachment}", ""))

    found = pool.parse(path, name="invoice.xml")

    assert found.title == title
    assert [line for line in said if line not in found.pages[0].text] == []
    assert found.language in {language, None}


def test_an_invoice_keeps_the_names_and_attributes_of_its_elements_beside_that(
    pool: ParserPool, tmp_path: Path
) -> None:
    path = write(tmp_path / "invoice.xml", CII.replace("{attachment}", ""))

    found = pool.parse(path, name="invoice.xml")

    for line in (
        "GrandTotalAmount: 1116.62",
        "TaxTotalAmount (currencyID: EUR): 18.62",
        "BilledQuantity (unitCode: H87): 20",
    ):
        assert line in found.pages[0].text


def test_a_file_inside_an_invoice_is_an_attachment_and_its_base64_no_text(
    pool: ParserPool, tmp_path: Path
) -> None:
    text = base64.b64encode((GERMAN * 5).encode()).decode()
    small = write(tmp_path / "a.xml", CII.replace("{attachment}", text))
    large = write(tmp_path / "b.xml", CII.replace("{attachment}", PICTURE))

    read, picture = pool.parse(small, name="a.xml"), pool.parse(large, name="b.xml")

    assert (1, "Attachment: anlage.txt") in headings(read)
    assert GERMAN in read.pages[0].text
    assert text[:40] not in read.pages[0].text
    assert PICTURE[:40] not in picture.pages[0].text
    assert len(picture.pages[0].text) < 5_000


@pytest.mark.parametrize(
    ("total", "warned"), [("1.116,62", []), ("1.161,62", ["Gesamtbetrag mit Umsatzsteuer"])]
)
def test_a_pdf_whose_pages_say_another_sum_than_its_invoice_is_warned_of(
    pool: ParserPool, tmp_path: Path, total: str, warned: list[str]
) -> None:
    invoice = CII.replace("{attachment}", "").encode()
    page = "".join(
        shown(line, y=520 - 20 * k)
        for k, line in enumerate(
            (
                "Rechnung R-77 vom 05.03.2026, fällig am 04.04.2026",
                "Umsatzsteuer 18,62 EUR, zu zahlen 1116,62 EUR" if warned else "Umsatzsteuer 18,62",
                f"Summe {total} EUR",
            )
        )
    )
    path = write_pdf(
        tmp_path / "a.pdf",
        [page],
        catalog_extra="/Names << /EmbeddedFiles << /Names [(factur-x.xml) 100 0 R] >> >>",
        objects={
            100: b"<< /Type /Filespec /F (factur-x.xml) /UF (factur-x.xml) /EF << /F 101 0 R >> >>",
            101: b"<< /Type /EmbeddedFile /Length %d >>\nstream\n%s\nendstream"
            % (len(invoice), invoice),
        },
    )
    if warned:  # the sum that is to be paid stands there, the total does not
        invoice = invoice.replace(
            b"<ram:GrandTotalAmount>1116.62", b"<ram:GrandTotalAmount>1117.62"
        )
        path.write_bytes(
            path.read_bytes().replace(b"GrandTotalAmount>1116.62", b"GrandTotalAmount>1117.62")
        )

    found = pool.parse(path, name="a.pdf")

    assert [w for w in found.warnings if "stand on its pages" in w] == list(found.warnings)
    assert len(found.warnings) == len(warned)
    assert all(label in w for label, w in zip(warned, found.warnings, strict=True))
    assert any("Rechnung R-77" in page.text for page in found.pages[1:])


@pytest.mark.parametrize(
    ("page", "differ"),
    [
        ("R-77 05.03.2026 04.04.2026 18,62 1.116,62", []),
        ("R-77 05/03/2026 04/04/2026 | 20 | 18,62 | 1 116,62", []),  # a figure before a sum
        ("R-778 05.03.2026 04.04.2026 18,62 1.116,62", ["number"]),
        ("R-77 05.03.2026 04.04.2026 118,62 1.116,62", ["tax_total"]),  # its end is the other's
        ("R-77 05.03.2026 04.04.2026 18,62 11.116,62", ["gross_total", "payable"]),
        ("R-77 06.03.2026 04.05.2026 18,62 1.116,62", ["issued", "due"]),
        ("R-77 05.03.2026 04.04.2026 18,62 1.116,62 DE89 3704 0044 0532 0130 00", ["iban"]),
    ],
)
def test_whatever_an_invoice_says_otherwise_than_its_pages_is_named(
    page: str, differ: list[str]
) -> None:
    invoice = invoice_of(etree.fromstring(CII.replace("{attachment}", "").encode()))
    assert invoice is not None
    invoice.payment = [("iban", "DE02120300000000202051")]

    said = differences(invoice, page)

    labels = tomllib.loads(LABELS.read_text("utf-8"))["de"]
    assert len(said) == len(differ)
    assert all(labels[label] in text for label, text in zip(differ, said, strict=True))


def test_elements_and_attributes_of_any_xml_are_named(pool: ParserPool, tmp_path: Path) -> None:
    records = "".join(
        f'<machine id="M{k}" site="Lyon"><power unit="kW">{k}.5</power><state>ok</state></machine>'
        for k in range(30)
    )
    path = write(tmp_path / "a.xml", f"<plant><name>Halle 4</name>{records}</plant>")

    found = pool.parse(path, name="a.xml")

    assert headings(found) == [(0, "plant")]
    blocks = of_kind(found, ElementKind.PARAGRAPH)
    assert blocks[0] == "name: Halle 4"
    assert blocks[8] == "machine (id: M7, site: Lyon)\npower (unit: kW): 7.5\nstate: ok"


def test_the_prose_of_an_xml_text_stays_prose(pool: ParserPool, tmp_path: Path) -> None:
    inside = f"<para>{GERMAN}</para><para>Siehe <emphasis>Anlage 2</emphasis> dazu.</para>"
    path = write(tmp_path / "a.xml", f"<article><title>Vertrag</title>{inside}</article>")

    found = pool.parse(path, name="a.xml")

    assert GERMAN in of_kind(found, ElementKind.PARAGRAPH)
    assert "Siehe Anlage 2 dazu." in of_kind(found, ElementKind.PARAGRAPH)


def test_an_outline_is_read_from_its_attributes(pool: ParserPool, tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.opml",
        '<opml version="2.0"><head><title>Projekte</title></head><body><outline text="Umbau">'
        '<outline text="Angebot einholen" _note="bis Freitag"/><outline text="Statik"/></outline>'
        "</body></opml>",
    )

    found = pool.parse(path, name="a.opml")

    assert (found.title, headings(found)) == ("Projekte", [(0, "Umbau")])
    assert of_kind(found, ElementKind.LIST_ITEM) == ["Angebot einholen", "Statik"]
    assert "bis Freitag" in found.pages[0].text


def test_the_lettering_of_a_drawing_is_read_and_its_picture_and_styles_are_not(
    pool: ParserPool, tmp_path: Path
) -> None:
    path = write(
        tmp_path / "a.svg",
        '<svg xmlns="http://www.w3.org/2000/svg"><title>Organigramm</title><style>.a{}</style>'
        '<text x="10" y="80">Vertrieb<tspan x="10" dy="20">Köln</tspan></text><text x="10" y="20">'
        'Leitung</text><text display="none">geheim</text>'
        f'<image href="data:image/png;base64,{PICTURE[:900]}"/></svg>',
    )

    found = pool.parse(path, name="a.svg")

    assert found.title == "Organigramm"
    assert found.pages[0].text.split("\n\n") == ["Organigramm", "Leitung", "Vertrieb", "Köln"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("deploy.yaml", "limits:\n  memory: 512Mi\n  cpu: 250m\nreplicas: 3"),
        ("job.py", "def pay(rate):\n    if rate > 2:\n        return 12\n\n    return 9"),
        ("data.json", json.dumps({"limits": {"memory": "512Mi"}}, indent=2)),
        ("Jenkinsfile", "pipeline {\n    agent any\n    stages {\n        build()\n    }\n}"),
    ],
)
def test_blanks_that_mean_something_stay(
    pool: ParserPool, tmp_path: Path, name: str, text: str
) -> None:
    found = pool.parse(write(tmp_path / "file", text), name=name)

    assert found.pages[0].text == text
    assert {e.kind for e in found.elements} == {ElementKind.CODE}


def test_an_indented_letter_is_no_source_code(pool: ParserPool, tmp_path: Path) -> None:
    text = f"Sehr geehrte Frau Weber,\n\n    {GERMAN}\n    {GERMAN}\n\nMit freundlichen Grüßen"

    found = pool.parse(write(tmp_path / "brief.txt", text), name="brief.txt")

    assert {e.kind for e in found.elements} == {ElementKind.PARAGRAPH}
    assert f"\n{GERMAN}" in found.pages[0].text


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.html", "a.json", "a.csv"])
def test_a_picture_written_into_a_text_is_no_part_of_it(
    pool: ParserPool, tmp_path: Path, name: str
) -> None:
    lines = "\n".join(PICTURE[k : k + 76] for k in range(0, 7_600, 76))
    text = {
        "a.txt": f"{GERMAN}\n\nContent-Transfer-Encoding: base64\n\n{lines}\n",
        "a.md": f"{GERMAN}\n\n![](data:image/png;base64,{PICTURE[:8_000]})\n",
        "a.html": f"<p>{GERMAN}</p><img src='data:image/png;base64,{PICTURE[:400]}'><p>{lines}",
        "a.json": json.dumps({"text": GERMAN, "photo": PICTURE[:8_000]}),
        "a.csv": f"text;photo\n{GERMAN};{PICTURE[:8_000]}\n",
    }[name]

    found = pool.parse(write(tmp_path / name, text), name=name)

    assert GERMAN in found.pages[0].text
    assert PICTURE[20:60] not in found.pages[0].text
    assert len(found.pages[0].text) < 300


@pytest.mark.parametrize(
    "text",
    [
        GERMAN * 10,
        "https://example.org/" + "/".join(f"part-{k}" for k in range(60)),
        "0123456789abcdef" * 8,
        "ACGTACGTAAGGCCTT" * 30,
    ],
)
def test_words_addresses_and_sums_of_bytes_are_no_base64(text: str) -> None:
    assert without_base64(text) == text


def test_xml_that_is_cut_off_is_refused_with_a_way_out(pool: ParserPool, tmp_path: Path) -> None:
    path = write(tmp_path / "a.xml", "<?xml version='1.0'?><a><b>1</b>")

    with pytest.raises(DocumentError, match="Bring an intact copy"):
        pool.parse(path, name="a.xml")
