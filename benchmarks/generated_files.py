"""Small files of several formats, for measurements that are not about what stands in them."""

import random
from pathlib import Path

WORDS = (
    *("lantern", "harbour", "ledger", "orchard", "signal", "bridge", "winter", "archive"),
    *("copper", "garden", "engine", "letter", "mountain", "council", "river", "journal"),
    *("market", "window", "station", "castle", "forest", "paper", "island", "museum"),
)


def corpus(folder: Path, documents: int) -> list[Path]:
    """Small files of several formats; the same ones for the same number."""
    folder.mkdir(parents=True, exist_ok=True)
    chance = random.Random(20)  # no secret, the same every time
    makers = (_text, _markdown, _html, _csv, _docx)
    return [makers[n % len(makers)](folder, n, chance) for n in range(documents)]


def _sentence(chance: random.Random, number: int) -> str:
    words = " ".join(chance.choices(WORDS, k=12))
    return f"Office {number} keeps the {words} and its code word is kestrel-{number}."


def _paragraphs(chance: random.Random, number: int) -> list[str]:
    return [_sentence(chance, number) for _ in range(chance.randint(2, 9))]


def _text(folder: Path, number: int, chance: random.Random) -> Path:
    path = folder / f"note-{number:04}.txt"
    path.write_text(f"Note {number}\n\n" + "\n\n".join(_paragraphs(chance, number)) + "\n")
    return path


def _markdown(folder: Path, number: int, chance: random.Random) -> Path:
    path = folder / f"rule-{number:04}.md"
    body = "\n\n## Details\n\n".join(_paragraphs(chance, number))
    path.write_text(f"# Rule {number}\n\n{body}\n")
    return path


def _html(folder: Path, number: int, chance: random.Random) -> Path:
    path = folder / f"page-{number:04}.html"
    body = "".join(f"<p>{text}</p>" for text in _paragraphs(chance, number))
    path.write_text(f"<html><title>Page {number}</title><h1>Page {number}</h1>{body}</html>")
    return path


def _csv(folder: Path, number: int, chance: random.Random) -> Path:
    path = folder / f"table-{number:04}.csv"
    rows = [f"{row},{' '.join(chance.choices(WORDS, k=3))},{number * row}" for row in range(1, 9)]
    path.write_text("row,what,amount\n" + "\n".join(rows) + "\n")
    return path


def _docx(folder: Path, number: int, chance: random.Random) -> Path:
    import docx

    path = folder / f"letter-{number:04}.docx"
    document = docx.Document()
    document.add_heading(f"Letter {number}", 1)
    for text in _paragraphs(chance, number):
        document.add_paragraph(text)
    document.save(str(path))
    return path
