"""A paper as Markdown; nothing that a document says becomes markup, a link or an image."""

import re
from typing import Final

from sovereign_rag.compliance.file_marks import comment
from sovereign_rag.web.export.paper import Block, Paper

MEDIA_TYPE: Final = "text/markdown; charset=utf-8"
_MARKUP: Final = re.compile(r"([\\`*_{}\[\]<>#+!|~&-])")
_NUMBERED: Final = re.compile(r"^(\s*\d+)([.)])", re.MULTILINE)


def markdown(paper: Paper) -> bytes:
    """UTF-8."""
    facts = "  \n".join(f"**{_plain(label)}:** {_plain(value)}" for label, value in paper.facts)
    parts = [f"# {_line(paper.title)}", facts, *map(_block, paper.blocks)]
    if paper.mark is not None:
        parts.append(comment(paper.mark))
    return ("\n\n".join(parts) + "\n").encode("utf-8", "replace")


def _block(block: Block) -> str:
    text = _plain(block.text)
    match block.kind:
        case "heading":
            return f"## {text}"
        case "quote":
            return "\n".join(f"> {line}" for line in text.splitlines())
        case "note":
            return f"*{text}*"
        case "source":
            return f"- {text}: <{block.url}>" if block.url else f"- {text}"
        case "text":
            return text


def _line(text: str) -> str:
    return " ".join(_plain(text).split())


def _plain(text: str) -> str:
    return _NUMBERED.sub(r"\1\\\2", _MARKUP.sub(r"\\\1", text))
