"""What a child answered is checked before anybody relies on it: it may have been taken over."""

from datetime import datetime

from ingest.parse.archive import ArchiveLimits, Contents, UnpackedFile, safe_path
from sovereign_rag.domain import Box, Element, PageText, ParsedDocument, Word


def validated(parsed: ParsedDocument) -> ParsedDocument:
    """The document, when types, spans and boxes are what `domain.py` promises.

    Raises:
        ValueError: They are not.
    """
    texts = [parsed.media_type, *parsed.warnings]
    texts += [*parsed.properties.keys(), *parsed.properties.values()]
    _need(all(isinstance(text, str) for text in texts), "text fields")
    _need(_optional_text(parsed.title) and _optional_text(parsed.language), "title, language")
    _need(isinstance(parsed.paged, bool) and len(parsed.pages) > 0, "pages")
    for number, page in enumerate(parsed.pages, start=1):
        _need(page.number == number, "page numbers")
        _check_page(page)
    _check_elements(parsed.elements, parsed.pages)
    return parsed


def validated_contents(told: object, limits: ArchiveLimits) -> Contents | None:
    """What a child says came out of an archive, when it keeps to the limits and the names do.

    Raises:
        ValueError, TypeError, KeyError: They do not.
    """
    if told is None:
        return None
    if not isinstance(told, dict):
        raise TypeError("no contents")
    contents = Contents([UnpackedFile(**row) for row in told["members"]], int(told["left_out"]))
    members = contents.members
    _need(len(members) <= limits.max_members, "members")
    _need(len({member.path for member in members}) == len(members), "members' paths")
    for member in members:
        parts = member.path.split("/")
        _need(all(part == safe_path(part) for part in parts), "members' paths")
        _need(isinstance(member.name, str) and "/" not in member.name, "members' names")
        is_taken = type(member.file) is int and member.file >= 0 and member.failure is None
        is_failed = member.file is None and isinstance(member.failure, str)
        _need(is_taken or is_failed, "members")
        if member.modified is not None:
            datetime.fromisoformat(member.modified)
    return contents


def _check_page(page: PageText) -> None:
    _need(isinstance(page.text, str) and _optional_text(page.name), "page text")
    for value in (page.width, page.height):
        _need(value is None or (isinstance(value, int | float) and value >= 0), "page measures")
    _need(_is_share(page.ocr_confidence), "page confidence")
    at = 0
    for word in page.words:
        _need(_fits(word, at, len(page.text)), "words")
        at = word.end


def _fits(word: Word, at: int, length: int) -> bool:
    return (
        at <= word.start < word.end <= length and _inside(word.box) and _is_share(word.confidence)
    )


def _is_share(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and 0 <= value <= 1)


def _inside(box: Box) -> bool:
    return 0 <= box.left <= box.right <= 1 and 0 <= box.top <= box.bottom <= 1


def _check_elements(elements: tuple[Element, ...], pages: tuple[PageText, ...]) -> None:
    page, at = 1, 0
    for element in elements:
        if element.page != page:
            _need(page < element.page <= len(pages), "element pages")
            page, at = element.page, 0
        _need(
            all(isinstance(n, int) for n in (element.start, element.end, element.level))
            and at <= element.start < element.end <= len(pages[page - 1].text)
            and element.level >= 0,
            "element spans",
        )
        at = element.end


def _optional_text(value: object) -> bool:
    return value is None or isinstance(value, str)


def _need(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(f"the {what} of a parsed document are not what they must be")
