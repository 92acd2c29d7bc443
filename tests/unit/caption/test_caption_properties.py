"""What holds for every model, picture and option."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.strategies import SEPARATORS, labels, scores, spelled_alike, spellings, tag_names
from wd14.caption.captioner import Captioner, split_caption
from wd14.config import CaptionConfig
from wd14.types import FloatArray, Labels

QUICK = settings(max_examples=60, deadline=None)

#: Options that write and order tags, and never leave one out.
styles = st.fixed_dictionaries(
    {},
    optional={
        "remove_underscore": st.booleans(),
        "escape_parentheses": st.booleans(),
        "tag_order": st.sampled_from(["model", "score", "alphabetical"]),
        "character_tags_first": st.booleans(),
        "rating": st.sampled_from(["none", "first", "last"]),
        "caption_separator": st.sampled_from(SEPARATORS),
        "thresh": st.sampled_from([0.0, 0.35, 0.9]),
        "character_threshold": st.sampled_from([None, 0.5]),
        "threshold_mode": st.sampled_from(["fixed", "mcut"]),
    },
)


@st.composite
def pictures(draw: st.DrawFn) -> tuple[Labels, FloatArray]:
    model = draw(labels())
    return model, draw(scores(len(model)))


def caption_of(
    picture: tuple[Labels, FloatArray], values: dict[str, Any], existing: str | None = None
) -> tuple[str, list[str]]:
    model, row = picture
    caption = Captioner(model, CaptionConfig.from_values(values))(row, existing)
    return caption.text, [name for name, _ in caption.tags]


def alike(names: list[str]) -> list[str]:
    return [spelled_alike(name) for name in names]


@QUICK
@given(pictures(), styles, st.data())
def test_a_tag_that_is_undesired_never_appears(
    picture: tuple[Labels, FloatArray], style: dict[str, Any], data: st.DataObject
) -> None:
    names = data.draw(st.lists(st.sampled_from(picture[0].names), unique=True))
    undesired = [data.draw(spellings(name)) for name in names]
    expand = data.draw(st.booleans())
    _, written = caption_of(picture, {**style, "undesired_tags": undesired, "character_tag_expand": expand})
    assert not set(alike(written)) & set(alike(names))


@QUICK
@given(pictures(), styles, st.data())
def test_undesired_tags_take_away_nothing_else(
    picture: tuple[Labels, FloatArray], style: dict[str, Any], data: st.DataObject
) -> None:
    style = {**style, "rating": "none"}
    names = data.draw(st.lists(st.sampled_from(picture[0].names), unique=True))
    _, before = caption_of(picture, style)
    _, after = caption_of(picture, {**style, "undesired_tags": names})
    assert after == [name for name in before if spelled_alike(name) not in alike(names)]


@QUICK
@given(pictures(), styles, st.data())
def test_always_first_tags_are_first_in_the_order_written(
    picture: tuple[Labels, FloatArray], style: dict[str, Any], data: st.DataObject
) -> None:
    names = data.draw(st.lists(st.sampled_from(picture[0].names), unique=True))
    entries = [data.draw(spellings(name)) for name in names]
    _, plain = caption_of(picture, style)
    _, written = caption_of(picture, {**style, "always_first_tags": entries})
    there = [key for key in alike(names) if key in alike(plain)]
    assert alike(written)[: len(there)] == there
    assert alike(written)[len(there) :] == [key for key in alike(plain) if key not in there]


@QUICK
@given(pictures(), styles)
def test_no_style_loses_or_doubles_a_tag(picture: tuple[Labels, FloatArray], style: dict[str, Any]) -> None:
    selection = {
        key: value for key, value in style.items() if key in ("thresh", "character_threshold", "threshold_mode")
    }
    _, plain = caption_of(picture, selection)
    _, written = caption_of(picture, style)
    ratings = [name for name in written if name in ("general", "sensitive", "questionable", "explicit")]
    assert len(set(written)) == len(written)
    assert len(ratings) <= 1
    assert sorted(alike([name for name in written if name not in ratings])) == sorted(alike(plain))


@QUICK
@given(pictures(), styles, st.booleans())
def test_a_caption_parses_back_into_its_tags(
    picture: tuple[Labels, FloatArray], style: dict[str, Any], expand: bool
) -> None:
    separator = style.get("caption_separator", ", ")
    text, written = caption_of(picture, {**style, "character_tag_expand": expand})
    if any((separator.strip() or separator) in name or name != name.strip() for name in written):
        return
    assert split_caption(text, separator) == written


@QUICK
@given(pictures(), st.data())
def test_appending_keeps_what_is_there_and_adds_each_tag_once(
    picture: tuple[Labels, FloatArray], data: st.DataObject
) -> None:
    existing = data.draw(st.lists(st.one_of(tag_names, st.sampled_from(picture[0].names)), max_size=5))
    existing = [tag.strip() for tag in existing if "," not in tag and tag.strip()]
    style = data.draw(styles) | {"append_tags": True, "caption_separator": ", "}
    text, written = caption_of(picture, style, ", ".join(existing))
    parts = split_caption(text, ", ")
    assert parts[: len(existing)] == existing
    assert set(alike(parts)) == set(alike(existing)) | set(alike(written))
    assert len(parts) - len(existing) == len(set(alike(written)) - set(alike(existing)))


@QUICK
@given(pictures(), styles, st.data())
def test_appending_twice_is_appending_once(
    picture: tuple[Labels, FloatArray], style: dict[str, Any], data: st.DataObject
) -> None:
    separator = ", "
    sentence = data.draw(st.sampled_from(["", "A girl stands in the rain.", "a, b,c ,", "1,000 yen lie on a table."]))
    triggers = data.draw(st.sampled_from([(), ("sks",), ("sks", "solo")]))
    style = {**style, "append_tags": True, "caption_separator": separator, "trigger_words": triggers}
    once, _ = caption_of(picture, style, sentence)
    twice, _ = caption_of(picture, style, once)
    assert twice == once


@QUICK
@given(pictures(), styles, st.integers(1, 6), st.booleans())
def test_a_limit_keeps_the_best_scored_tags_in_their_order(
    picture: tuple[Labels, FloatArray], style: dict[str, Any], limit: int, expand: bool
) -> None:
    model, row = picture
    values = {**style, "rating": "none", "character_tag_expand": expand}
    everything = Captioner(model, CaptionConfig.from_values(values))(row).tags
    kept = Captioner(model, CaptionConfig.from_values({**values, "max_tags": limit}))(row).tags
    assert len(kept) == min(limit, len(everything))
    assert [tag for tag in everything if tag in kept] == list(kept)
    left_out = [score for name, score in everything if (name, score) not in kept]
    assert not kept or max(left_out, default=0.0) <= min(score for _, score in kept)


@QUICK
@given(pictures(), styles)
def test_a_tag_goes_only_when_a_longer_one_ends_with_it(
    picture: tuple[Labels, FloatArray], style: dict[str, Any]
) -> None:
    _, before = caption_of(picture, style)
    _, after = caption_of(picture, {**style, "remove_implied_tags": True})
    assert [name for name in before if name in after] == after
    for gone in set(before) - set(after):
        assert any(spelled_alike(kept).endswith("_" + spelled_alike(gone)) for kept in after)
