"""The page of auditors' questions, and the tool that writes it."""

import re
import runpy
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).parents[2]
TOOL: Final = runpy.run_path(str(_ROOT / "tools" / "auditors_answers.py"))
PAGE: Final = (_ROOT / "docs" / "compliance" / "questions.md").read_text("utf-8")
SHOWN: Final[dict[str, str]] = dict(
    re.findall(r"^### (\d+)\. .+?\n\n(```\n.+?\n```)$", PAGE, re.MULTILINE | re.DOTALL)
)


def shown(command: str) -> list[str]:
    """The lines that stand below a command on the page."""
    (block,) = (text for text in SHOWN.values() if text.startswith(f"```\n$ {command}\n"))
    return block.splitlines()[2:-1]
