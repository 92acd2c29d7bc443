"""Spellings and wildcards."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.strategies import AWKWARD_TAGS, spellings, tag_names
from wd14.caption.render import append
from wd14.spelling import KAOMOJI, Spellings, canonical, wildcard_pattern, with_escapes, with_spaces

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
def test_emoticons_keep_their_underscores(name: str) -> None:
    assert with_spaces(name) == name


@pytest.mark.parametrize("name", ["<o>_<o>", "<|>_<|>"])
def test_the_two_emoticons_that_kohya_takes_apart(name: str) -> None:
    assert with_spaces(name) == name != name.replace("_", " ")


@pytest.mark.parametrize(
    ("entry", "matched", "others"),
    [
        ("a*c", ["ac", "abc", "a_b_c", "A(C"], ["abcd", "bac"]),
        ("a?c", ["abc", "a_c", "a?c"], ["ac", "abbc"]),
        ("**b**", ["b", "abc"], ["a"]),
        ("a b*", ["a_b", "a_bc"], ["ab"]),
        ("a\\*b?", ["a*bc"], ["axbc", "a*b"]),
        ("a\\?", ["a?"], ["ab"]),
        ("[ab]*", ["[ab]", "[ab]c"], ["a", "ac"]),
        ("saber \\(*", ["saber_(fate)"], ["saber"]),
    ],
)
def test_wildcards(entry: str, matched: list[str], others: list[str]) -> None:
    found = Spellings((name, name) for name in (*matched, *others)).match(entry)
    assert found == set(matched)


def test_no_entry_and_no_caption_takes_forever() -> None:
    start = time.perf_counter()
    assert not wildcard_pattern("*a" * 40 + "*b").fullmatch("a" * 400)
    for existing in ("a" * 300_000, "a " * 150_000, " ." * 150_000, "a. " * 100_000, "a" + " " * 300_000 + "."):
        append(existing, ["solo"], [], ", ")
    assert time.perf_counter() - start < 10
