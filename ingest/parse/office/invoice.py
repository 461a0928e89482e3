"""Electronic invoices of the European norm as a person reads them.

The three syntaxes become one `Invoice`: UN/CEFACT CII (also inside Factur-X and ZUGFeRD), OASIS
UBL, and Italy's FatturaPA.

Source: EN 16931-1 for what an invoice says.
"""

from dataclasses import dataclass, field

from lxml import etree


@dataclass(frozen=True, slots=True)
class Party:
    """Who sells, buys or receives; `facts` are (label, value)."""

    role: str
    name: str
    address: str
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Invoice:
    """What an invoice says. Labels are keys of `invoice_labels.toml`; empty values are left out."""

    kind: str
    currency: str
    country: str  # of the seller
    facts: list[tuple[str, str]] = field(default_factory=list)
    parties: list[Party] = field(default_factory=list)
    items: list[tuple[str, ...]] = field(default_factory=list)  # no., item, quantity, price, ...
    taxes: list[tuple[str, ...]] = field(default_factory=list)  # rate, basis, amount, reason
    totals: list[tuple[str, str]] = field(default_factory=list)  # label, amount
    payment: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def free_text(self) -> str:
        """The words in it that a person wrote."""
        return " ".join([*self.notes, *(item[1] for item in self.items)])


def invoice_of(root: etree._Element) -> Invoice | None:
    """The invoice in an XML document; None where it is none."""
    name = etree.QName(root)
    if name.localname in {"CrossIndustryInvoice", "CrossIndustryDocument"}:
        return _cii(root)
    if name.localname in {"Invoice", "CreditNote"} and "ubl" in (name.namespace or ""):
        return _ubl(root)
    if name.localname == "FatturaElettronica":
        return _fattura(root)
    return None


def _cii(root: etree._Element) -> Invoice:
    document = _first(root, "ExchangedDocument", "HeaderExchangedDocument")
    settled = _first(
        root, "ApplicableHeaderTradeSettlement", "ApplicableSupplyChainTradeSettlement"
    )
    seller = _first(root, ".//SellerTradeParty")
    made = Invoice(
        _kind(_text(document, "TypeCode")),
        _text(settled, "InvoiceCurrencyCode"),
        _text(seller, "PostalTradeAddress/CountryID"),
    )
    date = "DateTimeString"
    period = "BillingSpecifiedPeriod"
    made.facts = [
        ("number", _text(document, "ID")),
        ("issued", _text(document, f"IssueDateTime/{date}")),
        ("due", _text(settled, f"SpecifiedTradePaymentTerms/DueDateDateTime/{date}")),
        ("delivered", _text(root, f".//ActualDeliverySupplyChainEvent/OccurrenceDateTime/{date}")),
        (
            "period",
            _range(settled, f"{period}/StartDateTime/{date}", f"{period}/EndDateTime/{date}"),
        ),
        ("order", _text(root, ".//BuyerOrderReferencedDocument/IssuerAssignedID")),
        ("contract", _text(root, ".//ContractReferencedDocument/IssuerAssignedID")),
        ("buyer_reference", _text(root, ".//BuyerReference")),
        ("preceding", _text(settled, "InvoiceReferencedDocument/IssuerAssignedID")),
    ]
    roles = (
        ("seller", "SellerTradeParty"),
        ("buyer", "BuyerTradeParty"),
        ("ship_to", "ShipToTradeParty"),
    )
    for role, tag in roles:
        if (node := _first(root, f".//{tag}")) is not None:
            made.parties.append(_cii_party(role, node))
    made.items = [_cii_item(n) for n in _all(root, ".//IncludedSupplyChainTradeLineItem")]
    for node in _all(settled, "ApplicableTradeTax"):
        rate = _text(node, "RateApplicablePercent", "ApplicablePercent")
        reason = _text(node, "ExemptionReason")
        made.taxes.append(
            (_percent(rate), _text(node, "BasisAmount"), _text(node, "CalculatedAmount"), reason)
        )
    sums = _first(
        settled,
        "SpecifiedTradeSettlementHeaderMonetarySummation",
        "SpecifiedTradeSettlementMonetarySummation",
    )
    names = "LineTotal AllowanceTotal ChargeTotal TaxBasisTotal TaxTotal GrandTotal TotalPrepaid"
    names += " DuePayable"
    made.totals = list(
        zip(_TOTALS, (_text(sums, f"{n}Amount") for n in names.split()), strict=True)
    )
    made.payment = [
        ("iban", _text(settled, ".//PayeePartyCreditorFinancialAccount/IBANID")),
        ("bic", _text(settled, ".//PayeeSpecifiedCreditorFinancialInstitution/BICID")),
        ("reference", _text(settled, "PaymentReference")),
        ("terms", _text(settled, "SpecifiedTradePaymentTerms/Description")),
    ]
    made.notes = [_text(node, "Content") for node in _all(document, "IncludedNote")]
    return made


def _cii_party(role: str, node: etree._Element) -> Party:
    place = _first(node, "PostalTradeAddress")
    town = f"{_text(place, 'PostcodeCode')} {_text(place, 'CityName')}".strip()
    parts = [_text(place, n) for n in ("LineOne", "LineTwo", "LineThree")]
    facts = []
    for number in _all(node, "SpecifiedTaxRegistration/ID"):
        label = "vat_id" if number.get("schemeID") == "VA" else "tax_id"
        facts.append((label, (number.text or "").strip()))
    contact = _first(node, "DefinedTradeContact")
    facts.append(("contact", _joined(_texts_of(contact))))
    address = _joined([*parts, town, _text(place, "CountryID")])
    return Party(role, _text(node, "Name"), address, tuple(facts))


def _cii_item(node: etree._Element) -> tuple[str, ...]:
    quantity = _first(node, ".//BilledQuantity")
    name = _joined(
        [
            _text(node, ".//SpecifiedTradeProduct/Name"),
            _text(node, ".//SpecifiedTradeProduct/Description"),
        ]
    )
    return (
        _text(node, "AssociatedDocumentLineDocument/LineID"),
        name or _text(node, "AssociatedDocumentLineDocument/IncludedNote/Content"),
        _measured(quantity),
        _text(node, ".//NetPriceProductTradePrice/ChargeAmount"),
        _percent(_text(node, ".//RateApplicablePercent", ".//ApplicablePercent")),
        _text(node, ".//LineTotalAmount"),
    )


def _ubl(root: etree._Element) -> Invoice:
    credit = etree.QName(root).localname == "CreditNote"
    seller = _first(root, "AccountingSupplierParty/Party")
    made = Invoice(
        "credit_note" if credit else _kind(_text(root, "InvoiceTypeCode")),
        _text(root, "DocumentCurrencyCode"),
        _text(seller, "PostalAddress/Country/IdentificationCode"),
    )
    made.facts = [
        ("number", _text(root, "ID")),
        ("issued", _text(root, "IssueDate")),
        ("due", _text(root, "DueDate", "PaymentMeans/PaymentDueDate")),
        ("delivered", _text(root, "Delivery/ActualDeliveryDate")),
        ("period", _range(root, "InvoicePeriod/StartDate", "InvoicePeriod/EndDate")),
        ("order", _text(root, "OrderReference/ID")),
        ("contract", _text(root, "ContractDocumentReference/ID")),
        ("buyer_reference", _text(root, "BuyerReference")),
        ("preceding", _text(root, "BillingReference/InvoiceDocumentReference/ID")),
    ]
    for role, path in (
        ("seller", "AccountingSupplierParty/Party"),
        ("buyer", "AccountingCustomerParty/Party"),
    ):
        if (node := _first(root, path)) is not None:
            made.parties.append(_ubl_party(role, node))
    kind = "CreditNote" if credit else "Invoice"
    for node in _all(root, f"{kind}Line"):
        quantity = _first(node, "CreditedQuantity" if credit else "InvoicedQuantity")
        name = _joined([_text(node, "Item/Name"), _text(node, "Item/Description")])
        price, rate = (
            _text(node, "Price/PriceAmount"),
            _text(node, "Item/ClassifiedTaxCategory/Percent"),
        )
        made.items.append(
            (
                _text(node, "ID"),
                name,
                _measured(quantity),
                price,
                _percent(rate),
                _text(node, "LineExtensionAmount"),
            )
        )
    for node in _all(root, "TaxTotal/TaxSubtotal"):
        rate, reason = (
            _text(node, "TaxCategory/Percent"),
            _text(node, "TaxCategory/TaxExemptionReason"),
        )
        made.taxes.append(
            (_percent(rate), _text(node, "TaxableAmount"), _text(node, "TaxAmount"), reason)
        )
    sums = _first(root, "LegalMonetaryTotal")
    names = "LineExtension AllowanceTotal ChargeTotal TaxExclusive  TaxInclusive Prepaid Payable"
    amounts = [_text(sums, f"{name}Amount") if name else "" for name in names.split(" ")]
    amounts[4] = _text(root, "TaxTotal/TaxAmount")
    made.totals = list(zip(_TOTALS, amounts, strict=True))
    made.payment = [
        ("iban", _text(root, "PaymentMeans/PayeeFinancialAccount/ID")),
        ("bic", _text(root, "PaymentMeans/PayeeFinancialAccount/FinancialInstitutionBranch/ID")),
        ("reference", _text(root, "PaymentMeans/PaymentID")),
        ("terms", _text(root, "PaymentTerms/Note")),
    ]
    made.notes = [(node.text or "").strip() for node in _all(root, "Note")]
    return made


def _ubl_party(role: str, node: etree._Element) -> Party:
    place = _first(node, "PostalAddress")
    town = f"{_text(place, 'PostalZone')} {_text(place, 'CityName')}".strip()
    parts = [_text(place, n) for n in ("StreetName", "AdditionalStreetName", "AddressLine/Line")]
    name = _text(node, "PartyLegalEntity/RegistrationName", "PartyName/Name")
    facts = []
    for tax in _all(node, "PartyTaxScheme"):
        label = "vat_id" if _text(tax, "TaxScheme/ID") == "VAT" else "tax_id"
        facts.append((label, _text(tax, "CompanyID")))
    facts.append(("contact", _joined(_texts_of(_first(node, "Contact")))))
    address = _joined([*parts, town, _text(place, "Country/IdentificationCode")])
    return Party(role, name, address, tuple(facts))


def _fattura(root: etree._Element) -> Invoice:
    general = _first(root, ".//DatiGeneraliDocumento")
    kinds = {
        "TD04": "credit_note",
        "TD08": "credit_note",
        "TD02": "prepayment",
        "TD03": "prepayment",
    }
    made = Invoice(
        kinds.get(_text(general, "TipoDocumento"), "invoice"), _text(general, "Divisa"), "IT"
    )
    made.facts = [
        ("number", _text(general, "Numero")),
        ("issued", _text(general, "Data")),
        ("due", _text(root, ".//DettaglioPagamento/DataScadenzaPagamento")),
        ("delivered", _text(root, ".//DatiDDT/DataDDT")),
        ("order", _text(root, ".//DatiOrdineAcquisto/IdDocumento")),
        ("contract", _text(root, ".//DatiContratto/IdDocumento")),
        ("preceding", _text(root, ".//DatiFattureCollegate/IdDocumento")),
    ]
    for role, tag in (("seller", "CedentePrestatore"), ("buyer", "CessionarioCommittente")):
        if (node := _first(root, f".//{tag}")) is not None:
            made.parties.append(_fattura_party(role, node))
    for node in _all(root, ".//DettaglioLinee"):
        quantity = f"{_text(node, 'Quantita')} {_text(node, 'UnitaMisura')}".strip()
        fields = ("PrezzoUnitario", "AliquotaIVA", "PrezzoTotale")
        price, rate, amount = (_text(node, name) for name in fields)
        made.items.append(
            (
                _text(node, "NumeroLinea"),
                _text(node, "Descrizione"),
                quantity,
                price,
                _percent(rate),
                amount,
            )
        )
    for node in _all(root, ".//DatiRiepilogo"):
        rate, reason = _percent(_text(node, "AliquotaIVA")), _text(node, "RiferimentoNormativo")
        made.taxes.append((rate, _text(node, "ImponibileImporto"), _text(node, "Imposta"), reason))
    made.totals = [
        ("gross_total", _text(general, "ImportoTotaleDocumento")),
        ("payable", _text(root, ".//DettaglioPagamento/ImportoPagamento")),
    ]
    made.payment = [
        ("iban", _text(root, ".//DettaglioPagamento/IBAN")),
        ("bic", _text(root, ".//DettaglioPagamento/BIC")),
    ]
    made.notes = [(node.text or "").strip() for node in _all(general, "Causale")]
    return made


def _fattura_party(role: str, node: etree._Element) -> Party:
    own = _first(node, "DatiAnagrafici")
    named = f"{_text(own, 'Anagrafica/Nome')} {_text(own, 'Anagrafica/Cognome')}".strip()
    place = _first(node, "Sede")
    street = f"{_text(place, 'Indirizzo')} {_text(place, 'NumeroCivico')}".strip()
    town = f"{_text(place, 'CAP')} {_text(place, 'Comune')} {_text(place, 'Provincia')}".strip()
    number = _text(own, "IdFiscaleIVA/IdPaese") + _text(own, "IdFiscaleIVA/IdCodice")
    return Party(
        role,
        _text(own, "Anagrafica/Denominazione") or named,
        _joined([street, town, _text(place, "Nazione")]),
        (("vat_id", number), ("tax_id", _text(own, "CodiceFiscale"))),
    )


_TOTALS = (
    *("line_total", "allowances", "charges", "net_total", "tax_total", "gross_total"),
    *("prepaid", "payable"),
)
_KINDS: dict[str, str] = {
    **dict.fromkeys(("381", "261", "262", "296", "308", "396", "420", "458", "532"), "credit_note"),
    **{"384": "corrected", "386": "prepayment"},
}
_UNITS = {
    **{"KGM": "kg", "GRM": "g", "TNE": "t", "MTR": "m", "CMT": "cm", "MMT": "mm", "KMT": "km"},
    **{"MTK": "m²", "MTQ": "m³", "LTR": "l", "HUR": "h", "MIN": "min", "KWH": "kWh", "P1": "%"},
}
PIECE = "{piece}"
"""Stands for the word for one thing, which is of the language that is written in."""


def _kind(code: str) -> str:
    return _KINDS.get(code, "invoice")


def _measured(node: etree._Element | None) -> str:
    if node is None:
        return ""
    code = node.get("unitCode") or ""
    unit = PIECE if code in {"H87", "C62", "EA", "PCE", "XPP"} else _UNITS.get(code, code)
    return f"{(node.text or '').strip()} {unit}".strip()


def _percent(rate: str) -> str:
    return f"{rate} %" if rate else ""


def _range(node: etree._Element | None, start: str, end: str) -> str:
    found = [_text(node, start), _text(node, end)]
    return " – ".join(filter(None, found))


def _joined(parts: list[str]) -> str:
    return ", ".join(filter(None, parts))


def _texts_of(node: etree._Element | None) -> list[str]:
    return [text.strip() for text in node.itertext() if text.strip()] if node is not None else []


def _path(path: str) -> str:
    """A path over elements of whatever namespace."""
    return "/".join(step if step in {".", ""} else f"{{*}}{step}" for step in path.split("/"))


def _first(node: etree._Element | None, *paths: str) -> etree._Element | None:
    if node is None:
        return None
    for path in paths:
        found = node.find(_path(path))
        found = node.find(f".//{{*}}{path}") if found is None and "/" not in path else found
        if found is not None:
            return found
    return None


def _all(node: etree._Element | None, path: str) -> list[etree._Element]:
    return node.findall(_path(path)) if node is not None else []


def _text(node: etree._Element | None, *paths: str) -> str:
    if node is None:
        return ""
    for path in paths:
        found = node.find(_path(path))
        if found is not None and (text := " ".join((found.text or "").split())):
            return text
    return ""
