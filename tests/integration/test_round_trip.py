"""What was written is what `datasets.load_dataset` loads: names, captions and kept columns of every kind."""

from __future__ import annotations

import io
import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import datasets
import pytest
from PIL import Image

from tests.support.tally import tally
from wd14.data.output_names import safe_name
from wd14.data.report import Tally
from wd14.data.sources.values import as_json, encodable, excerpt
from wd14.data.writer import DatasetWriter, OutputRow
from wd14.types import Destination, InputRow, PictureToSave

PARTS = (
    *("train station", "test1", "valid", "dev-2", "a", "A", "b.tar", "metadata.jsonl", "metadata", "[x]", "[!a]", "**"),
    *("what?", "50%20", "%", "#1", "it's", '"quoted"', " space ", "..", ".hidden", "CON", "é", "e\u0301", "日本", "😀"),
    *("a\nb", "a\u2028b", "a\\b", "https:--x", "x::y", "{1}", "~", "-", "0", "\u202egpj", "a\ud800", "x" * 300),
)
CAPTIONS = (
    *("1girl, solo", "", " ", "null", "None", "true", "1", "1.5", "1e400", "NaN", "[]", "{}", '"', "\\", "\\n", "a\nb"),
    *("a\u2028b\u2029c\x85d", "\x00", "a\x00b", "\x1b[31m", "\ufeff", "猫, 😀, e\u0301", "a,b;c\td\r\ne", "</script>"),
    *("2021-01-01", "2021-01-01 10:00:00", "0000-01-01", "2021-13-01", "lone \ud800", "x" * 20_000, "{'a': 1}", "%s"),
)
COLUMNS = (
    *("label", "text", "caption", "image", "scores", "file_name", "x_file_name", "file_names", "x_file_names", "split"),
    *("x", "x_source", "image_source", "caption_source", "_file_name", "images", "", " ", "a.b", "a/b"),
    *(
        "_type",
        "path",
        "bytes",
        "__index_level_0__",
        "\0",
        "a\0b",
        "a\ud800",
        "a?",
        "a\nb",
        "\u2028",
        "日本",
        "é",
        "e\u0301",
        "X" * 500,
    ),
)
CAPTION_COLUMNS = ("caption", "text", "label", "labels", "file", "split", "__index_level_0__", "a.b", "a b", "_type")
DATES = (
    *("2021-01-01", "2021-01-02T10:00", "2021-01-03 10:00:00Z", "2020-02-29 23:59:59-12:30"),
    *("0000-01-01", "9999-12-31"),
)

Values = Callable[[random.Random, int], Any]

#: Values of a column: those that load as they are, and those that cannot.
KINDS: Mapping[str, Values] = {
    "integer": lambda r, i: r.choice([0, 1, -1, r.getrandbits(50), (1 << 63) - 1, -(1 << 63)]),
    "too large": lambda r, i: r.choice([1, 1 << 63, -(1 << 70), 10**400]),
    "float": lambda r, i: r.choice([0.1, -0.0, 5e-324, 1.7e308, 2.0, float("nan"), float("inf"), r.random()]),
    "integer and float": lambda r, i: r.choice([1, 1.5, 1 << 53, (1 << 53) + 1, None]),
    "boolean": lambda r, i: r.choice([True, False, None]),
    "boolean and integer": lambda r, i: r.choice([True, 1, 0]),
    "text": lambda r, i: r.choice(CAPTIONS),
    "text and number": lambda r, i: r.choice(["1", 1, "a", None]),
    "date": lambda r, i: r.choice(DATES[: r.choice([1, 4, 4, 6])]),
    "date and text": lambda r, i: r.choice([*DATES, "yesterday"]),
    "null": lambda r, i: None,
    "null at first": lambda r, i: None if i < 6 else "text",
    "other at last": lambda r, i: 1 if i < 9 else "text",
    "empty list": lambda r, i: [],
    "empty object": lambda r, i: {},
    "list": lambda r, i: [r.randrange(9) for _ in range(r.randrange(3))],
    "list of text": lambda r, i: r.sample(CAPTIONS, r.randrange(3)),
    "list with null": lambda r, i: r.choice([[None], [None, 1], [1, None], [1], []]),
    "list of mixed": lambda r, i: r.choice([[1, "a"], [1], [[1]], []]),
    "list or scalar": lambda r, i: r.choice([[1], 1]),
    "map": lambda r, i: [("a", r.choice(["x", "y"])), ("b", "z")],
    "mixed map": lambda r, i: [("a", 1), ("b", 2)],
    "boxes": lambda r, i: [[r.random() for _ in range(4)] for _ in range(r.randrange(3))],
    "object": lambda r, i: r.choice([{"a": i, "b": "x"}, {"b": "y", "a": None}, None]),
    "uneven object": lambda r, i: r.choice([{"a": 1}, {"b": 1}, {"a": 1, "b": 2}, {}]),
    "object of mixed": lambda r, i: {"a": r.choice([1, "x", None])},
    "objects": lambda r, i: [{"id": i, "box": [1.5], "sub": {"x": r.choice(["t", None])}}] * r.randrange(3),
    "odd fields": lambda r, i: {r.choice(["", "file_name", "a_file_name", "\0", "_type", "bytes", "a.b"]): "x"},
    "type": lambda r, i: {"_type": [{"a": 1}]},
    "fields of a type": lambda r, i: {"dtype": "int64", "bytes": None, "path": "x"},
    "deep": lambda r, i: nested(r.choice([31, 32, 33, 70])),
    "anything": lambda r, i: r.choice(list(KINDS.values())[:-1])(r, i),
}


def nested(levels: int) -> Any:
    value: Any = 1
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value


@dataclass
class Row:
    name: str
    caption: str
    columns: dict[str, Any] = field(default_factory=dict)
    split: str = "train"
    scores: tuple[tuple[str, float], ...] | None = None


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    datasets.disable_progress_bars()
    yield
    datasets.enable_progress_bars()


def png(number: int) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (1, 1), (number % 256, number // 256, 0)).save(data, format="PNG")
    return data.getvalue()


def write(folder: Path, rows: list[Row], caption_column: str = "caption") -> tuple[Path, list[str], list[str]]:
    """The dataset, its pictures in the order of its rows, and what was said."""
    said: list[str] = []
    place = Destination(parent=folder, name="out", staging=folder)
    writer = DatasetWriter(place, caption_column=caption_column, log=said.append)
    pictures = []
    for number, row in enumerate(rows):
        given = InputRow(number, row.name, row.name, data=b"", columns=row.columns, folder=row.split)
        staged = writer.stage(given, PictureToSave(png(number)))
        pictures.append(writer.add(OutputRow(given, row.caption, staged=staged, scores=row.scores)))
    return Path(writer.finish(Tally().summary(seconds=0, output=None), {})), pictures, said


def load(place: Path) -> dict[str, Any]:
    return dict(datasets.load_dataset("imagefolder", data_dir=str(place), cache_dir=str(place.parent / "cache")))


def same(loaded: Any, written: Any, *, as_dates: bool = False) -> bool:
    """Equal, and of one type; a float may stand for an integer, and if wanted a date for its text."""
    if isinstance(written, list):
        is_list = isinstance(loaded, list) and len(loaded) == len(written)
        pairs = list(zip(loaded, written, strict=True)) if is_list else None
    elif isinstance(written, dict):
        pairs = [(loaded[key], written[key]) for key in written] if is_object(loaded, written) else None
    elif isinstance(written, float):
        return isinstance(loaded, float) and repr(loaded) == repr(written)
    elif as_dates and isinstance(loaded, datetime):
        return loaded == as_date(written)
    else:
        is_alike = type(loaded) is type(written) or (type(loaded) is float and type(written) is int)
        return is_alike and bool(loaded == written)
    return pairs is not None and all(same(*pair, as_dates=as_dates) for pair in pairs)


def is_object(loaded: Any, written: dict[str, Any]) -> bool:
    return isinstance(loaded, dict) and loaded.keys() == written.keys()


def as_date(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found.replace(tzinfo=None) - (found.utcoffset() or timedelta())


def check_column(name: str, loaded: list[Any], written: list[Any], said: list[str]) -> None:
    """Loaded as it was written, or as JSON text or as dates, and this was said."""
    if same(loaded, written):
        return
    if same(loaded, written, as_dates=True):
        what = "Only dates"
    else:
        assert same([json.loads(each) for each in loaded], written), (name, loaded, written)
        what = "Written as JSON text"
    assert excerpt(name) in listed(said, what), (name, said)
    tally(f"columns said: {what}")


def check(folder: Path, rows: list[Row], caption_column: str = "caption") -> None:
    """Writes rows, loads them and compares."""
    place, pictures, said = write(folder, rows, caption_column)
    loaded = load(place)
    splits: dict[str, list[tuple[Row, str, bytes]]] = defaultdict(list)
    for number, (row, picture) in enumerate(zip(rows, pictures, strict=True)):
        splits[row.split].append((row, picture, png(number)))
    assert loaded.keys() == splits.keys()
    kept = {name for row in rows for name in row.columns}
    own = {"image", caption_column} | ({"scores"} if rows[0].scores is not None else set())
    written: dict[str, list[Any]] = {name: [] for name in kept}
    found: dict[str, list[Any]] = defaultdict(list)
    for split, expected in splits.items():
        dataset = loaded[split].cast_column("image", datasets.Image(decode=False))
        assert len(set(dataset.column_names)) == len(dataset.column_names) == len(own) + len(kept)
        for row, (want, picture, data) in zip(dataset, expected, strict=True):
            assert Path(row["image"]["path"]) == place / picture
            assert (place / picture).read_bytes() == data
            assert row[caption_column] == encodable(want.caption)
            for name in kept:
                written[name].append(want.columns.get(name))
            for name in dataset.column_names:
                found[name].append(row[name])
    if "scores" in own:
        in_order = [row for each in splits.values() for row, _, _ in each]
        scores = [[{"tag": tag, "score": score} for tag, score in row.scores or ()] for row in in_order]
        check_column("scores", found["scores"], scores, said)
    renamed = dict(pair.split(" -> ") for pair in listed(said, "Renamed"))
    for name in kept:
        new = renamed.get(excerpt(name), excerpt(name))
        other = next(each for each in found.keys() - own if excerpt(each) == new)
        check_column(other, found[other], written[name], said)
    tally("columns loaded", len(kept))


def listed(said: list[str], opening: str) -> list[str]:
    """What the lines that open so list."""
    return [item for line in said if line.startswith(opening) for item in line.partition(": ")[2].split(", ")]


def generated(seed: int) -> tuple[list[Row], str]:
    """Rows of a dataset of its own for each seed, and the column of its captions."""
    r = random.Random(seed)
    columns = {name: r.choice(list(KINDS.values())) for name in r.sample(COLUMNS, r.randrange(9))}
    share = r.choice([1, 1, 0.7])
    some_splits = r.choice([["train"], ["train"], ["train", "validation"], ["test"], ["train", "validation", "test"]])
    has_scores = r.random() < 0.3
    rows = []
    for number in range(r.choice([1, 2, 5, 12])):
        name = safe_name("".join(r.sample(PARTS, r.choice([1, 1, 2]))) + ".png") or "x.png"
        # A caption of words in every split, since captions that all are dates cannot load as text.
        caption = r.choice(CAPTIONS) if number >= len(some_splits) else "words"
        values = {key: as_json(kind(r, number)) for key, kind in columns.items() if r.random() < share}
        split = some_splits[number] if number < len(some_splits) else r.choice(some_splits)
        tags = tuple((encodable(r.choice(CAPTIONS)), r.random()) for _ in range(r.randrange(3)))
        rows.append(Row(name, caption, values, split, tags if has_scores else None))
    return rows, r.choice(CAPTION_COLUMNS)


def test_a_date_that_python_cannot_hold_is_said(tmp_path: Path) -> None:
    """Loading fails, if all captions are such dates."""
    assert any("trigger_words" in line for line in write(tmp_path, [Row("a.png", "0000-01-01")])[2])


def check_all(folder: Path, seeds: range) -> None:
    for seed in seeds:
        rows, caption_column = generated(seed)
        try:
            check(folder / str(seed), rows, caption_column)
        except Exception as error:
            raise AssertionError(f"set {seed}") from error
        tally("datasets loaded back")


def test_generated_datasets_load_as_they_were_written(tmp_path: Path) -> None:
    check_all(tmp_path, range(60))


@pytest.mark.long
def test_a_thousand_datasets_load_as_they_were_written(tmp_path: Path) -> None:
    check_all(tmp_path, range(60, 1000))


#: `datasets` reads this many bytes at a time, and infers types from the first part.
PART = 10 << 20


#: Values of the early rows and of the last one.
CHANGES: Mapping[str, tuple[Any, Any]] = {
    "text": ("words", "2021-01-01"),
    "number": (1, 1.5),
    "whole": (0.5, 2),
    "late": (None, "x"),
    "list": ([], [1]),
    "object": ({"a": 1}, None),
}


@pytest.mark.parametrize(("over", "names"), [(-1, ["text"]), (0, ["text"]), (1, ["text"]), (1, list(CHANGES))])
def test_what_comes_in_a_later_part_loads_too(tmp_path: Path, over: int, names: list[str]) -> None:
    """The first lines fill a part but for a byte, to the byte, or by a byte more."""
    early, last = ({name: CHANGES[name][which] for name in names} for which in (0, 1))
    rows = [Row(f"{number}.png", "x" * 1_000_000, early) for number in range(11)]
    place, _, _ = write(tmp_path / "measured", rows)
    size = (place / "train" / "metadata.jsonl").stat().st_size
    rows[-1] = Row(rows[-1].name, "x" * (1_000_000 + PART + over - size), early)
    rows += [Row("between.png", "words", early), Row("last.png", "words", last)]
    check(tmp_path / "out", rows)


def test_captions_that_are_only_dates_are_said(tmp_path: Path) -> None:
    """There is no way to write them such that they load as text: a caption must be what a trainer is to read."""
    for words, is_said in ((["2021-01-01", "2021-01-01"], True), (["0000-01-01", ""], False)):
        rows = [Row("a.png", caption) for caption in words]
        place, _, said = write(tmp_path / str(is_said), rows)
        assert any("date" in line and "trigger_words" in line for line in said) == is_said
        assert same(load(place)["train"]["caption"][:], words, as_dates=is_said)


def test_dates_in_one_split_only_are_said(tmp_path: Path) -> None:
    """The splits then have different types, and nothing loads."""
    place, _, said = write(tmp_path, [Row("a.png", "words"), Row("a.png", "2021-01-01", split="test")])
    assert any("trigger_words" in line for line in said)
    with pytest.raises(ValueError, match="different features"):
        load(place)


def test_a_folder_in_which_nothing_is_found_is_said(tmp_path: Path) -> None:
    for name, is_said in (("my [set]", True), ("a b", False), ("50% #1", False)):
        place, _, said = write(tmp_path / name, [Row("a.png", "words")])
        assert any("finds nothing" in line for line in said) == is_said
        if is_said:
            with pytest.raises(FileNotFoundError):
                load(place)
        else:
            assert load(place)["train"]["caption"][:] == ["words"]
