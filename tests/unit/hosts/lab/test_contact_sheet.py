"""The contact sheet: which pictures are on it, and that odd ones do not spoil it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from wd14.errors import JobStoppedError
from wd14.hosts.lab.contact_sheet import save_contact_sheet
from wd14.stop import StopToken

LONG = ", ".join(f"tag_number_{number}" for number in range(300)) + ", " + "x" * 500 + ", 猫\x1b[31m"


def draw(home: Path, colours: list[tuple[int, int, int] | None], caption: str = "solo") -> Image.Image:
    """A sheet of pictures of one colour each; None is a picture that cannot be opened."""
    folder = home / "dataset"
    (folder / "train").mkdir(parents=True)
    with (folder / "train" / "metadata.jsonl").open("w") as metadata:
        for number, colour in enumerate(colours):
            name = f"{number}.png"
            if colour is None:
                (folder / "train" / name).write_bytes(b"no picture")
            else:
                Image.new("RGB", (20, 20), colour).save(folder / "train" / name)
            metadata.write(json.dumps({"file_name": name, "text": caption}) + "\n")
    save_contact_sheet(folder, len(colours), "text", home / "sheet.png", StopToken())
    with Image.open(home / "sheet.png") as sheet:
        return sheet.convert("RGB")


def colours_on(sheet: Image.Image) -> set[tuple[int, int, int]]:
    return {colour for _, colour in sheet.getcolors(1 << 24) or () if isinstance(colour, tuple) and len(colour) == 3}


@pytest.mark.parametrize("number", [1, 24, 25, 200])
def test_24_pictures_are_spread_over_the_dataset(tmp_path: Path, number: int) -> None:
    colours = [(200, each, 99) for each in range(number)]
    on_it = sorted(colours_on(draw(tmp_path, list(colours))) & set(colours))
    assert len(on_it) == min(24, number)
    assert on_it[0] == colours[0]
    assert on_it[-1][1] >= number * 23 // 24


def test_long_captions_and_pictures_that_cannot_be_opened_have_their_place(tmp_path: Path) -> None:
    sheet = draw(tmp_path, [None, (1, 200, 3)], caption=LONG)
    assert (1, 200, 3) in colours_on(sheet)
    assert sheet.height < 700


def test_a_stop_ends_the_drawing(tmp_path: Path) -> None:
    draw(tmp_path, [(1, 2, 3)])
    stop = StopToken()
    stop.request()
    with pytest.raises(JobStoppedError):
        save_contact_sheet(tmp_path / "dataset", 1, "text", tmp_path / "second.png", stop)
