"""The tables against all general tags of wd-v3.

They need a label table: `WD14_V3_TAGS=selected_tags.csv` names one of a v3 tagger (its 8,106 general tags).
"""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path

import pytest

from wd14.curation import tables
from wd14.curation.families import family_of, groups_of, is_state, is_trait
from wd14.model.files.labels import read_labels

TABLE = os.environ.get("WD14_V3_TAGS", "")


@pytest.fixture(scope="module")
def general() -> list[str]:
    if not TABLE:
        pytest.skip("WD14_V3_TAGS names no selected_tags.csv")
    labels = read_labels(Path(TABLE))
    return [name for name, category in zip(labels.names, labels.categories, strict=True) if category == "general"]


def test_every_tag_has_a_family(general: list[str]) -> None:
    assert [tag for tag in general if family_of(tag) is None] == []
    assert len(general) == 8106


def test_how_many_traits_and_states(general: list[str]) -> None:
    """A rule that takes more than was meant, or a word too many in `words.csv`, shows here."""
    assert Counter(family_of(tag) for tag in general if is_trait(tag)) == {
        "body": 201,
        "hair": 172,
        "species": 117,
        "skin": 100,
        "eyes": 75,
        "tail": 56,
        "ears": 44,
        "wings": 38,
        "horns": 33,
        "halo": 15,
    }
    assert sum(map(is_state, general)) == 536


def test_every_tag_that_ends_like_a_trait_was_judged(general: list[str]) -> None:
    """It is a trait or a state, or one of these."""
    parts = "hair|eyes|pupils|sclera|skin|ears|tail|horns|wings|halo|bangs|braids?|twintails|ponytail"
    ending = re.compile(f"(?:.*_)?(?:{parts})")
    neither = [tag for tag in general if ending.fullmatch(tag) and not is_trait(tag) and not is_state(tag)]
    assert sorted(neither) == ["covering_own_ears", "hat_with_ears"]


def test_names_in_the_table_of_families_are_names_of_the_model(general: list[str]) -> None:
    """All but counts, traits, states and negatives were read off this list; a misspelt name would do nothing."""
    table = tables.family_table()
    known = set(general)
    assert [tag for tag, entry in table.names.items() if entry.kind == "other" and tag not in known] == []


def test_sibling_groups_are_large_enough_to_matter(general: list[str]) -> None:
    found = Counter(name for tag in general for name in groups_of(tag))
    assert [name for name in tables.groups() if found[name] < 2] == []
    assert max(found.values()) <= 63  # as many as are compared in `contradictions`


def test_a_rule_by_suffix_beside_the_table(general: list[str]) -> None:
    """The numbers of docs/traits.md: the rule of deepghs/imgutils, written anew from its description there."""
    suffixes = (
        "eyes? skins? hairs? buns? bangs? cuts? sidelocks? twintails? braids? afros? ahoges? drills? balds?"
        " dreadlocks? side_ups? ponytails? updos? beards? mustaches? pointy_ears? ears? horns?"
    ).replace(" ", "|")
    by_suffix = re.compile(rf"(?:.*_)?(?:{suffixes})|hair_(?:over|between)(?:_.*)?")
    spared = {"drill", "drills", "pubic_hair", "closed_eyes", "half-closed_eyes", "half-closed_eye", "empty_eyes"}
    theirs = {tag for tag in general if by_suffix.fullmatch(tag) and tag not in spared}
    ours = {tag for tag in general if is_trait(tag)}
    assert (len(theirs), len(ours), len(theirs & ours)) == (367, 851, 278)
    assert sum(map(is_state, theirs)) == 81
    assert not any(map(is_state, ours))
    bare = [tag for tag in general if tag.endswith(("_hair", "_eyes"))]
    assert (len(bare), sum(map(is_state, bare))) == (158, 60)
