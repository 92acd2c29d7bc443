"""The table of tags that vocabularies name differently, as its readers correct it."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

from wd14.ensemble import aliases
from wd14.ensemble.vocabulary import joint_vocabulary
from wd14.types import Labels


def test_every_line_of_the_table_has_one_meaning() -> None:
    lines = Path(aliases.__file__).with_name("aliases.csv").read_text("utf-8").splitlines()
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    known = aliases.aliases()

    assert [alias for alias, times in Counter(row["alias"] for row in rows).items() if times > 1] == []
    assert [name for name in known.values() if name in known] == []  # no chain: a name is nobody's alias
    assert {row["source"] for row in rows} == {"danbooru", "e621"}
    assert known["see-through"] == "see-through_clothes"  # WD and PixAI
    assert known["thigh_highs"] == "thighhighs"  # Z3D-E621 and WD


def test_models_of_different_years_and_sites_vote_on_one_tag() -> None:
    models = [
        Labels(names, ("general",) * len(names))
        for names in (("see-through", "thighhighs"), ("see-through_clothes",), ("thigh highs", "horn"))
    ]
    joint = joint_vocabulary(models, aliases.aliases())

    assert joint.labels.names == ("see-through", "thighhighs", "horn")  # as the first that knows it writes it
    assert joint.known.sum(axis=0).tolist() == [2, 2, 1]
