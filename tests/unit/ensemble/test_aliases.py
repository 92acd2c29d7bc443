"""The table of tags that vocabularies name differently, as its readers correct it."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

from wd14.ensemble import aliases


def test_every_line_of_the_table_has_one_meaning() -> None:
    lines = Path(aliases.__file__).with_name("aliases.csv").read_text("utf-8").splitlines()
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    known = aliases.aliases()

    assert [alias for alias, times in Counter(row["alias"] for row in rows).items() if times > 1] == []
    assert [name for name in known.values() if name in known] == []  # no chain: a name is nobody's alias
    assert {row["source"] for row in rows} == {"danbooru", "e621"}
    assert known["see-through"] == "see-through_clothes"  # WD and PixAI
    assert known["thigh_highs"] == "thighhighs"  # Z3D-E621 and WD
