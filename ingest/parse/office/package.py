"""An Office Open XML file as its readers see it: parts, and what each refers to."""

import posixpath
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lxml import etree

from ingest.parse.office.number_format import GENERAL, general, shown
from ingest.parse.office.ooxml import parse_xml

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
C = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
DGM = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}"

_STRICT = re.compile(rb"http://purl\.oclc\.org/ooxml/([A-Za-z]+)/")


@dataclass(frozen=True, slots=True)
class Relation:
    """What a part refers to; never fetched where it lies outside the file."""

    id: str
    kind: str  # the last step of the type: "header", "chart", "oleObject", ...
    target: str  # a member of the file
    external: bool


class Package:
    """A container, already weighed by `check_zip`."""

    def __init__(self, path: Path) -> None:
        self._archive = zipfile.ZipFile(path)
        self._names = {name.lower(): name for name in self._archive.namelist()}

    def __enter__(self) -> "Package":
        return self

    def __exit__(self, *_: object) -> None:
        self._archive.close()

    def bytes(self, member: str) -> bytes | None:
        """A part's bytes; None where it is missing or damaged."""
        name = self._names.get(member.lower())
        if name is None:
            return None
        try:
            return self._archive.read(name)
        except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError):
            return None

    def xml(self, member: str) -> etree._Element | None:
        """A part as XML, of the "transitional" kind; None where it is missing or damaged."""
        data = self.bytes(member)
        if data is None:
            return None
        try:
            return parse_xml(_STRICT.sub(_transitional, data))
        except etree.XMLSyntaxError:
            return None

    def relations(self, member: str) -> list[Relation]:
        """What a part refers to, "" for the file itself."""
        folder, name = posixpath.split(member)
        root = self.xml(posixpath.join(folder, "_rels", f"{name}.rels"))
        return [_relation(node, folder) for node in root] if root is not None else []

    def related(self, member: str, kind: str) -> Iterator[str]:
        """The members of a kind that a part refers to, in the order it names them."""
        for relation in self.relations(member):
            if relation.kind == kind and not relation.external:
                yield relation.target

    @cached_property
    def main(self) -> str:
        """The member that holds the document itself; "" where none is named."""
        return next(self.related("", "officeDocument"), "")

    def members(self, start: str) -> list[str]:
        return sorted(name for name in self._names.values() if name.startswith(start))


def _relation(node: etree._Element, folder: str) -> Relation:
    target = node.get("Target") or ""
    external = node.get("TargetMode") == "External"
    if not external:
        target = posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
    kind = (node.get("Type") or "").rsplit("/", 1)[-1]
    return Relation(node.get("Id") or "", kind, target, external)


def _transitional(match: re.Match[bytes]) -> bytes:
    return b"http://schemas.openxmlformats.org/" + match.group(1) + b"/2006/"


def drawn_texts(root: etree._Element) -> Iterator[str]:
    """The paragraphs of DrawingML (`a:p`) below an element, in order."""
    for paragraph in root.iter(A + "p"):
        text = "".join(_drawn(paragraph))
        if text.strip():
            yield text


def _drawn(paragraph: etree._Element) -> Iterator[str]:
    for node in paragraph.iter(A + "t", A + "br", A + "tab"):
        yield node.text or "" if node.tag == A + "t" else "\n" if node.tag == A + "br" else " "


def chart_text(root: etree._Element) -> str:
    """What a chart says: its titles, then a table of its series.

    One line a category, one column a series, as the values were saved with the chart.
    """
    titles = [text for title in root.iter(C + "title") for text in drawn_texts(title)]
    names: list[str] = []
    rows: dict[int, dict[int, str]] = {}
    labels: dict[int, str] = {}
    for number, series in enumerate(root.iter(C + "ser")):
        names.append(" ".join(_points(series.find(C + "tx")).values()))
        for axis in (C + "cat", C + "xVal"):
            labels.update(_points(series.find(axis)))
        for axis in (C + "val", C + "yVal"):
            for index, value in _points(series.find(axis)).items():
                rows.setdefault(index, {})[number] = value
    lines = [" | ".join(["", *names]).strip()] if any(names) else []
    for index in sorted({*rows, *labels}):
        values = [rows.get(index, {}).get(k, "") for k in range(len(names))]
        lines.append(" | ".join([labels.get(index, ""), *values]).strip(" |"))
    return "\n".join([*titles, *(line for line in lines if line)])


def _points(node: etree._Element | None) -> dict[int, str]:
    found: dict[int, str] = {}
    if node is None:
        return found
    for cache in node.iter(C + "numCache", C + "numLit", C + "strCache", C + "strLit"):
        code = cache.findtext(C + "formatCode") or GENERAL
        for point in cache.iter(C + "pt"):
            value = (point.findtext(C + "v") or "").strip()
            numeric = cache.tag in {C + "numCache", C + "numLit"}
            shown_as = _shown(value, point.get("formatCode") or code) if numeric else value
            found.setdefault(int(point.get("idx") or 0), shown_as)
    for point in node.iter(C + "pt"):  # of several levels of categories
        found.setdefault(int(point.get("idx") or 0), (point.findtext(C + "v") or "").strip())
    if not found and (value := node.findtext(C + "v")):
        found[0] = value
    return found


def _shown(value: str, code: str) -> str:
    """A number of a chart as its labels show it, without the noise of binary fractions."""
    try:
        number = float(value)
    except ValueError:
        return value
    return " ".join((general(number) if code == GENERAL else shown(number, code)).split())


def diagram_texts(package: Package, member: str) -> list[str]:
    """The texts of a SmartArt diagram: the drawn picture of it, else its data."""
    root = package.xml(member)
    return list(drawn_texts(root)) if root is not None else []
