"""A workbook beside its cells, whatever its format; the cells are calamine's."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import olefile  # type: ignore[import-untyped]  # the package has no types

from ingest.parse.document.attachments import Inner
from ingest.parse.document.zip_bombs import starts_like_zip
from ingest.parse.office.cell_formats import SheetFormats, xlsb_formats, xlsx_formats
from ingest.parse.office.embedded import embedded, embedded_in_ole
from ingest.parse.office.odf import sheet_edges
from ingest.parse.office.ods import ods_sheets
from ingest.parse.office.ooxml import ole_properties, properties
from ingest.parse.office.package import Package
from ingest.parse.office.sparse import is_sparse, sparse_rows
from ingest.parse.office.workbook_parts import (
    SheetParts,
    comments,
    old_sheet_parts,
    sheet_members,
    sheet_parts,
)


class BesideCells:
    """What was found, by the index of a sheet, from 0."""

    def __init__(
        self,
        parts: list[SheetParts],
        inner: list[Inner],
        properties: Mapping[str, str] | None = None,
    ) -> None:
        self._parts = parts
        self.inner = inner
        self.properties = properties or {}

    def parts(self, index: int) -> SheetParts:
        return self._parts[index] if index < len(self._parts) else SheetParts()

    def is_sparse(self, index: int) -> bool:
        return False

    def sparse_rows(self, index: int) -> Iterator[list[str]]:
        return iter(())


class _Ooxml(BesideCells):
    def __init__(self, package: Package, properties: Mapping[str, str]) -> None:
        self._package = package
        self._members = sheet_members(package)
        binary = package.main.endswith(".bin")
        styles = next(package.related(package.main, "styles"), "") if binary else ""
        formats = xlsb_formats(package.bytes(styles) or b"") if binary else xlsx_formats(package)
        super().__init__(
            [sheet_parts(package, member, formats) for member in self._members],
            list(embedded(package, *self._members)),
            properties,
        )
        self._sparse = {
            member
            for member in self._members
            if member.endswith(".xml") and is_sparse(package.bytes(member) or b"")
        }

    def is_sparse(self, index: int) -> bool:
        return index < len(self._members) and self._members[index] in self._sparse

    def sparse_rows(self, index: int) -> Iterator[list[str]]:
        return sparse_rows(self._package, self._members[index])


def _open_document(package: Package) -> list[SheetParts]:
    """The sheets of an OpenDocument file; what stands beside all of them is the first one's."""
    found = [
        SheetParts(
            list(comments(sheet.comments)),
            frozenset(sheet.hidden_columns),
            frozenset(sheet.hidden_rows),
            SheetFormats(unsaved=sheet.unsaved),
            sheet,
        )
        for sheet in ods_sheets(package)
    ]
    found = found or [SheetParts()]
    found[0].blocks += sheet_edges(package)
    return found


def beside_cells(path: Path) -> BesideCells:
    """What a workbook shows beside its cells; nothing of it where that is damaged."""
    # By its first bytes: an XLS may carry a zip file behind its end.
    if starts_like_zip(path):
        package = Package(path)
        if package.bytes("content.xml") is not None:
            parts = _open_document(package)
            return BesideCells(parts, [], properties(path, "meta.xml"))
        return _Ooxml(package, properties(path, "docProps/core.xml"))
    with suppress(Exception):  # olefile lets its reading errors through, of many classes
        with olefile.OleFileIO(str(path)) as container:
            name = "Workbook" if container.exists("Workbook") else "Book"
            stream = container.openstream(name).read()
            inner = list(embedded_in_ole(container))
            facts = ole_properties(container)
        return BesideCells(old_sheet_parts(stream), inner, facts)
    return BesideCells([], [])
