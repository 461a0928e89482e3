"""How the page shows whose service it is."""

from pathlib import Path
from typing import Final, Self

from pydantic import Field, model_validator

from sovereign_rag.settings.section import Section

PAPER: Final = {"accent": "#fbfaf8", "accent_dark": "#14181c"}
"""What text in each colour stands on, as in web/static/tokens.css."""
LEAST_CONTRAST: Final = 4.5  # of text and what it stands on, WCAG 2.2, level AA


class HouseSettings(Section):
    """Name, notice, logo and colours of the house, on every page."""

    name: str = Field(
        "Sovereign RAG", min_length=1, max_length=60, description="What the page calls itself."
    )
    notice: str | None = Field(
        None,
        max_length=500,
        description="A sentence at the top of every page: planned work, what the service is for.",
    )
    logo: Path | None = Field(
        None,
        description="A file on this machine, PNG, JPEG, WebP or SVG of at most 256 KiB; an SVG holds shapes alone: no script, no style sheet, nothing from elsewhere.",
    )
    accent: str | None = Field(
        None,
        pattern=r"^#[0-9a-fA-F]{6}$",
        description="Colour of links and buttons on a light page, #rrggbb; refused where it is hard to read (contrast below 4.5 to 1).",
    )
    accent_dark: str | None = Field(
        None,
        pattern=r"^#[0-9a-fA-F]{6}$",
        description="The same on a dark page.",
    )

    @model_validator(mode="after")
    def _can_be_read(self) -> Self:
        for name, paper in PAPER.items():
            colour = getattr(self, name)
            if colour is None:
                continue
            found = min(contrast(colour, ground) for ground in (paper, tint_of(name, colour)))
            if found < LEAST_CONTRAST:
                darker = "darker" if name == "accent" else "lighter"
                raise ValueError(
                    f"house.{name}: {colour} has a contrast of {found:.1f} to 1, and "
                    f"{LEAST_CONTRAST} is the least that can be read; take a {darker} one"
                )
        return self


def tint_of(name: str, colour: str) -> str:
    """What stands behind the page that one is on: the paper with a breath of the colour."""
    parts = (
        round(0.9 * int(PAPER[name][at : at + 2], 16) + 0.1 * int(colour[at : at + 2], 16))
        for at in (1, 3, 5)
    )
    return "#" + "".join(f"{part:02x}" for part in parts)


def contrast(one: str, other: str) -> float:
    """The contrast of two colours `#rrggbb`, from 1 to 21, as WCAG 2.2 counts it."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def ink_on(colour: str) -> str:
    """Black or white, whichever is read better on `colour`."""
    return max(("#000000", "#ffffff"), key=lambda ink: contrast(ink, colour))


def _luminance(colour: str) -> float:
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
