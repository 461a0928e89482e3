"""The house's own on every page: its logo and its colours, as the settings say."""

from hashlib import sha256
from pathlib import Path
from typing import Final
from xml.parsers import expat

from fastapi import APIRouter
from starlette.responses import Response

from sovereign_rag.errors import NotFound, SettingsError
from sovereign_rag.http.identity import CurrentService
from sovereign_rag.settings import HouseSettings
from sovereign_rag.settings.house import ink_on, tint_of

router = APIRouter(include_in_schema=False)

LARGEST_LOGO: Final = 256 * 1024  # bytes
_SVG: Final = "image/svg+xml"
_KINDS: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
)
_SHAPES: Final = frozenset(
    {"svg", "g", "path", "rect", "circle", "ellipse", "line", "polyline", "polygon", "defs"}
    | {"linearGradient", "radialGradient", "stop", "title", "desc", "clipPath", "mask", "use"}
    | {"symbol", "text", "tspan"}
)
_ALONE: Final = {"Content-Security-Policy": "default-src 'none'; sandbox"}


@router.get("/house/logo")
def logo(service: CurrentService) -> Response:
    """The house's logo; also for who is still to sign in."""
    path = service.settings.house.logo
    if path is None:
        raise NotFound("The settings name no logo (house.logo).")
    data, media_type = read_logo(path)
    headers = {**_ALONE, "Cache-Control": "private, max-age=300"}
    return Response(data, media_type=media_type, headers=headers)


@router.get("/house/colours.css")
def colours(service: CurrentService) -> Response:
    """The house's colours, in the place of ours."""
    css = colours_of(service.settings.house)
    headers = {"Cache-Control": "private, max-age=300"}
    return Response(css, media_type="text/css", headers=headers)


def colours_of(house: HouseSettings) -> str:
    """A style sheet; empty where the house has no colours of its own."""
    light, dark = _tokens(house, "accent"), _tokens(house, "accent_dark")
    rules = f":root {{ {light} }}\n" if light else ""
    return rules + (
        f"@media (prefers-color-scheme: dark) {{ :root {{ {dark or _OURS_DARK} }} }}\n"
        if light or dark
        else ""
    )


def colours_key(house: HouseSettings) -> str:
    """Changes with the colours, so that no browser keeps old ones; "": there are none."""
    css = colours_of(house)
    return sha256(css.encode()).hexdigest()[:12] if css else ""


def read_logo(path: Path) -> tuple[bytes, str]:
    """The file and its media type.

    Raises:
        SettingsError: It is not there, too large, no such picture, or an SVG with more than shapes.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_LOGO + 1)
    except OSError as error:
        raise SettingsError(f"house.logo: {path} can't be read: {error.strerror}.") from error
    if len(data) > LARGEST_LOGO:
        raise SettingsError(f"house.logo: {path} is larger than {LARGEST_LOGO >> 10} KiB.")
    for start, media_type in _KINDS:
        if data.startswith(start):
            return data, media_type
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return data, "image/webp"
    _check_svg(data, path)
    return data, _SVG


def _check_svg(data: bytes, path: Path) -> None:
    """Refuse whatever is more than shapes: script, style sheets, what lies elsewhere, entities."""

    def refuse(reason: str) -> None:
        raise SettingsError(
            f"house.logo: {path} {reason}. Take a PNG, a JPEG, a WebP, or an SVG of shapes alone."
        )

    def begin(name: str, attributes: dict[str, str]) -> None:
        if name.rpartition(":")[2] not in _SHAPES:
            refuse(f"holds <{name}>")
        for key, value in attributes.items():
            said = value.casefold().replace(" ", "")
            is_elsewhere = key.rpartition(":")[2] == "href" and not said.startswith("#")
            leads_out = "url(" in said.replace("url(#", "") or "javascript:" in said
            if key.casefold().startswith("on") or is_elsewhere or leads_out:
                refuse(f"has {key} in <{name}>")

    parser = expat.ParserCreate()
    parser.StartElementHandler = begin
    parser.StartDoctypeDeclHandler = lambda *_: refuse("declares a document type")
    parser.ProcessingInstructionHandler = lambda *_: refuse("holds a processing instruction")
    try:
        parser.Parse(data, True)
    except expat.ExpatError:
        refuse("is no picture that is known here")


def _tokens(house: HouseSettings, name: str) -> str:
    colour: str | None = getattr(house, name)
    if colour is None:
        return ""
    return f"--accent: {colour}; --accent-ink: {ink_on(colour)}; --tint: {tint_of(name, colour)};"


_OURS_DARK: Final = "--accent: #7fc6d8; --accent-ink: #0d2229; --tint: #1f3239;"
"""As in static/tokens.css: a light page's colour is not to be read on a dark one."""
