"""Tags that vocabularies name differently: Danbooru renames tags, and e621 has names of its own.

`aliases.csv` is meant to be read and corrected by people; lines that begin with `#` say where it comes from.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from wd14 import regular_files
from wd14.spelling import folded

_TABLE = Path(__file__).with_name("aliases.csv")
#: It is our own; the limit only follows the rule that every file has one.
_LARGEST_TABLE = 1_000_000


@cache
def aliases() -> Mapping[str, str]:
    """Alias -> the name that stands for it, both in `folded` spelling; a millisecond, once."""
    lines = regular_files.read_file(_TABLE, _LARGEST_TABLE).decode().splitlines()
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    return {folded(row["alias"]): folded(row["name"]) for row in rows}
