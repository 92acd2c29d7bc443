"""A contact sheet: some of a dataset's pictures with their captions, as one picture to look at."""

from __future__ import annotations

import json
from collections.abc import Iterator
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
#: Lines of a caption.
_MOST_LINES = 12

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
    font = ImageFont.load_default(_FONT_SIZE)
    shown = {number * rows // _PICTURES for number in range(_PICTURES)}
    cells = []
    for number, (picture, row) in enumerate(rows_of(folder)):
        if number in shown:
            stop.check()
            cells.append(_cell(picture, row[caption_column], font))
    lines = [cells[first : first + _IN_A_LINE] for first in range(0, len(cells), _IN_A_LINE)]
    heights = [max(cell.height for cell in line) + 2 * _GAP for line in lines]
    sheet = Image.new("RGB", (_IN_A_LINE * (_SIDE + _GAP) + _GAP, sum(heights) + _GAP), "white")
    top = _GAP
    for line, height in zip(lines, heights, strict=True):
        for number, cell in enumerate(line):
            sheet.paste(cell, (_GAP + number * (_SIDE + _GAP), top))
        top += height
    sheet.save(target, format="PNG")


def _cell(picture: Path, caption: str, font: Font) -> Image.Image:
    """A picture with its name and its caption below."""
    try:
        image = PictureFile(picture.read_bytes(), max_pixels=_MAX_PIXELS).rgb(upright=True)
        image.thumbnail((_SIDE, _SIDE))
        note = picture.name
    except (OSError, RowError) as error:
        image, note = Image.new("RGB", (_SIDE, _SIDE), "lightgray"), f"{picture.name}: {error}"
    lines = _wrapped(printable(" ".join(caption.split())), font)
    cell = Image.new("RGB", (_SIDE, image.height + _TEXT_LINE * (len(lines) + 1) + 3), "white")
    cell.paste(image, ((_SIDE - image.width) // 2, 0))
    drawing = ImageDraw.Draw(cell)
    for number, line in enumerate([_fitting(printable(note), font), *lines]):
        drawing.text((0, image.height + 3 + number * _TEXT_LINE), line, "black" if number else "gray", font)
    return cell


def _wrapped(text: str, font: Font) -> list[str]:
    """The text in lines of a picture's width; what does not fit ends in an ellipsis."""
    words, lines = text.split(), [""]
    for number, word in enumerate(words):
        longer = f"{lines[-1]} {word}".lstrip()
        if not lines[-1] or font.getlength(longer) <= _SIDE:
            lines[-1] = longer
        elif len(lines) < _MOST_LINES:
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
