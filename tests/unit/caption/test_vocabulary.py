"""Leaving out, replacing, expanding, spaces and escapes, trigger words."""

from __future__ import annotations

import pytest

from tests.unit.caption.conftest import CaptionOf

PICTURE = {
    "rating": {"general": 0.8, "explicit": 0.1},
    "general": {"1girl": 0.7, "long_hair": 0.6, "solo": 0.9, ";d": 0.5, "\\m/": 0.5},
    "character": {"saber_(fate)": 0.9, "astolfo_(fate)": 0.95, "gawr_gura_(1st_costume)": 0.88},
}


@pytest.mark.parametrize(
    "entry",
    [
        "saber_(fate)",
        "saber (fate)",
        "saber \\(fate\\)",
        "saber_\\(fate\\)",
        "Saber (Fate)",
        " saber  (fate) ",
        "saber*",
    ],
)
def test_an_undesired_tag_goes_however_it_is_written(caption_of: CaptionOf, entry: str) -> None:
    picture = {"general": {"solo": 0.9}, "character": {"saber_(fate)": 0.9}}
    assert caption_of(picture, undesired_tags=entry).text == "solo"
    assert caption_of(picture, undesired_tags=entry, remove_underscore=True, escape_parentheses=True).text == "solo"


@pytest.mark.parametrize(
    ("entries", "left"),
    [
        ("*_hair", "1girl, bangs, ?, !?, \\m/, [x]"),
        ("*HAIR*", "1girl, bangs, ?, !?, \\m/, [x]"),
        ("?girl", "long_hair, blue_hair, bangs, ?, !?, \\m/, [x]"),
        ("?", "1girl, long_hair, blue_hair, bangs, !?, \\m/, [x]"),
        ("!?", "1girl, long_hair, blue_hair, bangs, ?, \\m/, [x]"),
        ("??", "1girl, long_hair, blue_hair, bangs, ?, !?, \\m/, [x]"),  # an emoticon that the model does not have
        ("*_*", "1girl, long_hair, blue_hair, bangs, ?, !?, \\m/, [x]"),
        ("\\m/, [x]", "1girl, long_hair, blue_hair, bangs, ?, !?"),
        ("[b]angs, [a-z]*", "1girl, long_hair, blue_hair, bangs, ?, !?, \\m/, [x]"),
        ("long\\*, blue\\?hair", "1girl, long_hair, blue_hair, bangs, ?, !?, \\m/, [x]"),
    ],
)
def test_wildcards_and_tags_that_contain_them(caption_of: CaptionOf, entries: str, left: str) -> None:
    tags = ("1girl", "long_hair", "blue_hair", "bangs", "?", "!?", "\\m/", "[x]")
    assert caption_of({"general": dict.fromkeys(tags, 0.9)}, undesired_tags=entries).text == left


def test_only_case_tells_two_tags_apart(caption_of: CaptionOf) -> None:
    picture = {"general": {":d": 0.9, ":D": 0.9, "Solo": 0.9}}
    assert caption_of(picture, undesired_tags=":d").text == ":D, Solo"
    assert caption_of(picture, undesired_tags="solo").text == ":d, :D"


@pytest.mark.parametrize(
    ("undesired", "caption"),
    [
        ("saber_(fate)", "astolfo, fate"),
        ("saber", "fate, astolfo"),
        ("fate", "saber, astolfo"),
        ("*fate*", ""),
    ],
)
def test_undesired_tags_are_looked_for_before_and_after_expansion(
    caption_of: CaptionOf, undesired: str, caption: str
) -> None:
    picture = {"character": {"saber_(fate)": 0.9, "astolfo_(fate)": 0.9}}
    assert caption_of(picture, character_tag_expand=True, undesired_tags=undesired).text == caption


@pytest.mark.parametrize("undesired", ["1girl, smile", "woman, grin"])
def test_undesired_tags_are_looked_for_before_and_after_replacement(caption_of: CaptionOf, undesired: str) -> None:
    picture = {"general": {"1girl": 0.9, "smile": 0.9, "solo": 0.9}}
    replacement = "1girl -> woman\nsmile -> grin"
    assert caption_of(picture, tag_replacement=replacement, undesired_tags=undesired).text == "solo"


def test_an_entry_that_is_a_tag_is_no_wildcard_before_and_after_replacement(caption_of: CaptionOf) -> None:
    picture = {"general": {"ok?": 0.9, "ok!": 0.9, "a": 0.9}}
    assert caption_of(picture, tag_replacement="ok? -> fine", undesired_tags="ok?").text == "ok!, a"
    assert caption_of(picture, tag_replacement="ok? ->\na -> ok?", undesired_tags="ok?").text == "ok!"
    picture = {"general": {"ok!": 0.9, "a": 0.9}}
    assert caption_of(picture, tag_replacement="a -> ok?", undesired_tags="ok?").text == "ok!"


@pytest.mark.parametrize(
    ("replacement", "caption"),
    [
        ("1girl -> woman", "woman, long_hair, solo, ;d, \\m/"),
        ("LONG HAIR -> hair", "1girl, hair, solo, ;d, \\m/"),
        (";d -> wink\n\\m/ -> horns", "1girl, long_hair, solo, wink, horns"),
        ("1girl -> x\nlong_hair -> x\nsolo -> x", "x, ;d, \\m/"),
        ("1girl -> solo\nsolo -> 1girl", "solo, long_hair, 1girl, ;d, \\m/"),
        ("1girl -> solo", "solo, long_hair, ;d, \\m/"),
        ("1girl ->", "long_hair, solo, ;d, \\m/"),
        ("1girl -> a, b", "a, b, long_hair, solo, ;d, \\m/"),
        ("1girl -> a,b, , c", "a,b, c, long_hair, solo, ;d, \\m/"),  # the separator is a comma and a space
        ("1girl -> a,   ,  b", "a, b, long_hair, solo, ;d, \\m/"),
        ("1girl -> long hair", "long hair, solo, ;d, \\m/"),  # the same tag as long_hair
        ("1girl -> x\n1GIRL -> y", "x, long_hair, solo, ;d, \\m/"),  # the first one counts
        ("nothing -> x", "1girl, long_hair, solo, ;d, \\m/"),
        ("1girl -> Woman (Adult)", "Woman (Adult), long_hair, solo, ;d, \\m/"),
    ],
)
def test_replacement(caption_of: CaptionOf, replacement: str, caption: str) -> None:
    assert caption_of({"general": PICTURE["general"]}, tag_replacement=replacement).text == caption


def test_a_replacement_is_written_as_the_user_wrote_it(caption_of: CaptionOf) -> None:
    options = {"remove_underscore": True, "escape_parentheses": True, "tag_replacement": "1girl -> my_girl_(a)"}
    assert caption_of({"general": {"1girl": 0.9, "b_(c)": 0.9}}, **options).text == "my_girl_(a), b \\(c\\)"


@pytest.mark.parametrize(
    ("options", "caption"),
    [
        ({}, "saber_(fate), astolfo_(fate), gawr_gura_(1st_costume)"),
        ({"character_tag_expand": True}, "saber, fate, astolfo, gawr_gura_(1st_costume)"),
        (
            {"character_tag_expand": True, "tag_replacement": "fate -> type-moon"},
            "saber, type-moon, astolfo, gawr_gura_(1st_costume)",
        ),
        (
            {"character_tag_expand": True, "tag_replacement": "saber (fate) -> artoria"},
            "artoria, astolfo, fate, gawr_gura_(1st_costume)",
        ),
        (
            {"character_tag_expand": True, "always_first_tags": "astolfo (fate)"},
            "fate, astolfo, saber, gawr_gura_(1st_costume)",
        ),
    ],
)
def test_expanded_characters(caption_of: CaptionOf, options: dict[str, object], caption: str) -> None:
    assert caption_of({"character": PICTURE["character"]}, **options).text == caption


@pytest.mark.parametrize(
    ("options", "caption"),
    [
        ({"remove_underscore": True}, "long hair, ^_^, |_|, <o>_<o>, a b, \\m/, c (d)"),
        ({"escape_parentheses": True}, "long_hair, ^_^, |_|, <o>_<o>, a_b, \\m/, c_\\(d\\)"),
        (
            {"remove_underscore": True, "escape_parentheses": True},
            "long hair, ^_^, |_|, <o>_<o>, a b, \\m/, c \\(d\\)",
        ),
    ],
)
def test_spaces_and_escapes(caption_of: CaptionOf, options: dict[str, object], caption: str) -> None:
    tags = ("long_hair", "^_^", "|_|", "<o>_<o>", "a_b", "\\m/", "c_(d)")
    assert caption_of({"general": dict.fromkeys(tags, 0.9)}, **options).text == caption


@pytest.mark.parametrize(
    ("options", "caption"),
    [
        ({"trigger_words": "sks woman, my_style"}, "sks woman, my_style, 1girl, solo"),
        ({"trigger_words": "my_style\nsks", "rating": "first"}, "my_style, sks, general, 1girl, solo"),
        ({"trigger_words": "sks", "always_first_tags": "solo"}, "sks, solo, 1girl"),
        ({"trigger_words": "sks, solo"}, "sks, solo, 1girl"),
        ({"trigger_words": "Solo, solo"}, "Solo, 1girl"),
        ({"trigger_words": "sks, my style, SKS, my_style"}, "sks, my style, 1girl, solo"),
        ({"trigger_words": "sks", "thresh": 1}, "sks"),
        ({"trigger_words": "a_b (c)", "remove_underscore": True, "escape_parentheses": True}, "a_b (c), 1girl, solo"),
        ({"trigger_words": "solo", "undesired_tags": "solo"}, "solo, 1girl"),
    ],
)
def test_trigger_words_open_every_caption(caption_of: CaptionOf, options: dict[str, object], caption: str) -> None:
    picture = {"rating": {"general": 0.9}, "general": {"1girl": 0.9, "solo": 0.8}}
    assert caption_of(picture, **options).text == caption


@pytest.mark.parametrize(("separator", "caption"), [(" ", "my girl solo"), ("; ", "my girl; solo")])
def test_a_replacement_is_cut_at_a_visible_separator_only(caption_of: CaptionOf, separator: str, caption: str) -> None:
    options = {"tag_replacement": "1girl -> my girl\nsmile -> my girl", "caption_separator": separator}
    made = caption_of({"general": {"1girl": 0.9, "smile": 0.9, "solo": 0.9}}, **options)
    assert made.text == caption
    assert [text for text, _ in made.tags] == ["my girl", "solo"]


def test_an_undesired_tag_that_is_written_as_another_takes_only_itself_away(caption_of: CaptionOf) -> None:
    picture = {"general": {"a": 0.5, "b": 0.9}}
    caption = caption_of(picture, tag_replacement="a -> x\nb -> x", undesired_tags="b")
    assert caption.scores() == {"x": 0.5}
