"""Each rule finds what it is for, and leaves alone what looks like it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wd14.curation.checks.checker import Checker
from wd14.curation.checks.expected import Expected
from wd14.curation.checks.finding import Finding
from wd14.curation.checks.rule import CheckedRow
from wd14.curation.checks.rules import RULES
from wd14.types import Labels, PictureFacts

GENERAL = """
    1girl 1boy 2girls solo multiple_girls blue_eyes red_eyes aqua_eyes heterochromia long_hair very_long_hair short_hair
    smile open_mouth standing sitting outdoors day night sky white_dress dress watermark multiple_views blurry rocket
""".split()  # noqa: SIM905 - so many quoted words are hard to read
LABELS = Labels((*GENERAL, "saber_(fate)"), ("general",) * len(GENERAL) + ("character",))
#: A caption in which there is nothing to find.
FINE = "1girl, solo, smile, standing, outdoors, sky"


def check(rows: Iterable[str | CheckedRow | None], **known: Any) -> list[Finding]:
    """The findings about a dataset; a text is the caption of a row, and its place is the row's name."""
    checker = Checker(Expected(**{"labels": LABELS, **known}))
    for number, row in enumerate(rows):
        checker.add(row if isinstance(row, CheckedRow) else CheckedRow(str(number), row))
    return checker.findings()


def reasons(rule: str, rows: Iterable[str | CheckedRow | None], **known: Any) -> dict[str, Sequence[str]]:
    """What one rule says of which rows."""
    return {each.reason: each.pictures for each in check(rows, **known) if each.rule == rule}


def facts(width: int = 1024, height: int = 1024, sharpness: float = 100.0) -> PictureFacts:
    return PictureFacts(width, height, sharpness, bytes(256))


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    assert check([CheckedRow("a", FINE, facts=facts()), CheckedRow("b", f"{FINE}, day", facts=facts())]) == []


def test_pictures_without_a_caption() -> None:
    found = reasons("no-caption", [None, "", "  \n", FINE, CheckedRow("broken", None, error="cut short")])
    assert found == {"there is no caption": ("0",), "the caption is empty": ("1", "2")}


def test_pictures_that_cannot_be_opened_are_gathered_by_their_reason() -> None:
    rows = [
        CheckedRow(name, error=error) for name, error in (("a", "cut short"), ("b", "no image"), ("c", "cut short"))
    ]
    assert list(reasons("unreadable-picture", rows).values()) == [("a", "c"), ("b",)]


def test_several_lines() -> None:
    assert list(reasons("several-lines", [f"{FINE}\n", f"{FINE}\nsky"]).values()) == [("1",)]


@pytest.mark.parametrize(
    ("caption", "rule"),
    [
        (f"my trigger, {FINE}", None),
        (f"My_Trigger, {FINE}", None),
        (f"{FINE}, my_trigger", "late-trigger"),
        (FINE, "missing-trigger"),
        ("A photo of my trigger, standing in the rain.", None),
        ("A photo of my triggers, standing in the rain.", "missing-trigger"),
        (f"my_trigger, other ||| {FINE}", None),
    ],
)
def test_trigger_words(caption: str, rule: str | None) -> None:
    found = {each.rule for each in check([caption], trigger_words=("my_trigger",), labels=None)}
    assert found & {"missing-trigger", "late-trigger"} == ({rule} if rule else set())


def test_every_trigger_word_counts() -> None:
    words = ("one", "two")
    assert reasons("missing-trigger", [f"two, one, {FINE}", f"one, {FINE}"], trigger_words=words) == {
        "the trigger word two is missing": ("1",)
    }


def test_a_word_that_opens_nearly_all_captions_is_taken_for_the_trigger() -> None:
    rows = [f"mymiku, {FINE}"] * 11 + [FINE]
    assert list(reasons("unclear-trigger", rows).values()) == [("11",)]
    assert reasons("unclear-trigger", [*[f"rocket, {FINE}"] * 11, FINE]) == {}  # a tag of the model
    assert not any("mymiku" in reason for reason in reasons("unknown-tag", rows))


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ("1girl, solo, blue_eyes, red eyes", "blue_eyes beside red_eyes"),
        ("1girl, blue_eyes, red_eyes", "blue_eyes beside red_eyes"),
        ("1girl, solo, blue_eyes, red_eyes, heterochromia", None),
        ("1girl, 1boy, blue_eyes, red_eyes", None),
        ("1girl, 1boy, solo, blue_eyes, red_eyes", "blue_eyes beside red_eyes"),
        ("2girls, blue_eyes, red_eyes", None),
        ("blue_eyes, red_eyes", None),  # who knows how many they are
        ("1girl, long_hair, very_long_hair", None),
        ("2girls, day, night", "day beside night"),
        ("1girl, solo, standing, sitting", "sitting beside standing"),
        ("1girl, solo, standing, sitting, multiple_views", None),
    ],
)
def test_siblings_that_exclude_each_other(tags: str, reason: str | None) -> None:
    assert list(reasons("contradicting-tags", [tags])) == ([reason] if reason else [])


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        ("solo, 2girls", ["2girls beside solo"]),
        ("1girl, 2girls", ["1girl beside 2girls"]),
        ("1girl, 1boy, solo", ["solo beside 1boy and 1girl"]),
        ("1girl, 1boy", []),
        ("2girls, multiple_girls", []),
        ("1girl, solo", []),
    ],
)
def test_numbers_of_people(tags: str, found: list[str]) -> None:
    assert list(reasons("contradicting-numbers", [tags])) == found


def test_rating_words_depend_on_what_captions_are_to_have() -> None:
    one = [FINE, f"{FINE}, sensitive", FINE]
    assert list(reasons("rating-left-over", one, has_ratings=False).values()) == [("1",)]
    assert list(reasons("rating-left-over", one).values()) == [("1",)]
    assert reasons("rating-left-over", one, has_ratings=True) == {}
    assert reasons("rating-left-over", [f"{FINE}, rating:general"] * 3) == {}  # all have one: on purpose


def test_negatives() -> None:
    rows = [f"{FINE}, watermark", f"{FINE}, worst quality"]
    assert list(reasons("negative-left-over", rows).values()) == [("0",), ("1",)]
    assert list(reasons("negative-left-over", rows, kept=("watermark",)).values()) == [("1",)]


def test_numbers_of_tags() -> None:
    many = ", ".join(f"tag{number}" for number in range(61))
    rows = ["1girl, solo, smile, sky", FINE, "A girl stands in the rain.", many]
    assert list(reasons("too-few-tags", rows).values()) == [("0",)]
    assert list(reasons("too-many-tags", rows).values()) == [("3",)]


def test_tokens_are_a_warning_where_a_limit_was_asked_for() -> None:
    def graded(**known: Any) -> list[str]:
        found = check([FINE, "1girl " * 40], count_tokens=lambda text: len(text.split()), **known)
        return [each.severity for each in found if each.rule == "too-many-tokens"]

    assert graded(max_tokens=30) == ["info"]
    assert graded(max_tokens=30, asked_tokens=True) == ["warning"]
    assert graded(max_tokens=0) == graded(max_tokens=40) == []


@pytest.mark.parametrize(
    ("known", "severities"),
    [
        ({"purpose": "character", "trigger_words": ("t",)}, ["warning"]),
        ({"trigger_words": ("t",)}, ["warning"]),
        ({}, ["info"]),
        ({"purpose": "style"}, []),
        ({"purpose": "character", "trigger_words": ("t",), "kept": ("long*",)}, []),
    ],
)
def test_traits_that_were_not_folded(known: dict[str, Any], severities: list[str]) -> None:
    rows = [f"t, {FINE}, long hair"] * 19 + [f"t, {FINE}"]
    found = [each for each in check(rows, **known) if each.rule == "identity-not-folded"]
    assert [each.severity for each in found] == severities
    assert {each.reason for each in found} <= {"long_hair is in 95% of the captions"}


def test_an_outfit_is_known_by_its_parts() -> None:
    rows = [f"t, {FINE}, long_hair, white_dress"] * 10
    found = reasons("identity-not-folded", rows, purpose="outfit", trigger_words=("t",))
    assert list(found) == ["white_dress is in 100% of the captions"]


def test_rare_tags_are_one_finding() -> None:
    rows = [FINE] * 98 + [f"{FINE}, rocket"] + [f"{FINE}, dress, day"] * 2
    assert list(reasons("rare-tags", rows)) == ["3 tags in fewer than 2% of the captions: day 2, dress 2, rocket 1"]
    assert reasons("rare-tags", rows[-3:]) == {}


def test_words_that_are_no_tags() -> None:
    rows = [f"{FINE}, lnog_hair, saber, Fate", f"{FINE}, hair long, masterpiece, score_9", f"{FINE}, zeppelin"]
    found = reasons("unknown-tag", rows)
    assert found == {
        "hair_long is no tag of the model; did you mean long_hair?": ("1",),
        "lnog_hair is no tag of the model; did you mean long_hair?": ("0",),
        "1 word that the model has no tag for: zeppelin": ("2",),
    }
    assert reasons("unknown-tag", rows, labels=None) == {}
    own = reasons("unknown-tag", rows, words=("zeppelin",))
    assert not any("zeppelin" in reason for reason in own)


def test_sentences_are_no_words() -> None:
    rows = [
        "1girl, solo. A girl stands in the rain, smiling, with an umbrella.",
        "a girl in a red coat walks, slowly, smile, outdoors",
        "1girl, solo, smile, sky, She waits.",
    ]
    assert list(reasons("unknown-tag", rows)) == []
    assert list(reasons("contradicting-numbers", ["1girl, solo. Two girls, solo, 2girls in the back, wait."])) == []


@pytest.mark.parametrize("text", ["_" * 300_000, "(" * 200_000, "Hello!!!!" * 50_000])
def test_endless_words_are_no_tags(text: str) -> None:
    assert list(reasons("unknown-tag", [f"{FINE}, {text}"])) == []


def test_what_was_left_out_does_not_come_back() -> None:
    rows = [f"{FINE}, very long hair", f"{FINE}, dress", f"{FINE}, white_dress", FINE]
    known = {"left_out": ("very_long_hair", "white *")}
    assert list(reasons("left-out-tag-is-back", rows, **known).values()) == [("0",), ("2",)]
    assert list(reasons("implied-tag-is-back", rows, **known)) == ["dress is left of white_dress, which was left out"]
    assert reasons("implied-tag-is-back", rows, kept=("dress",), **known) == {}


def test_small_and_blurred_pictures() -> None:
    rows = [
        CheckedRow("small", FINE, facts=facts(2000, 511)),
        CheckedRow("blurred", FINE, facts=facts(sharpness=5)),
        CheckedRow("said so", f"{FINE}, blurry", facts=facts(sharpness=5)),
        CheckedRow("fine", FINE, facts=facts(512, 512)),
    ]
    assert list(reasons("small-picture", rows).values()) == [("small",)]
    assert list(reasons("blurred-picture", rows).values()) == [("blurred",)]


def test_folders_are_balanced_by_their_repeats() -> None:
    def rows(**numbers: int) -> list[CheckedRow]:
        return [CheckedRow("x", FINE, name) for name, number in numbers.items() for _ in range(number)]

    assert reasons("unbalanced-folders", rows(**{"10_a": 5, "2_b": 25, "c": 40})) == {}
    assert list(reasons("unbalanced-folders", rows(**{"10_a": 5, "2_b": 5}))) == [
        "2_b: 5 x 2 = 10 pictures a pass, 10_a has 50; 10 repeats would balance it"
    ]
    # A trainer's file balances those that have no repeats in their names.
    assert len(reasons("unbalanced-folders", rows(a=5, b=50, c=20))) == 2
    assert reasons("unbalanced-folders", rows(a=5, b=50, c=20), has_repeats=True) == {}
    assert len(reasons("unbalanced-folders", rows(**{"10_a": 5, "2_b": 5, "c": 3}), has_repeats=True)) == 1
    # A year is no number of repeats, and a folder's repeats count for the folders in it.
    assert reasons("unbalanced-folders", rows(**{"2024_a": 5, "2019_b": 5})) == {}
    assert reasons("unbalanced-folders", rows(**{"10_a/x": 2, "10_a/y": 3, "2_b": 25})) == {}


def test_the_same_picture_twice() -> None:
    rows = [CheckedRow(str(n), caption, digest=digest) for n, (caption, digest) in enumerate(
        [(FINE, b"a" * 32), (FINE, b"a" * 32), (FINE, b"b" * 32), (f"{FINE}, day", b"b" * 32), (FINE, b""), (FINE, b"")]
    )]  # fmt: skip
    assert sorted(each.pictures for each in check(rows) if each.rule == "same-picture") == [("0", "1"), ("2", "3")]
    assert list(reasons("different-captions", rows).values()) == [("2", "3")]


def test_pictures_that_look_alike_are_asked_for_once() -> None:
    asked: list[int] = []

    def find(table: Sequence[PictureFacts | None]) -> Any:
        asked.append(len(table))
        assert table[0] == facts()
        assert table[1] is None
        return [("same", [0, 2]), ("crop", [1, 2]), ("near", [0, 1])]

    checker = Checker(Expected(), find)
    for name, known in (("a", facts()), ("b", None), ("c", facts(600, 600))):
        checker.add(CheckedRow(name, FINE, facts=known))
    found = [(each.rule, each.pictures) for each in checker.findings()]
    assert asked == [3]
    assert ("same-picture", ("a", "c")) in found
    assert [names for rule, names in found if rule == "near-duplicates"] == [("b", "c"), ("a", "b")]


def test_stored_scores_show_doubtful_and_missing_tags() -> None:
    scores = np.full(len(LABELS), 0.5, np.float32)
    for name, score in {"smile": 0.01, "rocket": 0.95, "long_hair": 0.95, "dress": 0.95, "day": 0.95}.items():
        scores[LABELS.names.index(name)] = score
    row = CheckedRow("a", FINE, scores=scores)
    assert list(reasons("doubtful-tag", [row])) == ["smile: the model scores it below 0.05"]
    missing = reasons("missing-tag", [row], left_out=("day",))
    assert [reason.partition(":")[0] for reason in missing] == ["rocket"]
    assert reasons("missing-tag", [row], lists_all=False) == {}
    # A tag whose own threshold the score does not reach is not missing, and one with a very low one is not doubtful.
    thresholds = np.full(len(LABELS), 0.35, np.float32)
    for name, threshold in {"rocket": 0.97, "smile": 0.01}.items():
        thresholds[LABELS.names.index(name)] = threshold
    assert reasons("doubtful-tag", [row], thresholds=thresholds) == {}
    assert "rocket" not in " ".join(reasons("missing-tag", [row], thresholds=thresholds))


def test_findings_come_by_severity_and_then_by_how_many_they_concern() -> None:
    rows = [f"{FINE}, watermark", f"{FINE}, signature", f"{FINE}, signature", None]
    found = check(rows)
    assert [each.rule for each in found][:3] == ["no-caption", "negative-left-over", "negative-left-over"]
    assert [len(each.pictures) for each in found][:3] == [1, 2, 1]


def test_names_of_rules_are_their_own() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)


def test_the_page_of_checks_is_the_table_of_rules() -> None:
    page = (Path(__file__).parents[4] / "docs" / "checks.md").read_text("utf-8")
    lines = [line for line in page.splitlines() if line.startswith("| `")]
    assert lines == [f"| `{rule.name}` | {rule.severity} | {rule.when} | {rule.advice} |" for rule in RULES]
