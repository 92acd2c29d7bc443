"""Which tag a misspelled word may mean."""

from __future__ import annotations

import pytest

from wd14.curation.checks.suggestions import Suggestions

TAGS = ("long_hair", "white_dress", "black_dress", "smile", "sitting", "cat", "rocket")


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("lnog_hair", "long_hair"),
        ("long_hiar", "long_hair"),
        ("longhair", "long_hair"),
        ("long_hairs", "long_hair"),
        ("dress_white", "white_dress"),
        ("siting", "sitting"),
        ("smlie", "smile"),
        ("miku", None),
        ("car", None),  # too short to be told from cat
        ("short_hair", None),
        ("pocket_watch", None),
    ],
)
def test_the_tag_that_is_meant(word: str, meant: str | None) -> None:
    assert Suggestions(TAGS).for_word(word) == meant
