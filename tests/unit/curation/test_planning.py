"""The plan of a dataset that is known to the last tag: it names exactly what is planted."""

from __future__ import annotations

from functools import partial
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.planted_set import LABELS, planted, study_of
from wd14.curation.applying import curation_of
from wd14.curation.families import is_trait
from wd14.curation.plan import LEAVES_OUT, Plan, parse_plan, plan_text
from wd14.curation.planning import make_plan
from wd14.errors import ConfigError

Purpose = Literal["none", "character", "outfit", "style"]


def decided(plan: Plan) -> dict[str, set[str]]:
    """Decision -> tags; `pink_eyes beside red_eyes` for a contradiction."""
    found: dict[str, set[str]] = {}
    for entry in plan.decisions:
        name = entry.tag if entry.beside is None else f"{entry.tag} beside {entry.beside}"
        found.setdefault(entry.decision, set()).add(name)
    return found


def caption_tags(plan: Plan, tags: set[str]) -> set[str]:
    """What is left of a picture's tags; names that only lose their place to their series are left out here."""
    curation = curation_of(plan, LABELS)
    kept = np.array(sorted(map(LABELS.names.index, tags)), np.intp)
    refined = kept if curation.refine is None else curation.refine(kept)
    return {LABELS.names[tag] for tag in refined} - curation.left_out - curation.without_name


CONTRADICTIONS = {"pink_eyes beside red_eyes", "red_hair beside blue_hair"}
IDENTITY = {"blue_hair", "light_blue_hair", "long_hair", "red_eyes", "halo"}


@pytest.mark.parametrize(
    ("purpose", "expected"),
    [
        (
            "character",
            {
                "folded": IDENTITY,
                "dropped": {"arona_(blue_archive)", "watermark", *CONTRADICTIONS},
                "ask": {"kaname_madoka"},
            },
        ),
        (
            "outfit",
            {
                "folded": IDENTITY,
                "dropped": {"arona_(blue_archive)", "watermark", *CONTRADICTIONS},
                "ask": {"kaname_madoka", "school_uniform"},
            },
        ),
        ("style", {"dropped": {"watermark", "monochrome", "some_artist", "highres"}, "ask": CONTRADICTIONS}),
        ("none", {}),
    ],
)
def test_the_planted_set(purpose: Purpose, expected: dict[str, set[str]]) -> None:
    plan = make_plan(study_of(planted()), purpose=purpose, trigger_words=["mychar"], model="m", dataset="d")
    assert decided(plan) == expected
    assert plan.notes == ()
    wrong = [f"p{number:03}.png" for number in range(55, 60)]
    assert [each.name for each in plan.differing] == (
        [*wrong, "p007.png"] if purpose in ("character", "outfit") else []
    )


def test_a_decision_says_its_numbers_and_why() -> None:
    plan = make_plan(study_of(planted()), purpose="character", trigger_words=["mychar"])
    reasons = {entry.tag: entry.reason for entry in plan.decisions}
    assert reasons["halo"] == (
        "on 54 of 60 pictures (90 %), 38 times as often as usual: the trigger word stands for it"
    )
    assert reasons["light_blue_hair"] == "on 10 of 60 pictures (16 %): the same hair colour as blue_hair"
    assert reasons["pink_eyes"] == "on 2 of 60 pictures: it contradicts red_eyes (on 55)"
    first, last = plan.differing[0], plan.differing[-1]
    assert first.lacks == ("blue_hair", "long_hair", "red_eyes", "halo")
    assert set(first.instead) == {"red_hair", "short_hair", "green_eyes", "kaname_madoka"}
    assert (last.lacks, last.instead, last.reason) == (("halo",), (), "lacks one tag only: mild, it may be out of view")


def test_captions_after_folding() -> None:
    pictures = planted()
    plan = make_plan(study_of(pictures), purpose="character", trigger_words=["mychar"])
    common = {"1girl", "solo", "blue_archive", "school_uniform", "hair_ribbon", "smile", "wet_hair"}
    assert caption_tags(plan, pictures[1]) == common
    assert caption_tags(plan, pictures[3]) == common  # without its pink_eyes
    assert caption_tags(plan, pictures[5]) == common  # without its red_hair
    # The other character keeps what tells it from the first one.
    assert caption_tags(plan, pictures[59]) == pictures[59]
    # Two people may have two colours, and so may one whose eyes differ.
    both = {"pink_eyes", "red_eyes"}
    assert caption_tags(plan, {"2girls", *both}) == {"2girls", "pink_eyes"}
    assert caption_tags(plan, {"solo", "heterochromia", *both}) == {"solo", "heterochromia", "pink_eyes"}


def test_a_style_keeps_both_of_two_until_a_person_decides() -> None:
    plan = make_plan(study_of(planted()), purpose="style")
    assert curation_of(plan, LABELS).refine is None


def test_another_character_on_30_percent() -> None:
    plan = make_plan(study_of(planted(60, 18)), purpose="character", trigger_words=["mychar"])
    assert "folded" not in decided(plan)
    assert decided(plan)["ask"] == {"blue_hair", "long_hair", "red_eyes", "halo", "kaname_madoka"}
    assert [each.name for each in plan.differing[:18]] == [f"p{number:03}.png" for number in range(42, 60)]
    (note,) = plan.notes
    assert note == (
        "18 of 60 pictures (30 %) lack at least half of what identifies the set (blue_hair, long_hair, red_eyes, halo)."
        " Instead they have kaname_madoka (18), red_hair (18), short_hair (18), green_eyes (18): another character may"
        " be among them. Because of them fewer tags are folded; without them these would be too: blue_hair, long_hair,"
        " red_eyes, halo."
    )


def test_pictures_that_hide_half_of_it_are_not_said_to_be_another_character() -> None:
    hidden = [{"1girl", "solo", "blue_hair", "long_hair"}] * 12
    plan = make_plan(study_of([*planted(48, 0), *hidden]), purpose="character", trigger_words=["mychar"])
    assert "it may be out of view" in plan.notes[0]
    assert "another character" not in plan.notes[0]


def test_one_trait_is_no_identity_that_could_be_another() -> None:
    plan = make_plan(study_of([{"1girl", "long_hair"}] * 6 + [{"1girl"}] * 4), purpose="character", trigger_words=["x"])
    assert (plan.differing, plan.notes) == ((), ())


def test_tags_that_say_the_same_are_missed_once() -> None:
    pictures = [{"1girl", "long_hair", "very_long_hair", "halo"}] * 19 + [{"1girl", "halo"}]
    plan = make_plan(study_of(pictures), purpose="character", trigger_words=["x"])
    assert [each.lacks for each in plan.differing] == [("long_hair",)]


def test_contradictions_are_counted_on_one_person_only_and_not_where_eyes_differ() -> None:
    both = {"red_eyes", "pink_eyes"}
    pictures = [{"solo", "red_eyes"}] * 9 + [{"2girls", *both}, {"solo", "heterochromia", *both}]
    make = partial(make_plan, purpose="character", trigger_words=["x"])
    assert "dropped" not in decided(make(study_of(pictures)))
    (entry,) = [each for each in make(study_of([*pictures, {"solo", *both}])).decisions if each.beside]
    assert (entry.tag, entry.rows) == ("pink_eyes", 1)


def test_one_picture_folds_nothing_by_frequency() -> None:
    plan = make_plan(study_of(planted(1, 0)), purpose="character", trigger_words=["mychar"], fold_tags=["halo"])
    assert decided(plan) == {
        "folded": {"halo"},
        "dropped": {"watermark"},
        "ask": {"blue_hair", "light_blue_hair", "long_hair", "red_eyes", "arona_(blue_archive)"},
    }
    assert plan.differing == ()
    assert plan.notes == (
        "1 picture: too few to tell what identifies the character, so nothing is folded. Give at least 5 pictures, or"
        " name the tags (fold_tags).",
    )


def test_fold_and_keep_by_hand() -> None:
    plan = make_plan(
        study_of(planted()),
        purpose="character",
        trigger_words=["mychar"],
        fold_tags=["School Uniform", "hair_*", "no_such_tag", "cat ears", "arona \\(blue archive\\)", "smile"],
        keep_tags=["blue hair", "smile", "pink_eyes", "*_hair"],
    )
    assert decided(plan) == {
        "folded": {"red_eyes", "halo", "school_uniform", "hair_ribbon", "cat_ears", "arona_(blue_archive)"},
        # light_blue_hair would have gone with blue_hair
        "kept": {"blue_hair", "long_hair", "red_hair", "smile", "pink_eyes"},
        "dropped": {"watermark"},
        "ask": {"kaname_madoka"},
    }
    assert plan.notes == (
        "Fold Tags: no tag of this model is 'no_such_tag'",
        "Fold Tags: no picture has 'cat ears'",
        "Fold Tags and Keep Tags both name smile: kept.",
    )
    curation = curation_of(plan, LABELS)
    assert curation.without_name == {"arona_(blue_archive)"}
    assert "school_uniform" in curation.left_out


def test_by_hand_without_a_purpose() -> None:
    plan = make_plan(study_of(planted()), fold_tags=["*_hair"], keep_tags=["wet_hair"])
    assert decided(plan) == {
        "folded": {"blue_hair", "light_blue_hair", "long_hair", "red_hair", "short_hair"},
        "kept": {"wet_hair"},
    }
    assert curation_of(make_plan(study_of(planted())), LABELS) == curation_of(Plan(), LABELS)


def test_names_that_are_no_text() -> None:
    study = study_of(planted(), prefix="\udcff\x1b")
    plan = make_plan(study, purpose="character", trigger_words=["x"], keep_tags=["\udcff"], dataset="\udcfe")
    assert plan.differing[0].name == r"\udcff\x1b055.png"
    assert parse_plan(plan_text(plan).encode()) == plan


def test_without_a_trigger_word_names_stay() -> None:
    plan = make_plan(study_of(planted()), purpose="character")
    assert "arona_(blue_archive)" not in {entry.tag for entry in plan.decisions}


def test_captions_that_lose_their_last_tag() -> None:
    study = study_of([["halo"], ["halo", "smile"], [], ["blue_hair", "halo"]])
    plan = make_plan(study, fold_tags=["halo", "blue_hair"])
    assert plan.notes == (
        "On 2 of 4 pictures no tag is left beside the trigger words: keep a tag that they have (keep_tags), or lower"
        " the thresholds.",
    )
    with pytest.raises(ConfigError, match=r"no tag in any caption: 3 tags would go \(blue_hair, halo, smile\)"):
        make_plan(study, fold_tags=["*_hair", "halo", "smile"])


def test_the_loser_of_a_contradiction_is_no_tag_that_is_left() -> None:
    """blue_hair is folded and red_hair lost against it: nothing is left of the last picture."""
    study = study_of([*[["blue_hair", "1girl"]] * 20, ["blue_hair", "red_hair", "solo"]])
    plan = make_plan(study, purpose="character", trigger_words=["x"], fold_tags=["solo"])
    assert "On 1 of 21 pictures no tag is left" in plan.notes[-1]


def test_a_loser_lets_nobody_lose() -> None:
    """Of red, green and pink eyes the most frequent wins; where it is missing, the next one does."""
    eyes = [("red_eyes",)] * 6 + [("green_eyes",)] * 3 + [("pink_eyes",), ("red_eyes", "green_eyes", "pink_eyes")]
    plan = make_plan(study_of([["solo", *own] for own in eyes]), purpose="character", trigger_words=["x"])
    assert decided(plan)["dropped"] == {"green_eyes beside red_eyes", "pink_eyes beside red_eyes"}
    # An edited plan: green no longer loses against red, pink loses against green.
    edited = Plan.from_json(
        {
            "decisions": [
                {"tag": "pink_eyes", "decision": "dropped", "beside": "green_eyes"},
                {"tag": "green eyes", "decision": "dropped", "beside": "red eyes"},
            ]
        }
    )
    assert caption_tags(edited, {"solo", "red_eyes", "green_eyes", "pink_eyes"}) == {"solo", "red_eyes", "pink_eyes"}
    assert caption_tags(edited, {"solo", "green_eyes", "pink_eyes"}) == {"solo", "green_eyes"}


TAGS = [name for name, category in zip(LABELS.names, LABELS.categories, strict=True) if category != "rating"]
pictures = st.lists(st.sets(st.sampled_from(TAGS), min_size=1), min_size=1, max_size=24)
purposes: st.SearchStrategy[Purpose] = st.sampled_from(["none", "character", "outfit", "style"])


@given(pictures=pictures, purpose=purposes, keep=st.sets(st.sampled_from(TAGS)), fold=st.sets(st.sampled_from(TAGS)))
def test_rules_never_fold_what_is_rare_and_keeping_wins(
    pictures: list[set[str]], purpose: Purpose, keep: set[str], fold: set[str]
) -> None:
    keep.add("1girl")
    pictures[0].add("1girl")
    study = study_of(pictures)
    plan = make_plan(study, purpose=purpose, trigger_words=["x"], keep_tags=sorted(keep), fold_tags=sorted(fold))
    assert not keep & {entry.tag for entry in plan.decisions if entry.decision in LEAVES_OUT}
    for entry in plan.decisions:
        if entry.rule in ("identity", "outfit") and entry.decision == "folded":
            assert study.frequency[LABELS.names.index(entry.tag)] >= 0.9
        if entry.rule == "siblings":
            assert is_trait(entry.tag)
    for tags in pictures:
        assert caption_tags(plan, tags) >= tags & keep
    assert Plan.from_json(plan.to_json()) == plan
    named = [(entry.tag, entry.beside) for entry in plan.decisions]
    assert len(set(named)) == len(named)


@given(pictures=pictures)
def test_of_two_values_on_one_person_one_is_left(pictures: list[set[str]]) -> None:
    """With the plan of a character, in every picture whose tags it was made from."""
    pictures = [*pictures, *[{"1boy"}] * 5]
    plan = make_plan(study_of(pictures), purpose="character", trigger_words=["x"])
    plain = {entry.tag for entry in plan.decisions if entry.decision in LEAVES_OUT and entry.beside is None}
    one_person = study_of(pictures).one_person
    for tags, one in zip(pictures, one_person, strict=True):
        left = caption_tags(plan, tags)
        if not one:
            assert left == tags - plain
            continue
        assert len(left & {"long_hair", "short_hair"}) <= 1
        assert len(left & {"very_long_hair", "short_hair"}) <= 1
        if "heterochromia" not in tags:
            assert len(left & {"red_eyes", "green_eyes", "pink_eyes"}) <= 1
