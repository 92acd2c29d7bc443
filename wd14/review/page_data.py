"""The data of a page: its rows, and what is known of the dataset as a whole. `page/dataset.js` reads them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wd14.review.page_rows import PageRows
from wd14.types import Labels

#: What stands for a rank that is behind all others: JSON has no infinity.
NO_RANK = 1e9
#: The page in a dataset's `.wd14`, and the folder of its thumbnails beside it: `0.webp`, `1.webp`, …, by row.
PAGE = "review.html"
THUMBNAILS = "thumbnails"


@dataclass(frozen=True)
class Words:
    """How a model's tags are written in the captions.

    Attributes:
        labels: the model's tags.
        written: for each tag the ids of its texts, also where the captions leave it out.
        ranks: the place of each text, lowest first; empty = there is no order.
        general_rank: the place of a tag that the model does not know; None = at the end.
    """

    labels: Labels
    written: Sequence[Sequence[int]]
    ranks: Sequence[float] = ()
    general_rank: float | None = None

    def encode(self) -> dict[str, Any]:
        """The fields of the page's data that are about the vocabulary."""
        categories = list(dict.fromkeys(self.labels.categories))
        numbers = {category: number for number, category in enumerate(categories)}
        return {
            "vocabulary": {
                "names": self.labels.names,
                "categories": [numbers[category] for category in self.labels.categories],
                "category_names": categories,
                "texts": [list(ids) for ids in self.written],
            },
            "ranks": [rank if math.isfinite(rank) else NO_RANK for rank in self.ranks] if self.ranks else None,
            "general_rank": self.general_rank,
        }


#: Of a dataset whose model is not known.
_NO_WORDS: Mapping[str, Any] = {
    "vocabulary": {"names": [], "categories": [], "category_names": [], "texts": []},
    "ranks": None,
    "general_rank": None,
}


@dataclass
class PageContents:
    """What a page shows beside its rows.

    Attributes:
        dataset: name, made_by, made_at, source, model, caption_column, folder (the way from the page to the pictures),
            options and command, as far as they are known; the rest is added.
        mark: what tells this dataset from another one of the same pictures: when it was made.
        separator: of the captions.
        triggers: words that open every caption.
        words: of the model, if it is known.
        rules: how captions follow from scores; None = `rules_missing` says why that is not known.
        plan: as in plan.json.
        findings: as `Finding.as_json` gives them; `rows` in place of `pictures` where rows are known.
        edits: as in edits.json; rows are sha256 in hex.
        originals: the sha256 of pictures that were changed when they were saved, with those of their originals: edits
            name either.
        thumbnails: rows that have none; None = no row has one.
        tokens: what each text counts.
        evaluation: one that is kept with the dataset, as `evaluation/kept.py` gives it.
    """

    dataset: Mapping[str, Any]
    mark: str
    separator: str
    triggers: Sequence[str] = ()
    words: Words | None = None
    rules: Mapping[str, Any] | None = None
    rules_missing: str = ""
    plan: Mapping[str, Any] | None = None
    findings: Sequence[Mapping[str, Any]] = ()
    edits: Sequence[Mapping[str, Any]] = ()
    originals: Mapping[bytes, bytes] = field(default_factory=dict)
    thumbnails: Sequence[int] | None = None
    tokens: Mapping[str, Any] | None = None
    evaluation: Mapping[str, Any] | None = None


def page_data(rows: PageRows, contents: PageContents) -> dict[str, Any]:
    """The data that `page.page` puts into the page."""
    names = rows.rows_of_names()
    return {
        "version": 1,
        "dataset": {**contents.dataset, "pictures": len(rows), "id": rows.page_id(contents.mark)},
        "separator": contents.separator,
        "triggers": list(contents.triggers),
        **(_NO_WORDS if contents.words is None else contents.words.encode()),
        **rows.encode(),
        "thumbnails": _thumbnails(contents.thumbnails),
        "rules": contents.rules,
        "rules_missing": contents.rules_missing,
        "plan": None if contents.plan is None else _plan(contents.plan, rows),
        "findings": [_finding(finding, names) for finding in contents.findings],
        "edits": _edits(contents, rows),
        "tokens": contents.tokens,
        "evaluation": contents.evaluation,
        "server": None,
    }


def _thumbnails(missing: Sequence[int] | None) -> dict[str, Any] | None:
    return None if missing is None else {"pattern": f"{THUMBNAILS}/{{row}}.webp", "missing": list(missing)}


def _plan(plan: Mapping[str, Any], rows: PageRows) -> dict[str, Any]:
    """The plan without what only a program needs; pictures by row where their names tell it."""
    sources = rows.rows_of_sources()
    differing = [
        {"row": sources[picture["name"]], **{key: picture.get(key) for key in ("lacks", "instead", "reason")}}
        for picture in plan.get("differing", ())
        if picture["name"] in sources
    ]
    kept = ("purpose", "trigger_words", "notes", "decisions", "differing_in_all")
    return {key: plan[key] for key in kept if key in plan} | {"differing": differing}


def _finding(finding: Mapping[str, Any], names: Mapping[str, int]) -> dict[str, Any]:
    rows = finding["rows"] if "rows" in finding else [names[name] for name in finding["pictures"] if name in names]
    return {key: finding[key] for key in ("rule", "severity", "reason", "advice")} | {"rows": list(rows)}


def _edits(contents: PageContents, rows: PageRows) -> list[dict[str, Any]]:
    """The edits with rows for pictures; `lost` are the pictures that are not here."""
    edits = contents.edits
    if not edits:
        return []
    by_digest = rows.rows_of_digests()
    for saved, original in contents.originals.items():
        if saved in by_digest:
            by_digest.setdefault(original, []).extend(by_digest[saved])
    found: list[dict[str, Any]] = []
    for edit in edits:
        pictures = edit.get("rows", "all")
        if pictures == "all":
            found.append({**edit, "rows": "all", "lost": []})
            continue
        known = {picture: by_digest.get(bytes.fromhex(picture), []) for picture in pictures}
        chosen = sorted({row for own in known.values() for row in own})
        lost = [picture for picture, own in known.items() if not own]
        found.append({**edit, "rows": chosen, "lost": lost})
    return found
