"""Rules of recurrence in words.

Source: RFC 5545, 3.3.10.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from ingest.parse.document.text import one_line

_DAYS = {"MO": "Monday", "TU": "Tuesday", "WE": "Wednesday", "TH": "Thursday", "FR": "Friday"}
_DAYS |= {"SA": "Saturday", "SU": "Sunday"}
_DAY = "%d.%m.%Y"


def repeats(rule: object, start: object) -> str:
    """A rule in words: "weekly, every 2, on Monday, until 31.12.2026".

    Args:
        rule: As icalendar reads it; one that it could not read is shown as it stands.
        start: When the first one begins, in whose time zone the last day is told.
    """
    if not isinstance(rule, Mapping) or not rule.get("FREQ"):
        return one_line(str(rule))
    said = [str(rule["FREQ"][0]).lower(), *_which(rule)]
    if count := rule.get("COUNT"):
        said.append(f"{count[0]} times")
    if until := rule.get("UNTIL"):
        said.append(f"until {_last_day(until[0], start)}")
    return ", ".join(said)


def _which(rule: Mapping[str, Any]) -> list[str]:
    """Which of the days, in the order in which the parts of a rule narrow each other."""
    said = []
    if (interval := rule.get("INTERVAL", [1])[0]) != 1:
        said.append(f"every {interval}")
    for key, words in (("BYMONTH", "in month"), ("BYWEEKNO", "in week")):
        if numbers := rule.get(key):
            said.append(f"{words} {', '.join(map(str, numbers))}")
    for key, words in (("BYYEARDAY", "day of the year"), ("BYMONTHDAY", "day")):
        if numbers := rule.get(key):
            said.append(f"on {', '.join(_counted(int(n), words) for n in numbers)}")
    if days := rule.get("BYDAY"):
        said.append(f"on {', '.join(_day_of(str(day)) for day in days)}")
    for key, words in (("BYHOUR", "at hour"), ("BYMINUTE", "at minute")):
        if numbers := rule.get(key):
            said.append(f"{words} {', '.join(map(str, numbers))}")
    if places := rule.get("BYSETPOS"):
        said.append(f"of these the {', '.join(_place(int(place)) for place in places)}")
    return said


def _counted(number: int, words: str) -> str:
    return f"{words} {number}" if number > 0 else f"the {_place(number)} {words}"


def _day_of(day: str) -> str:
    name = _DAYS.get(day[-2:].upper(), day)
    number = day[:-2].lstrip("+")
    return f"{_place(int(number))} {name}" if number else name


def _place(number: int) -> str:
    if number > 0:
        return f"{number}."
    return "last" if number == -1 else f"{-number}. to last"


def _last_day(until: date, start: object) -> str:
    zone = start.tzinfo if isinstance(start, datetime) else None
    if isinstance(until, datetime) and until.tzinfo is not None and zone is not None:
        until = until.astimezone(zone)
    return until.strftime(_DAY)
