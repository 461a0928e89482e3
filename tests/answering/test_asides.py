"""Fields and announcements stand beside what a document says; some lists have no lead-in."""

import pytest

from sovereign_rag.answering.asides import announces, fields_name, is_bare_list
from sovereign_rag.answering.kin import are_akin
from sovereign_rag.domain import Chunk, PageSpan
from sovereign_rag.text.folding import folded


def chunk(text: str, *headings: str) -> Chunk:
    return Chunk("d", "1", 0, text, (PageSpan(1, 0, len(text)),), heading_path=headings)


@pytest.mark.parametrize(
    ("language", "aside", "statement"),
    [
        ("en", "This policy describes who may travel.", "This policy was written in 2019."),
        ("de", "Diese Ordnung regelt Dienstreisen.", "Dienstreisen genehmigt das Amt."),
        ("fr", "Ce protocole décrit l'hygiène des mains.", "La friction dure 30 secondes."),
        ("es", "Este manual recoge las normas.", "Las normas son obligatorias."),
        ("it", "La presente procedura descrive i resi.", "I resi sono a carico del cliente."),
    ],
)
def test_what_a_document_is_about_is_told_from_what_it_says(
    language: str, aside: str, statement: str
) -> None:
    assert announces(aside, language)
    assert not announces(statement, language)


def test_a_field_is_told_from_a_sentence_with_a_colon() -> None:
    assert fields_name("Author: Tom Whitaker.") == "Author"
    assert fields_name("Strumento: manometro\nData di taratura: 10 gennaio") is not None
    assert fields_name("The author was Tom Whitaker.") is None
    assert (
        fields_name("Who may not be referred, according to the policy of the house: nobody") is None
    )


def test_a_heading_with_items_below_it_is_a_list() -> None:
    steps = "Announce it\n\nRun the failover\n\nUpdate the status page"
    prose = "It is long.\n\nIt is old.\n\nIt is paid for."

    assert is_bare_list(chunk(steps, "Failover", "Steps"))
    assert not is_bare_list(chunk(steps))
    assert not is_bare_list(chunk(prose, "Failover", "About"))


@pytest.mark.parametrize(
    ("language", "one", "other", "akin"),
    [
        ("de", "Sicherheitslücken", "sicherheitsrelevante", True),
        ("de", "Abrechnung", "Reisekostenabrechnung", True),
        ("de", "Gründer", "Gründungsmitglied", True),
        ("de", "Vertrag", "Vorschlag", False),
        ("en", "approval", "approves", True),
        ("en", "contract", "contact", False),
        ("fr", "restauration", "ration", False),
        ("de", "kritische", "critical", True),
        ("en", "licences", "Lizenzen", True),
        ("fr", "autorités", "authorities", True),
        ("de", "Kontakt", "contract", False),
    ],
)
def test_parts_of_a_compound_are_akin(language: str, one: str, other: str, akin: bool) -> None:
    assert are_akin(folded(one), folded(other), language) is akin
