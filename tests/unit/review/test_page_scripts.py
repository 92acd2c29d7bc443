"""The scripts of the review page share one scope: what each declares there has a name of its own."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from wd14.review.page import SCRIPTS

FOLDER = Path(__file__).parents[3] / "wd14" / "review" / "page"
DECLARED = re.compile(r"^(?:const|let|var|class|(?:async )?function\*?) (?:(\w+)|[{\[]([^}\]]*))", re.MULTILINE)


def test_no_name_is_declared_twice() -> None:
    names: Counter[str] = Counter()
    for script in SCRIPTS:
        for name, several in DECLARED.findall((FOLDER / script).read_text("utf-8")):
            names.update([name] if name else re.findall(r"\w+", several))
    assert [name for name, number in names.items() if number > 1] == []
    assert {"Review", "folded", "Dataset"} <= names.keys()


def test_every_script_is_listed_once() -> None:
    assert sorted(SCRIPTS) == sorted(each.name for each in FOLDER.glob("*.js"))
