"""Lists, pairs and thresholds as people write them in one field."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.strategies import AWKWARD_TAGS, texts
from wd14.parsing import OFF, parse_list, parse_pairs, parse_thresholds, tag_thresholds_text

QUICK = settings(max_examples=80, deadline=None)


@pytest.mark.parametrize("separator", [",", ", ", " ,", "\n", "\r\n", "\r", ",\n", " , \n "])
def test_commas_and_line_ends_separate_and_nothing_else_does(separator: str) -> None:
    assert parse_list(separator.join(AWKWARD_TAGS)) == AWKWARD_TAGS


@pytest.mark.parametrize(
    ("value", "items"),
    [
        (None, ()),
        ("", ()),
        (" , ,\n", ()),
        ("['a', 'b']", ("a", "b")),
        (str(list(AWKWARD_TAGS)), AWKWARD_TAGS),
        (r"['\m/', 'a']", ("\\m/", "a")),
        ('["a", "b"]', ("a", "b")),
        ("[x],[y]", ("[x]", "[y]")),
        ("[2021, 'a']", ("2021", "a")),
        (r"a\,b,c", ("a,b", "c")),
        (["a", " b ", ""], ("a", "b")),
        (("a,b",), ("a,b",)),
        ("[]", ()),
    ],
)
def test_a_list_in_its_forms(value: Any, items: tuple[str, ...]) -> None:
    assert parse_list(value) == items


@pytest.mark.parametrize("value", [5, {"a": 1}, b"a", [None], [["a"]], [True], "[None]", "[['a']]"])
def test_what_is_no_list_of_texts_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="expected a"):
        parse_list(value)


@QUICK
@given(st.lists(texts.filter(bool)))
def test_a_typed_list_and_its_text_come_back_as_they_are(items: list[str]) -> None:
    assert parse_list(items) == tuple(items)
    assert parse_list(str(items)) == tuple(items)


@QUICK
@given(st.lists(texts.filter(lambda text: text and text[0] not in "[" and text[-1] != "\\" and "\\," not in text)))
def test_a_list_written_with_commas_comes_back(items: list[str]) -> None:
    assert parse_list(", ".join(item.replace(",", "\\,") for item in items)) == tuple(items)


@pytest.mark.parametrize(
    ("value", "pairs"),
    [
        (None, ()),
        ("", ()),
        ("a -> b", (("a", "b"),)),
        ("a -> b\nc -> d\r\n\n", (("a", "b"), ("c", "d"))),
        ("a->b\rc ->  d ", (("a", "b"), ("c", "d"))),
        ("aa,bb -> AA,BB", (("aa,bb", "AA,BB"),)),
        ("a ->", (("a", ""),)),
        (";d -> wink", ((";d", "wink"),)),
        ("a -> ;d\n;) -> x", (("a", ";d"), (";)", "x"))),
        (r"\m/ -> horns", (("\\m/", "horns"),)),
        (r"a \-> b -> c", (("a -> b", "c"),)),
        ("a -> b, c", (("a", "b, c"),)),
        ({"a": "b"}, (("a", "b"),)),
        ([("a", "b"), ["c", ""]], (("a", "b"), ("c", ""))),
        (["a -> b", ""], (("a", "b"),)),
        ("['a -> b', 'c -> d']", (("a", "b"), ("c", "d"))),
        ("[['a', 'b']]", (("a", "b"),)),
    ],
)
def test_pairs_in_their_forms(value: Any, pairs: tuple[tuple[str, str], ...]) -> None:
    assert parse_pairs(value) == pairs


@pytest.mark.parametrize("tag", AWKWARD_TAGS)
def test_an_awkward_tag_can_be_replaced_and_be_a_target(tag: str) -> None:
    assert parse_pairs(f"{tag} -> x\ny -> {tag}") == ((tag, "x"), ("y", tag))


@pytest.mark.parametrize(
    "value",
    ["x", "-> b", "a,b", "a -> b; c -> d", "a -> b -> c", 5, b"a", [5], [("a",)], [("", "b")], [b"ab"]],
)
def test_what_is_no_pair_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_pairs(value)


def _written(text: str) -> str:
    return text.replace("->", "\\->")


@QUICK
@given(st.lists(st.tuples(texts.filter(bool), texts)))
def test_pairs_come_back_from_their_text(pairs: list[tuple[str, str]]) -> None:
    pairs = [pair for pair in pairs if not any("\\" in side or side[:1] in ("[", "{") for side in pair)]
    text = "\n".join(f"{_written(source)} -> {_written(target)}" for source, target in pairs)
    assert parse_pairs(text) == tuple(pairs)
    assert parse_pairs(pairs) == tuple(pairs)
    assert parse_pairs(str(pairs)) == tuple(pairs)


@pytest.mark.parametrize(
    ("value", "thresholds"),
    [
        (None, {}),
        ("", {}),
        ("copyright=0.5, artist=0.4, meta=off", {"copyright": 0.5, "artist": 0.4, "meta": OFF}),
        ("copyright: .5; Artist = 1\nmeta=OFF", {"copyright": 0.5, "artist": 1.0, "meta": OFF}),
        ("{'copyright': 0.5, 'meta': 'off'}", {"copyright": 0.5, "meta": OFF}),
        ({"copyright": "0.5", "meta": OFF}, {"copyright": 0.5, "meta": OFF}),
        (["copyright=0.5"], {"copyright": 0.5}),
    ],
)
def test_thresholds_in_their_forms(value: Any, thresholds: dict[str, float]) -> None:
    assert parse_thresholds(value) == thresholds


@pytest.mark.parametrize(
    "value", ["copyright", "copyright=", "copyright=2", "copyright=-1", "=1", "a=nan", "a=x", {"a": True}, 5, {"": 1}]
)
def test_a_threshold_that_is_none_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_thresholds(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("wet hair=0.6, smile=+0.1\nblurry=off", "wet hair=0.6, smile=+0.1, blurry=off"),
        ("=_==0.5, a\\,b=-0.05,", "=_==0.5, a\\,b=-0.05"),
        ({"a,b": 0.5, "smile": "+0.1"}, "a\\,b=0.5, smile=+0.1"),
        (str({"smile": 0.5}), "smile=0.5"),
        (["a=1", "b=0"], "a=1, b=0"),
        ("~/mine.csv", "~/mine.csv"),
        ("a=0.5\nb.csv=0.4", "a=0.5, b.csv=0.4"),
        ("", ""),
    ],
)
def test_thresholds_by_tag_are_one_line(value: Any, text: str) -> None:
    assert tag_thresholds_text(value) == text
    assert tag_thresholds_text(text) == text


@pytest.mark.parametrize(
    "value",
    ["smile", "smile=", "=0.5", "smile=2", "smile=+1.5", "smile=+off", "smile=nan", "smile=true", "mine.txt", 5, {1}],
)
def test_what_is_no_threshold_of_a_tag_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="expected"):
        tag_thresholds_text(value)
