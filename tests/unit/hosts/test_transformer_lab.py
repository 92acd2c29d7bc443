"""Names of datasets, and how a job ended in words."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wd14.config import CaptionConfig
from wd14.errors import ConfigError, SourceNotFoundError
from wd14.hosts.transformer_lab import (
    output_name,
    reason,
    result_words,
    slug,
    stop_words,
)
from wd14.types import Progress, Summary

SUMMARY = Summary(total=500, captioned=400, from_scores=98, failed=2, seconds=1.0, output="x")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("My Captions", "my-captions"),
        ("a  -  b", "a-b"),
        ("snake_case stays", "snake_case-stays"),
        ("Ünïcödé", "unicode"),
        ("../x", "x"),
        ("a/b\\c.d", "abcd"),
        ("-_edges_-", "edges"),
        ("日本", ""),
        ("...", ""),
        ("tab\tand\nline", "tab-and-line"),
    ],
)
def test_slugs_are_the_hosts(name: str, expected: str) -> None:
    assert slug(name) == expected


@given(st.text())
def test_a_slug_is_one_plain_folder_name(name: str) -> None:
    made = slug(name)
    assert slug(made) == made
    assert made.isascii()
    assert made == "" or (Path(made).name == made and len(made) <= 120)
    assert not made.startswith((".", "-"))


def test_an_output_without_a_name_takes_the_sources() -> None:
    assert output_name(CaptionConfig(), "My Pics") == "my-pics_captions"
    assert output_name(CaptionConfig(output_dataset_name="  "), "pics") == "pics_captions"
    assert output_name(CaptionConfig(), "日本") == "dataset_captions"
    assert output_name(CaptionConfig(output_dataset_name="New One"), "pics") == "new-one"


def test_a_name_of_which_nothing_is_left_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"Output Dataset Name \(output_dataset_name\) is '日本'; allowed: a name with"
    ):
        output_name(CaptionConfig(output_dataset_name="日本"), "pics")


def test_the_words_for_an_end() -> None:
    assert result_words(SUMMARY) == "captioned 498 of 500 images, 2 failed"
    progress = Progress(done=12, total=500, failed=0, from_scores=0, images_per_second=1.0, remaining_seconds=None)
    assert stop_words(progress, cache=True).startswith("Stopped after 12 of 500 images. No dataset was written. Their")
    assert stop_words(progress, cache=False) == "Stopped after 12 of 500 images. No dataset was written."
    assert "before the first image" in stop_words(None, cache=True)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (SourceNotFoundError("no\n\nsuch  thing"), "no; such thing"),
        (OSError(errno.ENOSPC, "No space left on device"), "The disk is full"),
        (MemoryError(), "Out of memory: lower Batch Size"),
        (ModuleNotFoundError("No module named 'x'"), "A Python package cannot be imported (No module named 'x')"),
        (ValueError("what"), "ValueError: what"),
        (ValueError("\x1b[2J"), "ValueError: \\x1b[2J"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_reasons_are_one_line_for_a_person(error: BaseException, expected: str) -> None:
    words = reason(error)
    assert words.startswith(expected)
    assert "\n" not in words
