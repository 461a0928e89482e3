"""An invoice written out for its readers, with labels in its own language."""

import re
import tomllib
from collections.abc import Iterator
from importlib.resources import files

from ingest.parse.document.blocks import Block, block
from ingest.parse.office.invoice import PIECE, Invoice, Party
from sovereign_rag.domain import ElementKind
from sovereign_rag.text.language import detect

_LABELS: dict[str, dict[str, str]] = tomllib.loads(
    files("ingest.parse.office").joinpath("invoice_labels.toml").read_text("utf-8")
)
_COUNTRIES = {"DE": "de", "AT": "de", "FR": "fr", "MC": "fr", "IT": "it", "ES": "es"}
_DATES = {"de": "{2}.{1}.{0}", "en": "{0}-{1}-{2}"}
_DATE = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})(?:[+-]\d\d:\d\d|Z)?")
_PRINTED_DATE = re.compile(r"(?<!\d)(\d{1,4})[./-](\d{1,2})[./-](\d{2,4})(?!\d)")
_WORDED_DATE = re.compile(r"\d{1,2}\.? [^\W\d]{3,10}\.? \d{4}")
_DATED = frozenset({"issued", "due", "delivered", "period"})
_FEWEST_LETTERS = 60  # of what people wrote, to tell a language by
_CHECKED = ("number", "issued", "net_total", "tax_total", "gross_total", "payable", "due", "iban")
_SIGN_OF_THOUSANDS = re.compile(r"(?<=\d)[.,'’](?=\d{3}(?!\d))")
_BLANK_OF_THOUSANDS = re.compile(r"(?<=\d)[ \u00a0\u202f](?=\d{3}(?!\d))")
_DECIMALS = re.compile(r"(?<=\d),(?=\d{1,2}(?!\d))")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")


def invoice_language(invoice: Invoice) -> str:
    """The language of an invoice: its seller's country's, else that of what it says."""
    known = _COUNTRIES.get(invoice.country)
    text = invoice.free_text
    if known is None and sum(c.isalpha() for c in text) >= _FEWEST_LETTERS:
        known = detect(text)
    return known if known in _LABELS else "en"


def invoice_blocks(invoice: Invoice) -> Iterator[Block]:
    """An invoice: its dates, its parties, its lines, taxes, totals and how to pay."""
    language = invoice_language(invoice)
    words = _LABELS[language]
    facts = [(label, _shown(label, value, language)) for label, value in invoice.facts]
    number = dict(facts).get("number", "")
    yield from _made(ElementKind.TITLE, f"{words[invoice.kind]} {number}".strip())
    facts.append(("currency", invoice.currency))
    yield from _made(ElementKind.PARAGRAPH, _lines(facts, words))
    for party in invoice.parties:
        yield from _party(party, words)
    header = tuple(words[k] for k in ("position", "item", "quantity", "price", "rate", "amount"))
    items = [tuple(cell.replace(PIECE, words["piece"]) for cell in row) for row in invoice.items]
    yield from _table(words["lines"], header, items)
    taxes = [row[:3] for row in invoice.taxes]
    yield from _table(words["taxes"], tuple(words[k] for k in ("rate", "basis", "tax")), taxes)
    reasons = dict.fromkeys(row[3] for row in invoice.taxes if row[3])
    yield from _made(ElementKind.PARAGRAPH, "\n".join(reasons))
    totals = [
        (label, f"{value} {invoice.currency}".strip()) for label, value in invoice.totals if value
    ]
    yield from _section(words["totals"], _lines(totals, words))
    yield from _section(words["payment"], _lines(invoice.payment, words))
    for note in invoice.notes:
        yield from _made(ElementKind.PARAGRAPH, f"{words['note']}: {note}" if note else "")


def differences(invoice: Invoice, pages: str) -> list[str]:
    """What an invoice says that does not stand on the pages around it, one sentence each."""
    language = invoice_language(invoice)
    found = []
    said = {**dict(invoice.facts), **dict(invoice.totals), **dict(invoice.payment)}
    for label in _CHECKED:
        value = said.get(label, "")
        if value and not _is_shown(label, value, pages):
            name = _LABELS[language][label]
            shown = _shown(label, value, language)
            found.append(
                f"The invoice in the file says {name} {shown}, which does not stand on its pages: "
                "see which of the two is right."
            )
    return found


def _is_shown(label: str, value: str, pages: str) -> bool:
    if label in _DATED:
        return _stands(value, pages)
    if label == "iban":
        printed = {_bare(match.group()) for match in _IBAN.finditer(pages)}
        is_one = _IBAN.fullmatch(value.strip()) is not None
        return not (is_one and printed) or any(one.startswith(_bare(value)) for one in printed)
    if re.fullmatch(r"-?\d+(?:\.\d+)?", value) and label != "number":
        readings = _amounts(pages), _amounts(_BLANK_OF_THOUSANDS.sub("", pages))
        forms = "|".join(map(re.escape, _forms(value)))
        whole = re.compile(rf"(?<![\d.])(?:{forms})(?!\d|\.\d)")
        return any(whole.search(reading) for reading in readings)
    spelled = r"\s*".join(map(re.escape, _bare(value)))
    return re.search(rf"(?<!\w){spelled}(?!\w)", pages.lower()) is not None


def _forms(value: str) -> set[str]:
    """An amount as it may be printed, behind `_amounts`."""
    whole, _, decimals = value.lstrip("-").partition(".")
    cents = decimals.rstrip("0").ljust(2, "0")
    return {f"{whole}.{cents}", *({whole} if not decimals.strip("0") else set())}


def _bare(text: str) -> str:
    return "".join(text.split()).lower()


def _stands(date: str, pages: str) -> bool:
    """Whether a date stands on the pages; yes, too, where they write months in words."""
    match = _DATE.fullmatch(date)
    if match is None or _WORDED_DATE.search(pages):
        return True
    year, month, day = (int(part) for part in match.groups())
    for printed in _PRINTED_DATE.finditer(pages):
        numbers = [int(part) for part in printed.groups()]
        if sorted(numbers) in (sorted([year, month, day]), sorted([year % 100, month, day])):
            return True
    return _PRINTED_DATE.search(pages) is None


def _amounts(text: str) -> str:
    """A text without the signs that people put between thousands; decimals behind a point."""
    text = _SIGN_OF_THOUSANDS.sub("", text)
    return _DECIMALS.sub(".", text)


def _party(party: Party, words: dict[str, str]) -> Iterator[Block]:
    facts = _lines(list(party.facts), words)
    said = "\n".join(filter(None, (party.name, party.address, facts)))
    yield from _section(words[party.role], said)


def _section(title: str, text: str) -> Iterator[Block]:
    if text.strip():
        yield from _made(ElementKind.TITLE, title, 1)
        yield from _made(ElementKind.PARAGRAPH, text)


def _table(title: str, header: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterator[Block]:
    used = [k for k in range(len(header)) if any(row[k] for row in rows)]
    if rows and used:
        lines = [" | ".join(row[k] for k in used) for row in (header, *rows)]
        yield from _made(ElementKind.TITLE, title, 1)
        yield from _made(ElementKind.TABLE, "\n".join(lines))


def _lines(facts: list[tuple[str, str]], words: dict[str, str]) -> str:
    return "\n".join(f"{words[label]}: {value}" for label, value in facts if value)


def _shown(label: str, value: str, language: str) -> str:
    if label not in _DATED:
        return value
    form = _DATES.get(language, "{2}/{1}/{0}")
    return _DATE.sub(lambda match: form.format(*match.groups()), value)


def _made(kind: ElementKind, text: str, level: int = 0) -> Iterator[Block]:
    if (item := block(kind, text, level)) is not None:
        yield item
