"""Splits: what names of files and folders say, and which split is read."""

from __future__ import annotations

import pytest

from wd14.data.sources.splits import choose_splits, in_usual_order, split_of_file, split_of_folder
from wd14.errors import SplitNotFoundError


@pytest.mark.parametrize(
    ("word", "split"),
    [
        *(("train", "train"), ("Training", "train")),
        *(("validation", "validation"), ("valid", "validation"), ("dev", "validation"), ("VAL", "validation")),
        *(("test", "test"), ("testing", "test"), ("eval", "test"), ("evaluation", "test")),
        *(("trains", None), ("", None)),
    ],
)
def test_words_for_splits(word: str, split: str | None) -> None:
    assert split_of_folder(word) == split


@pytest.mark.parametrize(
    ("path", "split"),
    [
        ("data/train-00000-of-00002.parquet", "train"),
        ("val-00000-of-00001.parquet", "validation"),
        ("my_own.split-00000-of-00001.parquet", "my_own.split"),
        ("test.parquet", "test"),
        ("photos_dev_2.tar", "validation"),
        ("val/a.parquet", "validation"),
        ("train/test-1.parquet", "test"),
        ("test/train/a.tar", "train"),
        ("station.parquet", None),
    ],
)
def test_the_split_in_a_path(path: str, split: str | None) -> None:
    assert split_of_file(path) == split


@pytest.mark.parametrize(
    ("available", "wanted", "chosen"),
    [
        ("test train", "", ["train"]),
        ("b a", "", ["b"]),
        ("b a", "a", ["a"]),
        ("b a", "ALL", ["b", "a"]),
        ("train validation", "val", ["validation"]),
        ("val validation", "validation", ["validation"]),
        ("My", "my", ["My"]),
        ("training test", "", ["training"]),
    ],
)
def test_which_split_is_read(available: str, wanted: str, chosen: list[str]) -> None:
    assert list(choose_splits(dict.fromkeys(available.split()), wanted)) == chosen


def test_a_split_that_is_not_there_is_said_with_those_that_are() -> None:
    with pytest.raises(SplitNotFoundError, match=r"'c'; the source has: b, a\\n \(or all\)"):
        choose_splits({"b": 1, "a\n": 2}, "c")


def test_the_usual_order() -> None:
    assert list(in_usual_order({"b": 1, "test": 2, "a": 3, "train": 4})) == ["train", "test", "b", "a"]
