"""Plain text, source code and data."""

import re
from collections.abc import Iterator
from pathlib import Path, PurePath

from ingest.parse.document.base64_text import without_base64
from ingest.parse.document.blocks import Block, DocumentDraft, block, unpaged
from ingest.parse.document.job import Job
from ingest.parse.document.text import decode
from sovereign_rag.domain import ElementKind
from sovereign_rag.errors import DocumentError

_BLANK = re.compile(r"\n[ \t]*\n[\s]*")
_BULLET = re.compile(r"\s*(?:[-*•◦▪–]|\(?\d{1,3}[.)]|[a-z]\))\s+\S")
_LONGEST_LINE = 5_000_000
_BLANK_LINES = re.compile(r"\n(?:[ \t]*\n)+")  # keeps the blanks of the line that follows
_CODE = frozenset(
    (
        *(
            ".yaml",
            ".yml",
            ".json",
            ".jsonl",
            ".ndjson",
            ".json5",
            ".toml",
            ".ini",
            ".cfg",
            ".conf",
            ".properties",
            ".env",
        ),
        *(
            ".tf",
            ".hcl",
            ".py",
            ".pyi",
            ".js",
            ".mjs",
            ".ts",
            ".tsx",
            ".jsx",
            ".java",
            ".kt",
            ".scala",
            ".c",
            ".h",
            ".cc",
            ".cpp",
            ".hpp",
        ),
        *(
            ".cs",
            ".go",
            ".rs",
            ".rb",
            ".php",
            ".pl",
            ".lua",
            ".r",
            ".swift",
            ".vb",
            ".bas",
            ".sql",
            ".sh",
            ".bash",
            ".zsh",
            ".ps1",
            ".bat",
        ),
        *(
            ".cmd",
            ".css",
            ".scss",
            ".vue",
            ".gradle",
            ".groovy",
            ".dockerfile",
            ".mk",
            ".cmake",
            ".proto",
            ".graphql",
            ".log",
        ),
        *(".diff", ".patch", ".tex", ".abap", ".cob", ".f90", ".m", ".jl", ".ipynb"),
    )
)
_SAMPLED, _FEWEST_LINES = 20_000, 4
_MARKS = ("{", "}", "[", "]", "(", ")", ";", ",", ":", "},", "],")
_KEY = re.compile(r"""\s*(?:-\s+)?["']?[\w.-]+["']?\s*[:=](?:\s|$)""")


def read_text(path: Path, job: Job) -> DocumentDraft:
    """The `Reader` of plain text: paragraphs at blank lines, list items at their marks.

    Where blanks at the beginning of a line mean something, as in source code, they stay.
    """
    text = decode(path.read_bytes())
    if PurePath(job.name).suffix.lower() in _CODE or _is_indented(text):
        return unpaged(code_blocks(text))
    return unpaged(text_blocks(text))


def code_blocks(text: str) -> Iterator[Block | None]:
    """The parts of a source text between its blank lines, with every line's indentation."""
    text = _short_enough(without_base64(text.replace("\r\n", "\n").replace("\r", "\n")))
    for part in _BLANK_LINES.split(text):
        yield block(ElementKind.CODE, part)


def _is_indented(text: str) -> bool:
    """Whether a text is laid out by the blanks before its lines: nested data, a program."""
    lines = [line for line in text[:_SAMPLED].splitlines() if line.strip()]
    if len(lines) < _FEWEST_LINES:
        return False
    indented = sum(line.startswith(("  ", "\t")) for line in lines)
    marked = sum(line.rstrip().endswith(_MARKS) or _KEY.match(line) is not None for line in lines)
    return indented >= 0.25 * len(lines) and marked >= 0.5 * len(lines)


def _short_enough(text: str) -> str:
    if max(map(len, text.split("\n"))) > _LONGEST_LINE:
        raise DocumentError(
            "too_large",
            f"The file has a line of more than {_LONGEST_LINE // 1_000_000} million characters. "
            "Is it a text? Break it into lines.",
        )
    return text


def text_blocks(text: str) -> Iterator[Block]:
    """Paragraphs and list items of a plain text."""
    text = _short_enough(without_base64(text.replace("\r\n", "\n").replace("\r", "\n")))
    for part in _BLANK.split(text):
        yield from filter(None, _items(part))


def _items(part: str) -> Iterator[Block | None]:
    lines = part.split("\n")
    if not any(_BULLET.match(line) for line in lines):
        yield block(ElementKind.PARAGRAPH, part)
        return
    kind, pending = ElementKind.PARAGRAPH, list[str]()
    for line in lines:
        if _BULLET.match(line):
            yield block(kind, "\n".join(pending))
            kind, pending = ElementKind.LIST_ITEM, []
        pending.append(line)
    yield block(kind, "\n".join(pending))
