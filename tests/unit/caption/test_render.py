"""Appending to the caption that a picture has."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.strategies import SEPARATORS, tag_names
from tests.unit.caption.conftest import CaptionOf
from wd14.caption.captioner import split_caption
from wd14.caption.render import append

PICTURE = {"general": {"1girl": 0.9, "long_hair": 0.8, "solo": 0.7}}


@pytest.mark.parametrize(
    ("existing", "caption"),
    [
        (None, "1girl, long_hair, solo"),
        ("", "1girl, long_hair, solo"),
        (" \n", "1girl, long_hair, solo"),
        ("solo", "solo, 1girl, long_hair"),
        ("my cat, solo\n", "my cat, solo, 1girl, long_hair"),
        ("my cat,solo ,, x,", "my cat, solo, x, 1girl, long_hair"),  # as kohya does
        ("long hair, Solo", "long hair, Solo, 1girl"),  # in whichever spelling
        ("a, a", "a, a, 1girl, long_hair, solo"),  # what is there stays as it is
        ("A girl walks home.", "A girl walks home., 1girl, long_hair, solo"),
        (
            "A tall girl,by night. She has 1,000 yen.",
            "A tall girl,by night. She has 1,000 yen., 1girl, long_hair, solo",
        ),
        ("A tall girl walks, by night.", "A tall girl walks, by night., 1girl, long_hair, solo"),
    ],
)
def test_what_is_there_comes_first_and_stays(caption_of: CaptionOf, existing: str | None, caption: str) -> None:
    assert caption_of(PICTURE, existing=existing, append_tags=True).text == caption


def test_without_the_option_the_old_caption_does_not_count(caption_of: CaptionOf) -> None:
    assert caption_of(PICTURE, existing="my cat").text == "1girl, long_hair, solo"


@pytest.mark.parametrize(
    ("existing", "caption"),
    [
        ("my cat", "sks, my cat, 1girl, long_hair, solo"),
        ("my cat, SKS", "sks, my cat, 1girl, long_hair, solo"),
        ("A tall girl walks.", "sks, A tall girl walks., 1girl, long_hair, solo"),
        ("sks, A tall girl walks.", "sks, A tall girl walks., 1girl, long_hair, solo"),
    ],
)
def test_trigger_words_stand_before_what_is_there(caption_of: CaptionOf, existing: str, caption: str) -> None:
    assert caption_of(PICTURE, existing=existing, append_tags=True, trigger_words="sks").text == caption


def test_an_escaped_tag_is_the_same_tag(caption_of: CaptionOf) -> None:
    picture = {"character": {"saber_(fate)": 0.9}}
    options = {"append_tags": True, "remove_underscore": True}
    assert caption_of(picture, existing="saber \\(fate\\)", **options).text == "saber \\(fate\\)"


def test_scores_are_told_of_tags_that_were_there_too(caption_of: CaptionOf) -> None:
    caption = caption_of(PICTURE, existing="solo", append_tags=True)
    assert caption.scores() == {"1girl": 0.9, "long_hair": 0.8, "solo": 0.7}


@pytest.mark.parametrize(
    ("text", "separator", "tags"),
    [
        ("a, b,c ,,", ", ", ["a", "b", "c"]),
        ("a | b", " | ", ["a", "b"]),
        ("a\nb\n\n", "\n", ["a", "b"]),
        ("a b  c", " ", ["a", "b", "c"]),
        ("", ", ", []),
    ],
)
def test_a_caption_is_cut_at_its_separator(text: str, separator: str, tags: list[str]) -> None:
    assert split_caption(text, separator) == tags


@pytest.mark.parametrize(("separator", "existing"), [("\n", "b\na\n"), (" ", "b  a"), ("; ", "b;a")])
def test_appending_with_other_separators(caption_of: CaptionOf, separator: str, existing: str) -> None:
    picture = {"general": {"a": 0.9, "c": 0.9}}
    caption = caption_of(picture, existing=existing, append_tags=True, caption_separator=separator)
    assert caption.text == separator.join("bac")


def test_scores_have_four_digits(caption_of: CaptionOf) -> None:
    assert caption_of({"general": {"solo": 0.654321}}).scores() == {"solo": 0.6543}


#: Also separators that stand inside tags and words, that overlap with themselves, of blanks only, and none.
separators = st.one_of(
    st.sampled_from([*SEPARATORS, ". ", ".", "--", " - ", "  ", "\n\n", " ", "", "a", ", ,", ";;", " BREAK ", ",, "]),
    st.text(",;_-|. ab\n", min_size=1, max_size=3),
)
words = st.one_of(tag_names, st.sampled_from(["m.u.g.e.n", "long hair", "a-", "b", "-a", "a,b", "a, b", "A b."]))
people_write = st.lists(
    st.one_of(words, separators, st.sampled_from(["A girl walks home.", "Mr. Cat", ",", " ", "\u3000"]))
).map("".join)


@settings(max_examples=300, deadline=None)
@given(people_write, st.lists(words, unique=True, max_size=6), st.lists(words, unique=True, max_size=2), separators)
def test_appending_twice_is_appending_once(existing: str, tags: list[str], triggers: list[str], separator: str) -> None:
    once = append(existing, tags, triggers, separator)
    assert append(once, tags, triggers, separator) == once


@settings(max_examples=100, deadline=None)
@given(people_write, st.lists(words, unique=True, max_size=6), separators)
def test_what_a_person_wrote_stands_before_the_tags(existing: str, tags: list[str], separator: str) -> None:
    made = append(existing, tags, [], separator)
    assert made.startswith((existing.strip(), separator.join(split_caption(existing, separator))))


@pytest.mark.parametrize(
    ("separator", "existing", "caption"),
    [
        ("_", "my_cat", "my_cat_long hair_solo"),
        (". ", "m.u.g.e.n. cat", "m.u.g.e.n. cat. long hair. solo"),
        (" ", "a  cat", "a cat long hair solo"),
        ("", "a cat", "a catlong hairsolo"),
        ("--", "cat-", "cat---long hair--solo"),
        ("; ", "A girl; by night.", "A girl; by night.; long hair; solo"),
    ],
)
def test_what_is_there_stays_with_every_separator(separator: str, existing: str, caption: str) -> None:
    assert append(existing, ["long hair", "solo"], [], separator) == caption
    assert append(caption, ["long hair", "solo"], [], separator) == caption
