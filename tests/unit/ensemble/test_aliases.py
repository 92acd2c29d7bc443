"""Tags that vocabularies name differently are matched; what one vocabulary tells apart stays apart."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

from wd14.ensemble import aliases


def test_an_older_name_and_another_site_s_name_are_matched_as_the_current_one() -> None:
    wd = aliases.matching_names(["See-Through", "Thighhighs", "1girl"])
    pixai = aliases.matching_names(["see-through_clothes", "thighhighs", "1girl"])
    e621 = aliases.matching_names(["thigh highs"])

    assert wd == pixai == ["see-through_clothes", "thighhighs", "1girl"]
    assert e621 == ["thighhighs"]


def test_a_vocabulary_with_both_names_keeps_them_apart() -> None:
    assert aliases.matching_names(["see-through", "see-through_clothes"]) == ["see-through", "see-through_clothes"]


def test_every_line_of_the_table_has_one_meaning() -> None:
    lines = Path(aliases.__file__).with_name("aliases.csv").read_text("utf-8").splitlines()
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    known = aliases.aliases()

    assert [alias for alias, times in Counter(row["alias"] for row in rows).items() if times > 1] == []
    assert [name for name in known.values() if name in known] == []  # no chain: a name is nobody's alias
    assert {row["source"] for row in rows} == {"danbooru", "e621"}
