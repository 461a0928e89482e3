"""What charts say: their series as a table, with figures as people write them."""

from pathlib import Path

import pptx
import pytest
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Cm

from ingest.parse.process.pool import ParserPool
from sovereign_rag.domain import ElementKind
from tests.parsed import of_kind


@pytest.mark.parametrize(
    "kind",
    [XL_CHART_TYPE.COLUMN_CLUSTERED, XL_CHART_TYPE.LINE, XL_CHART_TYPE.PIE],
    ids=["columns", "lines", "pie"],
)
def test_figures_of_a_chart_are_without_the_noise_of_binary_fractions(
    pool: ParserPool, tmp_path: Path, kind: XL_CHART_TYPE
) -> None:
    data = CategoryChartData()
    data.categories = ["North", "South", "East", "West"]
    data.add_series("Sales", (8.200000000000001, 0.1 + 0.2, -0.06999999999999999, 12345.678))
    presentation = pptx.Presentation()
    slide = presentation.slides.add_slide(presentation.slide_layouts[6])
    slide.shapes.add_chart(kind, Cm(1), Cm(1), Cm(12), Cm(8), data)
    presentation.save(str(tmp_path / "a.pptx"))

    found = pool.parse(tmp_path / "a.pptx", name="a.pptx")

    (table,) = of_kind(found, ElementKind.TABLE)
    rows = [tuple(cell.strip() for cell in line.split("|")) for line in table.split("\n")]
    assert rows == [
        ("", "Sales"),
        ("North", "8.2"),
        ("South", "0.3"),
        ("East", "-0.07"),
        ("West", "12345.678"),
    ]
