"""Tags put into a caption that is there already, in a style."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.strategies import CHARACTER_TAGS, PLAIN_TAGS, tag_names
from tests.unit.caption.conftest import CaptionOf
from tests.unit.caption.test_caption_properties import caption_of as captioned
from tests.unit.caption.test_caption_properties import pictures
from wd14.types import FloatArray, Labels

PICTURE = {
    "rating": {"general": 0.9, "explicit": 0.1},
    "general": {"long_hair": 0.7, "1girl": 0.95, "solo": 0.9, "smile": 0.1},
    "character": {"saber_(fate)": 0.9},
}
SENTENCE = "A girl stands in the rain, holding an umbrella. She smiles."


@pytest.mark.parametrize(
    ("existing", "caption"),
    [
        ("", "1girl, saber (fate), fate, safe, long hair, solo"),
        ("red scarf, Solo, saber_(fate)", "1girl, saber_(fate), fate, safe, red scarf, Solo, long hair"),
        ("general, smile", "1girl, saber (fate), fate, general, smile, long hair, solo"),
        (SENTENCE, f"1girl, saber (fate), fate, safe, long hair, solo. {SENTENCE}"),
        (f"red scarf, solo. {SENTENCE}", f"1girl, saber (fate), fate, safe, red scarf, solo, long hair. {SENTENCE}"),
        (f"red scarf. {SENTENCE}", f"1girl, saber (fate), fate, safe, long hair, solo. red scarf. {SENTENCE}"),
        (f"{SENTENCE}, red scarf", f"1girl, saber (fate), fate, safe, red scarf, long hair, solo. {SENTENCE}"),
        (f"smile, {SENTENCE}", f"1girl, saber (fate), fate, safe, smile, long hair, solo. {SENTENCE}"),
        (
            "solo, a girl stands in the rain, holding an umbrella.",
            "1girl, saber (fate), fate, safe, solo, long hair. a girl stands in the rain, holding an umbrella.",
        ),
        (
            "A girl with dark brown eyes, long hair. She smiles.",
            "1girl, saber (fate), fate, safe, long hair, solo. A girl with dark brown eyes, long hair. She smiles.",
        ),
        ("1girl, solo, long hair.", "1girl, saber (fate), fate, safe, solo, long hair."),
        ("smile, mr. Squeaks", "1girl, saber (fate), fate, safe, smile, mr. Squeaks, long hair, solo"),
        (
            "red scarf, hat\nA girl\nstands.",
            "1girl, saber (fate), fate, safe, red scarf, hat, long hair, solo. A girl stands.",
        ),
        ("my thing\nSolo\nred scarf", "1girl, saber (fate), fate, safe, my thing, Solo, red scarf, long hair"),
        ("A girl with\nlong hair", "1girl, saber (fate), fate, safe, A girl with long hair, long hair, solo"),
        ("solo.\nA girl\nstands.", "1girl, saber (fate), fate, safe, solo, long hair. A girl stands."),
        ("solo, smile\nA girl\nstands.", "1girl, saber (fate), fate, safe, solo, smile, long hair. A girl stands."),
    ],
)
def test_tags_go_to_their_slots_and_sentences_last(caption_of: CaptionOf, existing: str, caption: str) -> None:
    options = {"append_tags": True, "caption_style": "animagine"}
    assert caption_of(PICTURE, existing=existing, **options).text == caption
    assert caption_of(PICTURE, existing=caption, **options).text == caption


@pytest.mark.parametrize(
    ("options", "existing", "caption"),
    [
        ({"trigger_words": "sks, solo"}, "smile, SKS. It rains today.", "sks, solo, safe, smile. It rains today."),
        ({"always_first_tags": "smile"}, "solo, smile", "smile, safe, solo"),
        ({"caption_separator": "\n"}, "solo\nmy thing", "safe\nsolo\nmy thing"),
        ({"caption_separator": " "}, "my thing  here", "my thing here safe solo"),
        ({"caption_separator": " | "}, "a, b | solo", "safe | a, b | solo"),
        ({"undesired_tags": "safe"}, "safe", "safe, solo"),
        ({"tag_replacement": "solo -> alone"}, "solo", "safe, solo"),
        ({"rating": "none"}, "\nmy\r\nthing\u2028\n", "my thing, solo"),
    ],
)
def test_the_users_options_hold_there_too(
    caption_of: CaptionOf, options: dict[str, Any], existing: str, caption: str
) -> None:
    picture = {"rating": {"general": 0.9}, "general": {"solo": 0.9, "smile": 0.1}}
    values = {"append_tags": True, "caption_style": "noobai", **options}
    assert caption_of(picture, existing=existing, **values).text == caption
    assert caption_of(picture, existing=caption, **values).text == caption


SENTENCES = (
    *("A girl stands in the rain.", "a cat sits here, on a mat. It purrs.", "Rain", "mr. Squeaks is here. ", "No. 5"),
    *("my thing. Big eyes", "She has long hair, white shirt. He is a cat.", "solo.", "1,000 yen. ", '"Hello there."'),
)
pieces = st.one_of(st.sampled_from(SENTENCES), tag_names, st.sampled_from((*PLAIN_TAGS, *CHARACTER_TAGS, "safe")))
joints = st.sampled_from([", ", ". ", " ", "\n", ",", ".,\n", " , "])
existing_captions = st.lists(st.tuples(pieces, joints), max_size=6).map(lambda pairs: "".join(map("".join, pairs)))
STYLES = st.sampled_from(["animagine", "illustrious", "noobai", "pony", "anima"])
own_options = st.fixed_dictionaries(
    {"caption_style": STYLES, "append_tags": st.just(True)},
    optional={
        "caption_separator": st.sampled_from([",", "; ", " | ", " "]),
        "trigger_words": st.sampled_from([("sks",), ("sks", "solo")]),
        "tag_order": st.sampled_from(["score", "alphabetical"]),
        "remove_underscore": st.booleans(),
        "escape_parentheses": st.booleans(),
        "character_tag_expand": st.booleans(),
        "character_tags_first": st.booleans(),
        "rating": st.sampled_from(["none", "last"]),
        "thresh": st.sampled_from([0.0, 0.9]),
    },
)


@settings(max_examples=300, deadline=None)
@given(pictures(), own_options, existing_captions)
def test_merging_loses_nothing_and_twice_is_once(
    picture: tuple[Labels, FloatArray], options: dict[str, Any], existing: str
) -> None:
    once, _ = captioned(picture, options, existing)
    twice, _ = captioned(picture, options, once)
    assert twice == once
    assert len(once.splitlines()) <= 1
    if "trigger_words" not in options:  # which replace what is spelled like them
        assert not Counter(filter(str.isalnum, existing)) - Counter(filter(str.isalnum, once))
        assert all(word in once for word in re.split(r"[\s,.;|]+", existing))
