"""The tables as their readers correct them: nothing twice, nothing misspelt."""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path

from wd14.curation import tables
from wd14.curation.families import IDENTITY_FAMILIES, family_of
from wd14.spelling import folded

FOLDER = Path(tables.__file__).parent / "tables"
FAMILIES = {"clothes", "pose", "expression", "scene", "camera", "count", "style", "meta", "body_part", "object"}


def cells(name: str) -> list[tuple[str, str]]:
    """Family and tag, for every tag that is written in a file of families."""
    lines = (FOLDER / name).read_text("utf-8").splitlines()
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    return [(row["family"], tag) for row in rows for tag in row["tags"].split()]


def test_every_tag_stands_in_one_place() -> None:
    """A tag in two tables would be what the last of them says."""
    written = [tag for name in ("traits", "states", "negatives", "families") for _, tag in cells(f"{name}.csv")]
    assert [tag for tag, count in Counter(written).items() if count > 1] == []
    assert [tag for tag in written if tag != folded(tag)] == []
    odd = re.compile(r"[*{}]")
    allowed = re.compile(r"\*_[^*{}]+|[^*{}]+_\*|\{(colour|animal)\}_[^*{}]+")
    assert [tag for tag in written if odd.search(tag) and not allowed.fullmatch(tag)] == []


def test_the_files_keep_to_their_families() -> None:
    assert {family for family, _ in cells("traits.csv")} == IDENTITY_FAMILIES
    assert {family for family, _ in cells("states.csv")} <= IDENTITY_FAMILIES | {"clothes"}
    assert {family for family, _ in cells("negatives.csv")} == {"negative"}
    assert {family for family, _ in cells("families.csv")} == FAMILIES


def test_traits_have_no_wildcards() -> None:
    """`*_hair` would fold `cutting_hair`, also that of a model nobody has seen yet."""
    assert [tag for _, tag in cells("traits.csv") if "*" in tag] == []


def test_names_made_of_words_do_not_collide_with_others() -> None:
    """`{colour}_tail` and the like must not make a tag that another line lists."""
    words: dict[str, list[str]] = {"colour": [], "animal": []}
    for line in (FOLDER / "words.csv").read_text("utf-8").splitlines():
        if not line.startswith(("#", "list,")):
            name, _, listed = line.partition(",")
            words[name] += listed.split()
    assert {name: [word for word, count in Counter(listed).items() if count > 1] for name, listed in words.items()} == {
        "colour": [],
        "animal": [],
    }
    made = [
        re.sub(r"\{(\w+)\}", word, tag)
        for file in ("traits", "states", "negatives", "families")
        for _, tag in cells(f"{file}.csv")
        for word in words.get(tag[1 : tag.find("}")] if tag.startswith("{") else "", [""])
    ]
    assert [tag for tag, count in Counter(made).items() if count > 1] == []


def test_groups_hold_known_tags_and_more_than_one_value() -> None:
    for name, group in tables.groups().items():
        values = set().union(*group.values.values())
        assert len(values) > 1, name
        assert [tag for tag in (*group.values, *group.mixers) if family_of(tag) is None] == [], name
        assert not group.values.keys() & group.mixers, name
