"""What the image tools share: colours, sizes, the font, and the file that comes out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from airflow_provider_vibe.plan.problems import VibeError
from airflow_provider_vibe.tools.artifacts import save_artifact

if TYPE_CHECKING:
    from types import ModuleType

    from PIL.Image import Image

Colour = Annotated[str, Field(pattern="^#[0-9A-Fa-f]{6}$", description="A colour, e.g. '#1f6feb'.")]
Pixels = Annotated[int, Field(ge=100, le=4000, description="Pixels.")]
ImageName = Annotated[
    str, Field(min_length=5, max_length=200, pattern=r"\.png$", description="The name of the file.")
]
Words = Annotated[str, Field(max_length=300)]

FONT = "DejaVuSans"
"""Comes with matplotlib, so that a picture looks the same on every machine."""


class MissingLibrary(VibeError, ImportError):
    """A library that a tool needs is not installed."""


def matplotlib() -> ModuleType:
    """The library, which comes with the extra ``media``.

    :raises MissingLibrary: it is not installed.
    """
    try:
        import matplotlib
    except ImportError as error:
        raise MissingLibrary(
            f"pictures need the extra 'media' (pip install 'airflow-provider-vibe[media]'): {error}"
        ) from error
    return matplotlib


def font_file(is_bold: bool = False) -> Path:
    """The file of :data:`FONT`."""
    return Path(matplotlib().get_data_path(), "fonts", "ttf", f"{FONT}{'-Bold' if is_bold else ''}.ttf")


class Glyphs:
    """Which characters can be drawn; the others are left out of a picture, and told."""

    def __init__(self) -> None:
        from fontTools.ttLib import TTFont

        self._known = set(TTFont(font_file()).getBestCmap()) & set(TTFont(font_file(True)).getBestCmap())
        self.missing: dict[str, None] = {}

    def drawable(self, text: str) -> str:
        """*text* on as many lines, without what the font has no glyph for."""
        lines = (" ".join(line.split()) for line in text.splitlines())
        kept = "\n".join("".join(filter(self._is_drawable, line)) for line in lines)
        return re.sub(" {2,}", " ", kept).strip()

    def _is_drawable(self, char: str) -> bool:
        if ord(char) in self._known and char.isprintable():
            return True
        self.missing[char] = None
        return False


def saved_png(
    context: Mapping[str, Any], name: str, image: bytes | Image, missing: Iterable[str]
) -> dict[str, Any]:
    """The image as a file of the node.

    :param context: the tool context.
    :param name: of the file.
    :param image: PNG, or a picture that becomes it.
    :param missing: characters that could not be drawn.
    :returns: the reference to the file, and ``{"not_drawn": [characters]}`` where there are any.
    """
    if not isinstance(image, bytes):
        buffer = BytesIO()
        image.save(buffer, format="PNG")
        image = buffer.getvalue()
    reference = save_artifact(context, name, image, "image/png")
    left_out = list(missing)
    return {**reference, "not_drawn": left_out} if left_out else reference
