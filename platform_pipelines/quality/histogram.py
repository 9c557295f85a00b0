"""A small histogram as a PNG, to be shown in a line of text."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

#: pixels
WIDTH, HEIGHT = 160, 32
_INK, _PAPER = (79, 67, 221), (255, 255, 255)


def png(bars: Sequence[int]) -> bytes:
    """Bars side by side, the highest as high as the image; one that is not 0 is one pixel high at least."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (WIDTH, HEIGHT), _PAPER)
    draw = ImageDraw.Draw(image)
    highest = max(bars, default=0)
    for index, bar in enumerate(bars):
        left, right = index * WIDTH // len(bars), (index + 1) * WIDTH // len(bars) - 2
        if bar and right >= left:
            draw.rectangle((left, HEIGHT - max(1, bar * HEIGHT // highest), right, HEIGHT - 1), fill=_INK)
    out = io.BytesIO()
    image.quantize(2).save(out, "PNG", optimize=True)
    return out.getvalue()
