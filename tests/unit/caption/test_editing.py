"""A person's edits of a caption: what each makes of the text, and what of it stays as it was."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wd14.caption.captioner import Captioner
from wd14.caption.editing import Editor, whole_vocabulary
from wd14.config import CaptionConfig
from wd14.types import Curation, Edit, Labels

TAGS = {
    "general": "rating",
    "explicit": "rating",
    **dict.fromkeys(("1girl", "long_hair", "smile", "hat", "a"), "general"),
    **dict.fromkeys(("saber_(fate)", "rin_(fate)"), "character"),
    "fate": "copyright",
    "foo": "artist",
    "masterpiece": "quality",
}
LABELS = Labels(tuple(TAGS), tuple(TAGS.values()))


def editor(**values: Any) -> Editor:
    config = CaptionConfig.from_values(values)
    return Editor(whole_vocabulary(LABELS, config), config.caption_separator)


def add(tag: str) -> Edit:
    return Edit("add", tag)


def remove(tag: str) -> Edit:
    return Edit("remove", tag)


def replace(tag: str, by: str) -> Edit:
    return Edit("replace", tag, by)


def put(caption: str) -> Edit:
    return Edit("set", caption=caption)


@pytest.mark.parametrize(
    ("text", "edits", "after"),
    [
        ("1girl, long_hair, smile", [remove("Long Hair")], "1girl, smile"),
        ("1girl, smile", [remove("1girl")], "smile"),
        ("1girl,  odd  spaces ,smile", [remove("hat")], "1girl,  odd  spaces ,smile"),
        ("smile, 1girl,  odd  spaces", [remove("smile")], "1girl,  odd  spaces"),
        ("smile", [remove("smile"), add("hat")], "hat"),
        ("a, b, A", [remove("a")], "b"),
        ("", [add(" red thing ")], "red thing"),
        ("1girl", [add("smile"), add("Smile")], "1girl, smile"),
        ("1girl,", [add("smile")], "1girl, smile,"),
        ("1girl, smile", [replace("smile", "hat")], "1girl, hat"),
        ("1girl , smile ,x", [replace("smile", "hat")], "1girl , hat ,x"),
        ("hat, 1girl, smile", [replace("smile", "hat")], "hat, 1girl"),
        ("smile, SMILE", [replace("smile", "hat")], "hat"),
        ("smile", [replace("smile", "Smile!")], "Smile!"),
        ("1girl, smile", [replace("smile", "")], "1girl"),
        ("Long Hair", [replace("long_hair", "long hair")], "long_hair"),
        ("1girl", [put("A girl.\n Two lines"), add("hat")], "A girl.\n Two lines, hat"),
        ("1girl", [put("")], ""),
        ("1girl", [Edit("reject")], "1girl"),
    ],
)
def test_each_edit(text: str, edits: list[Edit], after: str) -> None:
    assert editor()(text, edits).text == after


def test_which_edits_found_what_they_change() -> None:
    edits = [remove("hat"), add("smile"), replace("hat", "x"), remove("smile"), put("x"), remove("1girl")]
    assert editor()("1girl, smile", edits).applied == (False, True, False, True, True, False)


@pytest.mark.parametrize(
    ("values", "text", "edit", "after"),
    [
        ({"remove_underscore": "True", "escape_parentheses": "True"}, "x", add("saber_(fate)"), r"x, saber \(fate\)"),
        ({"tag_replacement": "smile -> grin"}, "1girl, grin", remove("smile"), "1girl"),
        ({"undesired_tags": "smile"}, "1girl", add("smile"), "1girl, smile"),
        ({"character_tag_expand": "True"}, "rin, fate", add("saber_(fate)"), "rin, fate, saber"),
        ({"character_tag_expand": "True"}, "rin, saber, fate", remove("saber_(fate)"), "rin, fate"),
        ({"caption_separator": " | "}, "a | smile | b", remove("smile"), "a | b"),
        ({"caption_separator": " | "}, "a | smile", add("hat"), "a | smile | hat"),
        ({"caption_separator": r"\n"}, "a\nsmile", add("hat"), "a\nsmile\nhat"),
        ({"caption_style": "anima"}, "@foo, smile", remove("foo"), "smile"),
    ],
)
def test_a_tag_is_written_and_found_as_the_options_say(
    values: dict[str, str], text: str, edit: Edit, after: str
) -> None:
    assert editor(**values)(text, [edit]).text == after


@pytest.mark.parametrize(
    ("values", "text", "tag", "after"),
    [
        ({"caption_style": "animagine"}, "me, smile, masterpiece", "1girl", "me, 1girl, smile, masterpiece"),
        ({"caption_style": "animagine"}, "me, smile, masterpiece", "hat", "me, smile, hat, masterpiece"),
        ({"caption_style": "animagine"}, "me, smile, masterpiece", "own thing", "me, smile, own thing, masterpiece"),
        ({"caption_style": "animagine"}, "me, 1girl, smile", "saber (fate)", "me, 1girl, saber (fate), fate, smile"),
        ({"always_first_tags": "hat, smile"}, "me, smile, x", "hat", "me, hat, smile, x"),
        ({"always_first_tags": "hat"}, "me, smile, x", "y", "me, smile, x, y"),
        ({"always_first_tags": "hat"}, "smile, x", "hat", "hat, smile, x"),
    ],
)
def test_a_tag_is_put_where_the_style_has_it(values: dict[str, str], text: str, tag: str, after: str) -> None:
    assert editor(**values, trigger_words="me")(text, [add(tag)]).text == after


def test_sentences_stay_behind_the_tags() -> None:
    edit = editor(caption_style="animagine")
    text = "1girl, smile. A girl stands, holding a hat. She waves"
    assert edit(text, [add("hat")]).text == "1girl, smile, hat. A girl stands, holding a hat. She waves"
    assert edit(text, [remove("smile")]).text == "1girl. A girl stands, holding a hat. She waves"
    assert edit(text, [remove("smile"), remove("1girl")]).text == "A girl stands, holding a hat. She waves"
    assert edit(text, [remove("holding a hat. She waves"), remove("A girl stands")]).text == "1girl, smile"
    assert edit("1girl, mr. Squeaks, x", [add("hat")]).text == "1girl, mr. Squeaks, x, hat"


parts = st.text(st.sampled_from("a1 _ghit.A(),|"), max_size=8)


@given(text=st.lists(parts, max_size=6).map(", ".join), tag=parts, style=st.sampled_from(["kohya", "animagine"]))
def test_what_an_edit_says_holds_afterwards_and_doing_it_again_changes_nothing(text: str, tag: str, style: str) -> None:
    edit = editor(caption_style=style)
    plain = tag.replace(",", "").strip(" .")
    for each in (add(plain), remove(plain)):
        once = edit(text, [each]).text
        assert edit(once, [each]).text == once
    removed, found = edit(text, [remove(plain)])
    assert found or removed == text


def captioner(curation: Curation | None = None, **values: Any) -> Captioner:
    config = CaptionConfig.from_values(values)
    return Captioner(
        LABELS, config, curation=curation, editor=Editor(whole_vocabulary(LABELS, config), config.caption_separator)
    )


SCORES = np.array(
    [{"1girl": 0.99, "long_hair": 0.5, "smile": 0.4, "a": 0.2}.get(tag, 0.01) for tag in TAGS], np.float32
)


def test_a_persons_word_wins_over_plan_and_options() -> None:
    edit = captioner(Curation(left_out=frozenset({"long_hair"})), undesired_tags="hat")
    made = edit(SCORES, None, [add("long_hair"), add("hat"), remove("smile")])
    assert made.text == "1girl, long_hair, hat"
    assert made.unedited == "1girl, smile"
    assert made.scores() == {"1girl": 0.99, "long_hair": 0.5, "hat": 0.01}, "a tag of the model has its score"


def test_the_scores_are_those_of_the_tags_that_are_there() -> None:
    assert captioner()(SCORES, None, [put("smile, own")]).scores() == {"smile": 0.4}
    appended = captioner(append_tags="True")(SCORES, "hat, x", [remove("smile")])
    assert appended.text == "hat, x, 1girl, long_hair"
    assert appended.scores() == {"1girl": 0.99, "long_hair": 0.5}, "the model did not say hat"


def test_without_edits_a_caption_is_what_it_was() -> None:
    assert captioner()(SCORES) == Captioner(LABELS, CaptionConfig())(SCORES)


def test_what_a_person_put_in_stays_in_a_short_caption() -> None:
    edit = captioner(max_tokens="4", remove_underscore="True")
    assert edit(SCORES).text == "1girl"
    made = edit(SCORES, None, [add("hat")])
    assert (made.text, made.unedited) == ("1girl, hat", "1girl")
    kept = edit(SCORES, None, [replace("smile", "hat")])
    assert kept.text == "1girl, hat", "the tag that it replaces does not leave before"
    assert kept.applied == (True,)
