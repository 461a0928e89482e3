"""A multipart body as a stream of parts, read in step with whoever consumes them.

Starlette's own form parser writes every file to a temporary folder before the route starts, so
before it is known who calls; here nothing is kept but the block at hand.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from sovereign_rag.errors import BadInput, TooLarge

MAX_FIELD_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class PartHead:
    """What a part says of itself; `filename` is None for a plain field."""

    name: str
    filename: str | None


@dataclass(frozen=True, slots=True)
class _PartEnd:
    pass


class MultipartReader:
    """The parts of a body, one after the other.

    After `next_part` comes either `field` or `blocks`, read to the end before the next part.
    """

    def __init__(self, content_type: str, body: Iterator[bytes]) -> None:
        """Raises BadInput where the content type is not multipart/form-data with a boundary."""
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if kind != b"multipart/form-data" or not boundary:
            raise BadInput("Send the files as multipart/form-data, e.g. `curl -F file=@a.pdf`.")
        self._body = body
        self._ready: deque[PartHead | bytes | _PartEnd] = deque()
        self._name, self._value = b"", b""  # of the header that is being read
        self._disposition = b""
        self._is_whole = False
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._part_begin,
                    "on_header_field": self._header_field,
                    "on_header_value": self._header_value,
                    "on_header_end": self._header_end,
                    "on_headers_finished": self._headers_finished,
                    "on_part_data": lambda data, start, end: self._ready.append(data[start:end]),
                    "on_part_end": lambda: self._ready.append(_PartEnd()),
                    "on_end": self._end,
                },
            )
        except MultipartParseError as error:
            raise BadInput(f"The upload's boundary is not a valid one: {error}.") from error

    def next_part(self) -> PartHead | None:
        """The head of the next part; None after the last. Raises BadInput on a broken body."""
        item = self._next()
        if item is None or isinstance(item, PartHead):
            return item
        raise AssertionError("a part was not read to its end")

    def blocks(self) -> Iterator[bytes]:
        """The content of the part whose head came last. Raises BadInput on a broken body."""
        while isinstance(item := self._next(), bytes):
            yield item

    def field(self) -> str:
        """The content of a plain field. Raises BadInput, and TooLarge beyond 64 KiB."""
        value = b""
        for block in self.blocks():
            value += block
            if len(value) > MAX_FIELD_BYTES:
                raise TooLarge("A form field is longer than 64 KiB; only files may be.")
        try:
            return value.decode()
        except UnicodeDecodeError as error:
            raise BadInput("A form field is not UTF-8.") from error

    def _next(self) -> PartHead | bytes | _PartEnd | None:
        while not self._ready:
            block = next(self._body, None)
            if block is None:
                if not self._is_whole:
                    raise BadInput("The upload ends before its last part does; send it again.")
                return None
            try:
                self._parser.write(block)
            except MultipartParseError as error:
                raise BadInput(f"The upload is not valid multipart/form-data: {error}.") from error
        return self._ready.popleft()

    def _part_begin(self) -> None:
        self._disposition = b""

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._name.lower() == b"content-disposition":
            self._disposition = self._value
        self._name, self._value = b"", b""

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        filename = options.get(b"filename")
        self._ready.append(
            PartHead(
                name=options.get(b"name", b"").decode(errors="replace"),
                filename=None if filename is None else filename.decode(errors="replace"),
            )
        )

    def _end(self) -> None:
        self._is_whole = True
