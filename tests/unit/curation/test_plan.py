"""A plan as a person edits it and gives it back: what is read, what is refused, and in which words."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.planted_set import LABELS, planted, study_of
from wd14.curation.applying import curation_of
from wd14.curation.plan import LARGEST_PLAN, Plan, parse_plan, plan_text
from wd14.curation.planning import make_plan
from wd14.errors import ConfigError


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(
        study_of(planted()), purpose="character", trigger_words=["mychar"], model="wd-v3", dataset="photos"
    )


def edited(plan: Plan, *removed: str, add: tuple[dict[str, str], ...] = (), **changed: str) -> Plan:
    """The plan after a person changed the decision of tags, deleted entries and added some."""
    value = json.loads(plan_text(plan))
    entries = [entry for entry in value["decisions"] if entry["tag"] not in removed]
    for entry in entries:
        entry["decision"] = changed.get(entry["tag"], entry["decision"])
    return parse_plan(json.dumps(value | {"decisions": [*entries, *add]}).encode())


def decisions(plan: Plan) -> dict[tuple[str, str | None], str]:
    return {(entry.tag, entry.beside): entry.decision for entry in plan.decisions}


def test_the_text_has_a_line_for_each_entry_and_comes_back_as_it_was(plan: Plan) -> None:
    text = plan_text(plan)
    assert parse_plan(text.encode()) == plan
    (line,) = [line for line in text.splitlines() if '"tag": "red_eyes"' in line]
    entry = json.loads(line.strip().rstrip(","))
    assert (entry["decision"], entry["rule"], entry["family"], entry["rows"]) == ("folded", "identity", "eyes", 55)
    assert list(json.loads(text))[:3] == ["version", "purpose", "trigger_words"]


def test_an_edited_plan_decides(plan: Plan) -> None:
    given = edited(
        plan,
        "light_blue_hair",
        halo="kept",
        pink_eyes="kept",
        kaname_madoka="dropped",
        add=(
            {"tag": "School Uniform", "decision": "folded"},
            {"tag": "*_mouth", "decision": "dropped"},
            {"tag": "open mouth", "decision": "kept"},
            {"tag": "from_another_model", "decision": "folded"},
        ),
    )
    again = make_plan(study_of(planted()), given=given, trigger_words=["mychar"], keep_tags=["long_hair"])
    before = decisions(plan)
    del before["light_blue_hair", None]
    assert decisions(again) == before | {
        ("halo", None): "kept",
        ("long_hair", None): "kept",
        ("pink_eyes", "red_eyes"): "kept",
        ("kaname_madoka", None): "dropped",
        ("school_uniform", None): "folded",
        ("closed_mouth", None): "dropped",
        ("open_mouth", None): "kept",
    }
    reasons = {entry.tag: entry.reason for entry in again.decisions}
    assert reasons["red_eyes"] == "on 55 of 60 pictures (91 %): the trigger word stands for it"
    assert reasons["halo"].endswith(": your plan says so; by the rules it would be folded")
    assert reasons["pink_eyes"] == "on 2 of 60 pictures: your plan says so; by the rules it would be dropped"
    assert reasons["school_uniform"] == "on 36 of 60 pictures (60 %): your plan says so"
    assert again.notes == (
        "Plan: this model has no tag 'from_another_model'.",
        "By the rules these would be left out too, but your plan does not name them: light_blue_hair.",
    )
    assert (again.purpose, len(again.differing)) == ("character", 6)
    curation = curation_of(again, LABELS)
    assert curation.without_name == {"arona_(blue_archive)", "kaname_madoka"}
    # The plan as it was edited means the same by itself, without a study.
    keeping = edited(given, long_hair="kept")
    assert curation_of(keeping, LABELS).left_out - {"watermark"} == curation.left_out - {"watermark"}


def test_a_plan_given_back_unchanged_is_the_same_plan(plan: Plan) -> None:
    again = make_plan(
        study_of(planted()),
        given=plan,
        purpose="character",
        trigger_words=["mychar"],
        model="wd-v3",
        dataset="photos",
    )
    assert again == plan


def test_a_plan_that_a_person_wrote() -> None:
    given = parse_plan(b'\xef\xbb\xbf{"decisions": [{"tag": "wet hair", "decision": "folded"}]}')
    plan = make_plan(study_of(planted()), given=given)
    assert curation_of(plan, LABELS).left_out == {"wet_hair"}
    assert plan.notes == ()


def test_entries_that_disagree_keep_the_tag() -> None:
    value = {"decisions": [{"tag": "halo", "decision": "kept"}, {"tag": "Halo", "decision": "folded"}]}
    plan = make_plan(study_of(planted()), given=Plan.from_json(value))
    assert decisions(plan) == {("halo", None): "kept"}
    assert plan.notes == ("Plan: Halo has entries that keep it and entries that do not; it is kept.",)


def test_a_name_wins_over_wildcards_before_and_after_it() -> None:
    entries = [("pink*", "dropped"), ("pink_eyes", "kept"), ("halo", "folded"), ("hal?", "kept")]
    value = {"decisions": [{"tag": tag, "decision": decision} for tag, decision in entries]}
    plan = make_plan(study_of(planted()), given=Plan.from_json(value))
    assert decisions(plan) == {("pink_eyes", None): "kept", ("halo", None): "folded"}
    assert plan.notes == ()


def test_the_plan_of_another_dataset(plan: Plan) -> None:
    other = study_of(planted(), prefix="q")
    with pytest.raises(ConfigError, match=r"a plan of 'photos' with 60 pictures; this dataset has none of them\."):
        make_plan(other, given=plan)
    taken = make_plan(other, given=plan.model_copy(update={"sample": ()}), trigger_words=["mychar"])
    assert decisions(taken) == decisions(plan)


def test_a_dataset_that_has_changed_since(plan: Plan) -> None:
    less = make_plan(study_of(planted()[:50]), given=plan, model="wd-v4", purpose="outfit")
    assert less.notes == (
        "The plan was made from other pictures too: of 60 pictures that it remembers, 10 are not in this dataset.",
        "The plan was made with the model wd-v3; this is wd-v4.",
        "The plan was made for the purpose character, and is taken for outfit as it is.",
        "The plan was made for the trigger word 'mychar'; without it, no word stands for what is folded"
        " (trigger_words).",
    )
    more = make_plan(study_of([*planted(), {"smile"}]), given=plan, trigger_words=["mychar"])
    assert more.notes == ("The plan was made from 60 pictures; now there are 61.",)


def test_contradictions_in_a_circle() -> None:
    value = {
        "decisions": [
            {"tag": "red_eyes", "decision": "dropped", "beside": "pink_eyes"},
            {"tag": "pink_eyes", "decision": "dropped", "beside": "red_eyes"},
        ]
    }
    with pytest.raises(ConfigError, match=r"red_eyes.*: each is to go beside the other\. Decide for one of them"):
        curation_of(Plan.from_json(value), LABELS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", r"expected an object \{…\} with a list of decisions, got \[\]"),
        ('{"decisions": [{"tag": "a", "decision": "kept"},]}', r"line 1, column \d+ is no JSON: .*no comma follows"),
        ('{"version": 2}', "expected version 1, got 2; make the plan anew"),
        ('{"pictures": NaN}', "expected JSON as a plan.json has it: NaN is no number"),
        ('{"desicions": []}', "desicions is no field of a plan"),
        (
            '{"decisions": [{"tag": "x", "decision": "kept"}, {"tag": "halo", "decision": "fold"}]}',
            r"decisions, entry 2 \(halo\): decision: expected 'folded', 'ask', 'kept' or 'dropped', got 'fold'",
        ),
        ('{"decisions": [{"tag": "halo"}]}', r"decisions, entry 1 \(halo\): decision is missing"),
        ('{"decisions": [{"decision": "kept"}]}', "decisions, entry 1: tag is missing"),
        ('{"decisions": [7]}', "decisions, entry 1: .*got 7"),
        ('{"decisions": [{"tag": "", "decision": "kept"}]}', "decisions, entry 1: tag: .*at least 1 character, got ''"),
        ('{"decisions": [' + ", ".join(['{"tag": "x"}'] * 9) + "]}", "… and 4 more"),
        ("[" * 100_000, "expected JSON as a plan.json has it"),
        ("1" * 5000, "expected JSON as a plan.json has it"),
    ],
)
def test_what_is_no_plan(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_plan(text.encode())


def test_what_is_no_text_or_too_much() -> None:
    with pytest.raises(ConfigError, match="expected JSON"):
        parse_plan(b"\xff\xfe{}")
    with pytest.raises(ConfigError, match="at most 32,000,000 bytes"):
        parse_plan(b" " * (LARGEST_PLAN + 1))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*Plan.model_fields, "tag"]), inner),
    max_leaves=12,
)


@given(value=json_values)
def test_any_value_is_a_plan_or_a_clear_error(value: object) -> None:
    try:
        plan = Plan.from_json(value)
    except ConfigError as error:
        if not str(error).startswith("Plan (plan): "):
            raise
    else:
        assert Plan.from_json(plan.to_json()) == plan


def test_a_tag_that_a_plan_keeps_everywhere_is_named_by_it(plan: Plan) -> None:
    given = edited(plan, "pink_eyes", add=({"tag": "pink eyes", "decision": "kept"},))
    again = make_plan(study_of(planted()), given=given, trigger_words=["mychar"])
    assert decisions(again)["pink_eyes", None] == "kept"
    assert not any("does not name" in note for note in again.notes)
