"""Spellings and wildcards."""

from __future__ import annotations

import fnmatch
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.strategies import AWKWARD_TAGS, spellings, tag_names
from wd14.caption.render import append
from wd14.caption.spelling import KAOMOJI, Spellings, canonical, wildcard_pattern, with_escapes, with_spaces

QUICK = settings(max_examples=80, deadline=None)


@QUICK
@given(tag_names, st.data())
def test_every_spelling_finds_its_tag(name: str, data: st.DataObject) -> None:
    index = Spellings([(name, 1), ("another_tag_(x)", 2)])
    assert index.find(data.draw(spellings(name))) == {1}


@QUICK
@given(tag_names)
def test_what_is_written_is_a_spelling_of_the_tag(name: str) -> None:
    assert canonical(with_escapes(with_spaces(name))) == canonical(name)
    assert with_escapes(with_escapes(name)) == with_escapes(name)


@pytest.mark.parametrize("name", [*KAOMOJI, *(tag for tag in AWKWARD_TAGS if "_" not in tag)])
def test_faces_keep_their_underscores(name: str) -> None:
    assert with_spaces(name) == name


#: Names of wd-v3 whose blanks differ from kohya's, which keeps those of up to three characters.
@pytest.mark.parametrize("name", ["<o>_<o>", "<|>_<|>"])
def test_the_two_faces_that_kohya_takes_apart(name: str) -> None:
    assert with_spaces(name) == name != name.replace("_", " ")


@QUICK
@given(st.text("ab_*?", min_size=1, max_size=8), st.text("ab_", min_size=1, max_size=10))
def test_wildcards_mean_what_they_mean_in_file_names(entry: str, name: str) -> None:
    matched = wildcard_pattern(entry).fullmatch(canonical(name)) is not None
    assert matched == fnmatch.fnmatchcase(canonical(name), canonical(entry))


def test_a_protected_wildcard_is_the_sign_itself() -> None:
    assert wildcard_pattern("a\\*b?").fullmatch("a*bc")
    assert not wildcard_pattern("a\\*b?").fullmatch("axbc")


def test_nothing_that_a_person_or_a_file_wrote_takes_for_ever() -> None:
    start = time.perf_counter()
    assert not wildcard_pattern("*a" * 40 + "*b").fullmatch("a" * 400)
    for existing in ("a" * 300_000, "a " * 150_000, " ." * 150_000, "a. " * 100_000, "a" + " " * 300_000 + "."):
        append(existing, ["solo"], [], ", ")
    assert time.perf_counter() - start < 10
