"""Captions that fit into a number of tokens: what is left out, and what never is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.strategies import SEPARATORS, tag_names
from tests.unit.caption.conftest import CaptionOf
from wd14.caption.token_budget import TokenBudget
from wd14.caption.tokens import EstimatedTokens

PICTURE = {
    "rating": {"general": 0.9, "explicit": 0.1},
    "general": {"1girl": 0.4, "solo": 0.36, "smile": 0.9, "hat": 0.5, "shirt": 0.7, "sky": 0.5},
    "character": {"saber_(fate)": 0.9},
    "copyright": {"fate": 0.4},
}


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(tag_names, st.integers(0, 9), st.booleans()), max_size=20, unique_by=lambda tag: tag[0]),
    st.integers(1, 60),
    st.sampled_from(SEPARATORS),
)
def test_no_tag_too_many_is_left_out_and_none_too_few(
    tags: list[tuple[str, int, bool]], limit: int, separator: str
) -> None:
    texts = [text for text, _, _ in tags]
    written = {place: score / 10 for place, (_, score, _) in enumerate(tags)}
    droppable = {place for place, (_, _, free) in enumerate(tags) if free}
    asked: list[str] = []

    class Counter(EstimatedTokens):
        def __call__(self, text: str) -> int:
            asked.append(text)
            return super().__call__(text)

    def text_of(kept: Iterable[int]) -> str:
        return separator.join(["mystyle", *(texts[place] for place in kept)])

    count = EstimatedTokens()
    kept, tokens = TokenBudget(limit, Counter()).fit(written, droppable, text_of)
    assert tokens == count(text_of(kept))
    assert list(kept.items()) == [item for item in written.items() if item[0] in kept]
    gone = written.keys() - kept.keys()
    assert gone <= droppable
    assert tokens <= limit or not droppable & kept.keys()
    if gone:
        best = max(gone, key=lambda place: (written[place], -place))
        assert all(kept[place] >= written[best] for place in droppable & kept.keys())
        if tokens <= limit:
            assert count(text_of([place for place in written if place in kept or place == best])) > limit
    assert len(asked) <= 2 + len(droppable).bit_length()


@pytest.mark.parametrize(
    ("limit", "options", "caption"),
    [
        (23, {}, "1girl, solo, smile, hat, shirt, sky, saber_(fate), fate"),
        (22, {}, "1girl, solo, smile, hat, shirt, saber_(fate), fate"),  # of equal ones the last goes
        (21, {}, "1girl, solo, smile, hat, shirt, saber_(fate), fate"),
        (20, {}, "1girl, solo, smile, shirt, saber_(fate), fate"),
        (1, {}, "1girl, solo, saber_(fate), fate"),
        (1, {"always_first_tags": "hat"}, "hat, 1girl, solo, saber_(fate), fate"),
        (1, {"trigger_words": "sks, sky"}, "sks, sky, 1girl, solo, saber_(fate), fate"),
        (1, {"rating": "last"}, "1girl, solo, saber_(fate), fate, general"),
        (1, {"tag_replacement": "1girl -> woman"}, "woman, solo, saber_(fate), fate"),
        (1, {"tag_replacement": "hat -> saber_(fate)"}, "1girl, solo, saber_(fate), fate"),
        (27, {"tag_order": "score"}, "smile, saber_(fate), shirt, hat, sky, 1girl, fate, solo"),
    ],
)
def test_the_least_certain_general_tags_go_first(
    caption_of: CaptionOf, limit: int, options: dict[str, Any], caption: str
) -> None:
    made = caption_of(PICTURE, max_tokens=limit, **options)
    assert made.text == caption
    assert made.tokens == EstimatedTokens()(caption)
    assert {name for name, _ in made.tags} == set(caption.split(", ")) - {"sks"}


def test_a_caption_that_was_there_stays_and_counts(caption_of: CaptionOf) -> None:
    existing = "Sky, a hat on a chair."
    made = caption_of(PICTURE, existing=existing, append_tags=True, max_tokens=1)
    assert made.text == f"{existing}, 1girl, solo, saber_(fate), fate"
    assert made.tokens is not None
    # Sky is in the text, whoever wrote it, and so it has its score.
    assert [name for name, _ in made.tags] == ["1girl", "solo", "sky", "saber_(fate)", "fate"]
    roomy = caption_of(PICTURE, existing=existing, append_tags=True, max_tokens=made.tokens + 3)
    assert roomy.text == f"{existing}, 1girl, solo, smile, saber_(fate), fate"


def test_without_a_limit_nothing_is_counted(caption_of: CaptionOf) -> None:
    assert caption_of(PICTURE).tokens is None
