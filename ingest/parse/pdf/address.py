"""Boxes of a letter or an invoice that hold an address, a bank's details, a contact.

Their lines may stand at the same heights as those of the box beside them, which makes them look
like rows of a table. What they say tells them apart: a line with a postal code and a place, with
a telephone number, an account. In a list of such things each column has one kind of them instead.
"""

import re
from collections import Counter
from collections.abc import Sequence

from ingest.parse.pdf.cells import is_number
from ingest.parse.pdf.lines import TextLine

_KINDS = {
    "place": re.compile(
        r"(?:[A-Z]{1,2}[- ])?\d{4,5}\s+[^\W\d_]{2}[^\d]*(?:CEDEX(?: \d+)?|\([A-Z]{2}\))?"
        r"|[^\d,]+,? [A-Z]{2} \d{5}(?:-\d{4})?|.*\b[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}"
    ),
    "telephone": re.compile(
        r"(?i)(?:(?:tel|fax|phone|téléphone|telefon|teléfono|telefono|mobil)\b.*|\+)"
        r"\d[\d ()/.-]{6,}"
    ),
    "address": re.compile(r"(?i).*(?:\S@\S+\.\S|\bwww\.|https?://).*"),
    "account": re.compile(r"(?i).*\bIBAN\b.*"),
    "bank": re.compile(r"(?i).*\b(?:BIC|SWIFT)\b.*"),
    "court": re.compile(r"(?i)(?:Amtsgericht|Handelsregister|Registro|Registre)\b.*"),
    "register": re.compile(r"(?:HRB|HRA|RCS|SIRET|SIREN|REA)\b.*"),
    "tax": re.compile(
        r"(?i)(?:(?:UST-?ID(?:-?NR)?|TVA|VAT|NIF|CIF)\b|N° TVA|P\. ?IVA|Partita IVA|Steuer-?Nr).*"
    ),
}
_FEWEST_LINES, _MOST_LINES = 2, 12
_LIST_SHARE = 0.5  # of the lines that are of one kind: a column of a list


def is_address(lines: Sequence[TextLine]) -> bool:
    """Whether lines, one below the other, are those of one box."""
    if not _FEWEST_LINES <= len(lines) <= _MOST_LINES:
        return False
    texts = [" ".join(word.text for word in line.words) for line in lines]
    kinds = Counter(name for text in texts if (name := _kind(text)))
    if not kinds or any(is_number(text) and not _kind(text) for text in texts):
        return False
    most = max(kinds.values())
    return most == 1 or most <= _LIST_SHARE * len(lines)


def _kind(text: str) -> str | None:
    """What a line tells of somebody; a label without its number tells nothing."""
    if not any(map(str.isdigit, text)) and not _KINDS["address"].fullmatch(text):
        return None
    return next((name for name, pattern in _KINDS.items() if pattern.fullmatch(text)), None)
