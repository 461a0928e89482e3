"""A cell's value, as calamine reads it, in the form in which its sheet shows it."""

import datetime as dt

from ingest.parse.document.symbol_fonts import CHECKED, UNCHECKED
from ingest.parse.document.text import one_line
from ingest.parse.office.cell_formats import CHECK_BOX
from ingest.parse.office.number_format import GENERAL, general, is_date, shown

Value = int | float | str | bool | dt.time | dt.date | dt.datetime | dt.timedelta

_EPOCH = dt.datetime(1899, 12, 30)
_DAY = dt.timedelta(days=1)


def shown_cell(value: Value, code: str) -> str:
    """A cell as a person sees it; `code` is its number format."""
    if isinstance(value, bool):
        if code == CHECK_BOX:
            return CHECKED if value else UNCHECKED
        return "TRUE" if value else "FALSE"
    if isinstance(value, str):
        text = one_line(value)
        return one_line(shown(text, code)) if text and "@" in code else text
    if code == GENERAL or (code == "@" and isinstance(value, float)):
        return _plain(value)
    if isinstance(value, int | float):
        return " ".join(shown(value, code).split())
    return " ".join(shown(_days(value), code).split()) if is_date(code) else _plain(value)


def _plain(value: Value) -> str:
    if isinstance(value, float):
        return general(value)
    if isinstance(value, dt.datetime):
        return value.date().isoformat() if value.time() == dt.time() else value.isoformat(" ")
    if isinstance(value, dt.timedelta):
        seconds = round(value / dt.timedelta(seconds=1))
        return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return one_line(str(value))


def _days(value: dt.time | dt.date | dt.timedelta | str | float) -> float:
    """A moment or a duration as the number that the workbook keeps of it."""
    if isinstance(value, dt.timedelta):
        return value / _DAY
    if isinstance(value, dt.time):
        return (dt.datetime.combine(_EPOCH, value) - _EPOCH) / _DAY
    if isinstance(value, dt.datetime):
        return (value - _EPOCH) / _DAY
    assert isinstance(value, dt.date)
    return (dt.datetime.combine(value, dt.time()) - _EPOCH) / _DAY
