"""A contact sheet: some of a dataset's pictures with their captions, as one picture to look at."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from wd14.errors import RowError
from wd14.images.opening import PictureFile
from wd14.stop import StopToken
from wd14.text import printable

#: Pictures on a sheet, and in one of its lines.
_PICTURES = 24
_IN_A_LINE = 4

# Pixels. A sheet is about as wide as the page that shows it, so its text can be read.
_SIDE = 300
_GAP = 12
_FONT_SIZE = 14
_TEXT_LINE = 17
#: Lines of text below a picture: its name and its caption.
_TEXT_LINES = 8

#: Larger pictures are left out: the sheet is not worth their memory.
_MAX_PIXELS = 100_000_000

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def rows_of(folder: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    """Each row of a dataset that the job has written: its picture, and its line of `metadata.jsonl`."""
    for metadata in sorted(folder.glob("*/metadata.jsonl")):
        with metadata.open(encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                yield metadata.parent / row["file_name"], row


def save_contact_sheet(folder: Path, rows: int, caption_column: str, target: Path, stop: StopToken) -> None:
    """Draws a sheet of up to 24 pictures, spread evenly over the dataset, and saves it as PNG.

    Args:
        folder: the dataset.
        rows: number of its pictures.
        caption_column: its column of captions.
        target: the file to write.
        stop: ends the drawing.

    Raises:
        JobStoppedError: the job is to stop.
        OSError: the file cannot be written.
    """
    shown = list(islice(rows_of(folder), 0, None, max(1, -(-rows // _PICTURES))))
    line_height = _SIDE + _TEXT_LINES * _TEXT_LINE + _GAP
    size = (_IN_A_LINE * (_SIDE + _GAP) + _GAP, -(-len(shown) // _IN_A_LINE) * line_height + _GAP)
    sheet = Image.new("RGB", size, "white")
    font = ImageFont.load_default(_FONT_SIZE)
    for number, (picture, row) in enumerate(shown):
        stop.check()
        left = _GAP + number % _IN_A_LINE * (_SIDE + _GAP)
        top = _GAP + number // _IN_A_LINE * line_height
        _draw(sheet, (left, top), picture, row[caption_column], font)
    sheet.save(target, format="PNG")


def _draw(sheet: Image.Image, corner: tuple[int, int], picture: Path, caption: str, font: Font) -> None:
    left, top = corner
    drawing = ImageDraw.Draw(sheet)
    try:
        image = PictureFile(picture.read_bytes(), max_pixels=_MAX_PIXELS).rgb(upright=True)
        image.thumbnail((_SIDE, _SIDE))
        sheet.paste(image, (left + (_SIDE - image.width) // 2, top + _SIDE - image.height))
    except (OSError, RowError) as error:
        drawing.text((left, top + _SIDE - _TEXT_LINE), _fitting(f"Not shown: {error}", font), "gray", font)
    top += _SIDE + 3
    drawing.text((left, top), _fitting(printable(picture.name), font), "gray", font)
    for number, line in enumerate(_wrapped(printable(" ".join(caption.split())), font), start=1):
        drawing.text((left, top + number * _TEXT_LINE), line, "black", font)


def _wrapped(text: str, font: Font) -> list[str]:
    """The text in lines of a picture's width; what does not fit ends in an ellipsis."""
    words, lines = text.split(), [""]
    for number, word in enumerate(words):
        longer = f"{lines[-1]} {word}".lstrip()
        if not lines[-1] or font.getlength(longer) <= _SIDE:
            lines[-1] = longer
        elif len(lines) < _TEXT_LINES - 2:
            lines.append(word)
        else:
            lines[-1] = " ".join([lines[-1], *words[number:]])
            break
    return [_fitting(line, font) for line in lines]


def _fitting(text: str, font: Font) -> str:
    """The text's beginning that fits a picture's width."""
    text = text[:_SIDE]
    if font.getlength(text) <= _SIDE:
        return text
    while font.getlength(text + "…") > _SIDE:
        text = text[:-1]
    return text + "…"
