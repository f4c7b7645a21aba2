"""`image_card`: a title on a coloured card, as social networks show it with a link."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from airflow_provider_vibe.plan.problems import quoted
from airflow_provider_vibe.tools.base import ToolInputError
from airflow_provider_vibe.tools.builtin.images import (
    Colour,
    Glyphs,
    ImageName,
    Pixels,
    Words,
    font_file,
    matplotlib,
    saved_png,
)
from airflow_provider_vibe.tools.decorator import tool

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont

LARGEST = 0.16
"""The size of the title where it is short, as a part of the card's height."""

SMALLEST = 12
"""Pixels; smaller letters cannot be read."""

_SUBTITLE = 0.45
"""The size of the subtitle, as a part of the title's."""


@tool("image_card")
def image_card(
    title: Annotated[Words, Field(min_length=1, description="What stands large on the card.")],
    subtitle: Annotated[Words, Field(description="What stands small below it.")] = "",
    background: Colour = "#1f2937",
    colour: Annotated[
        Colour | None, Field(description="Of the letters; left out: black or white, what stands out.")
    ] = None,
    accent: Annotated[Colour, Field(description="Of the bar at the left.")] = "#f59e0b",
    width: Pixels = 1200,
    height: Pixels = 630,
    name: ImageName = "card.png",
    *,
    context: dict[str, Any],
) -> dict[str, Any]:
    """Draw a card with a title and a subtitle as a PNG file of the node.

    Long texts are broken into lines and drawn smaller until they fit. The same inputs give the same picture.
    Characters that the font (DejaVu Sans) does not have are left out.

    :returns: the reference to the file, as `write_file` gives it, and ``"not_drawn"``, the characters that
        were left out, where there are any.
    :raises ToolInputError: nothing of the title can be drawn, or the texts do not fit.
    :raises MissingLibrary: the extra ``media`` is not installed.
    """
    matplotlib()
    glyphs = Glyphs()
    texts = [glyphs.drawable(title), glyphs.drawable(subtitle)]
    if not texts[0]:
        raise ToolInputError(f"the font has no glyph for any character of the title {quoted(title)}")
    from PIL import Image

    card = Image.new("RGB", (width, height), background)
    _draw(card, texts, colour or _standing_out(background), accent)
    return saved_png(context, name, card, glyphs.missing)


def _draw(card: Image, texts: list[str], colour: str, accent: str) -> None:
    from PIL import ImageDraw

    margin = min(card.width, card.height) // 10
    room = (card.width - 3 * margin, card.height - 2 * margin)
    pen = ImageDraw.Draw(card)
    pen.rectangle((0, 0, margin // 3, card.height), fill=accent)
    blocks = _fitting(texts, room, int(card.height * LARGEST))
    top = (card.height - sum(_height(font, lines) for font, lines in blocks)) // 2
    for font, lines in blocks:
        for line in lines:
            pen.text((2 * margin, top), line, font=font, fill=colour)
            top += _line_height(font)


def _fitting(texts: list[str], room: tuple[int, int], largest: int) -> list[tuple[FreeTypeFont, list[str]]]:
    """The font and the lines of each text, as large as they fit into *room* (width and height)."""
    from PIL import ImageFont

    for size in range(max(largest, SMALLEST), SMALLEST - 1, -2):
        sizes = (size, max(SMALLEST, int(size * _SUBTITLE)))
        fonts = [
            ImageFont.truetype(font_file(is_bold), pixels, layout_engine=ImageFont.Layout.BASIC)
            for is_bold, pixels in zip((True, False), sizes, strict=True)
        ]
        blocks = [(font, _wrapped(text, font, room[0])) for font, text in zip(fonts, texts, strict=True)]
        if sum(_height(font, lines) for font, lines in blocks) <= room[1]:
            return blocks
    raise ToolInputError("title and subtitle do not fit on the card: make them shorter or the card larger")


def _wrapped(text: str, font: FreeTypeFont, width: int) -> list[str]:
    """*text* in lines no longer than *width* pixels; a word that is longer is broken."""
    lines = []
    for paragraph in text.split("\n") if text else ():
        line = ""
        for word in paragraph.split():
            joined = f"{line} {word}".strip()
            if font.getlength(joined) <= width:
                line = joined
                continue
            lines += [line] if line else []
            *whole, line = _broken(word, font, width)
            lines += whole
        lines.append(line)
    return lines


def _broken(word: str, font: FreeTypeFont, width: int) -> list[str]:
    parts = [""]
    for char in word:
        if parts[-1] and font.getlength(parts[-1] + char) > width:
            parts.append("")
        parts[-1] += char
    return parts


def _height(font: FreeTypeFont, lines: list[str]) -> int:
    return _line_height(font) * len(lines)


def _line_height(font: FreeTypeFont) -> int:
    return int(font.size * 1.25)


def _standing_out(background: str) -> str:
    """Black or white, whichever has the higher contrast (WCAG 2.2, relative luminance)."""
    parts = [int(background[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return "#000000" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 else "#ffffff"
