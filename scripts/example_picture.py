"""Makes docs/example.png: photographs that scikit-image ships, and the captions that the built-in model gives them.

.venv-demo/bin/python -m scripts.example_picture
"""

from __future__ import annotations

import textwrap
from pathlib import Path

import skimage.data
from PIL import Image, ImageDraw, ImageFont

import wd14

NAMES = ("astronaut", "coffee", "rocket", "chelsea")
SIDE, MARGIN, TEXT = 200, 16, 48


def main() -> None:
    """Writes the picture."""
    pictures = [Image.fromarray(getattr(skimage.data, name)()) for name in NAMES]
    captions = [tags.caption() for tags in wd14.tag(pictures, "builtin/colours", cache=False)]
    width = MARGIN + len(NAMES) * (SIDE + MARGIN)
    sheet = Image.new("RGB", (width, 2 * MARGIN + SIDE + TEXT), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for number, (name, picture, caption) in enumerate(zip(NAMES, pictures, captions, strict=True)):
        left = MARGIN + number * (SIDE + MARGIN)
        picture.thumbnail((SIDE, SIDE))
        sheet.paste(picture, (left, MARGIN + SIDE - picture.height))
        draw.text((left, SIDE + MARGIN + 8), f"{name}.png", fill="black", font=font)
        words = "\n".join(textwrap.wrap(caption or "(no tag above the threshold)", 30))
        draw.text((left, SIDE + MARGIN + 28), words, fill=(40, 90, 160), font=font)
    sheet.quantize(128).save(Path(__file__).parents[1] / "docs" / "example.png", optimize=True)


if __name__ == "__main__":
    main()
