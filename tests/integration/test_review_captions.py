"""The review page's captions are the captioner's: under other thresholds, and after a person's edits."""

from __future__ import annotations

import hashlib
import json
import random
from typing import Any

import numpy as np

from tests.support.browser import Tab
from tests.support.review_core import call
from tests.unit.caption.test_page_rules import CATEGORIES, NAMES, PLANS, PUBLISHED, with_threshold
from wd14.caption.captioner import Captioner
from wd14.caption.editing import Editor, whole_vocabulary
from wd14.config import CaptionConfig
from wd14.curation.applying import curation_of
from wd14.curation.plan import Plan
from wd14.page_model import PageModel
from wd14.published import Published
from wd14.review.edits import parse_edits
from wd14.review.page_data import PageContents, page_data
from wd14.review.page_rows import PageRow, PageRows
from wd14.types import Curation, FloatArray, Labels, Status

CASES = 400
THRESHOLDS = [0.05, 0.1, 0.25, 0.3333, 0.35, 0.5, 0.85, 1.0, 2.0]
OPTIONS: dict[str, list[Any]] = {
    "thresh": [0.1, 0.3333, 0.5],
    "general_threshold": [0.05, 0.25, 0.5],
    "character_threshold": [0.1, 0.35],
    "category_thresholds": ["copyright=off", "artist=0.2, rating=0.4", "quality=0.3, general=0.3"],
    "threshold_mode": ["model", "fixed"],
    "tag_thresholds": ["solo=+0.1, shirt=0.9, fate=off", "*hair=-0.1, miku=0.2, red_hair=+0.9", "apple=0.35"],
    "max_tags": [1, 3, 6, 9],
    "undesired_tags": ["shirt", "explicit", "*hair, fate", "best quality, general"],
    "remove_implied_tags": [True],
    "caption_style": ["animagine", "illustrious", "noobai", "pony", "anima"],
    "rating": ["first", "last"],
    "quality": ["first", "last"],
    "tag_order": ["model", "score", "alphabetical"],
    "character_tags_first": [True, False],
    "always_first_tags": ["solo, 1girl", "miku", "safe, apple"],
    "trigger_words": ["me", "solo, x", "long hair"],
    "remove_underscore": [True, False],
    "escape_parentheses": [True],
    "character_tag_expand": [True, False],
    "tag_replacement": ["blue_hair -> hair, blue", "shirt -> bow", "miku ->", "rin_(fate) -> Rin"],
    "caption_separator": ["; ", " "],
    "max_tokens": [3, 8, 15, 30],
    "append_tags": [True],
}
BEFORE = [None, "", "me, 1girl", "a girl, Long Hair, smile", "A girl stands here. She smiles."]
TYPED = ["solo", "Blue Hair", "saber_(fate)", "saber", "fate", "smile \\(open\\)", "a tag of mine", "me", "shirt"]

Row = tuple[FloatArray, str | None]


class Case:
    """A run of two pictures under options drawn by chance, its page, and what a person does there."""

    def __init__(self, seed: int) -> None:
        chance = self.chance = random.Random(seed)
        self.labels = Labels(NAMES, CATEGORIES, order=chance.choice(("model", "score")))
        # Few options at a time, or one hides what another does.
        chosen = chance.sample(list(OPTIONS), chance.randint(0, 6))
        self.values = {key: chance.choice(OPTIONS[key]) for key in chosen}
        self.config = CaptionConfig.from_values(self.values)
        self.curation = curation_of(Plan.from_json(chance.choice(PLANS)), self.labels)
        self.published = chance.choice(PUBLISHED)
        self.rows = [self._row() for _ in range(2)]
        self.data = page_of(self.labels, self.config, self.published, self.curation, self.rows)
        moved = chance.choice(THRESHOLDS)
        if "-0.1" in self.values.get("tag_thresholds", ""):
            moved = max(moved, 0.25)  # what lies below 0.05 is not in the page
        self.moved = (chance.choice(["general", "character", "copyright", "artist"]), moved)
        self.edits = [[self._edit() for _ in range(chance.randint(0, 3))] for _ in self.rows]

    def _row(self) -> Row:
        """Many equal scores, and many at a threshold or a hair beside it."""
        scores = np.array([self.chance.randint(0, 20) / 20 for _ in NAMES], np.float32)
        if self.chance.random() < 0.5:
            scores += np.array([self.chance.choice((-4e-5, 0, 4e-5)) for _ in NAMES], np.float32)
        before = self.chance.choice(BEFORE) if self.config.append_tags else None
        return np.clip(scores, 0, 1).astype(np.float32), before

    def _edit(self) -> tuple[str, dict[str, str]]:
        tag, other = self.chance.choice(TYPED), self.chance.choice([*TYPED, ""])
        return self.chance.choice(
            [
                ("add", {"tag": tag}),
                ("remove", {"tag": tag}),
                ("replace", {"tag": tag, "with": other}),
                ("set", {"caption": self.chance.choice(["", "miku, solo", "A  girl. Solo"])}),
            ]
        )

    def captions(self, *, is_moved: bool, edits: Any) -> list[str]:
        """What a run writes, with edits as the page exports them."""
        config, (category, threshold) = self.config, self.moved
        if is_moved and threshold != self.data["rules"]["thresholds"][category]:
            config = with_threshold(config, self.data["rules"], category, threshold)
        editor = Editor(whole_vocabulary(self.labels, self.config), self.config.caption_separator)
        write = Captioner(self.labels, config, published=self.published, curation=self.curation, editor=editor)
        given = parse_edits(json.dumps(edits).encode())
        return [write(*row, given.of(digest(number)).edits).text for number, row in enumerate(self.rows)]


def digest(row: int) -> bytes:
    return hashlib.sha256(bytes([row])).digest()


def page_of(
    labels: Labels, config: CaptionConfig, published: Published, curation: Curation, rows: list[Row]
) -> dict[str, Any]:
    """The data of a run's page, as JSON brings them back."""
    write = Captioner(labels, config, published=published, curation=curation)
    model = PageModel(labels, config, published, curation)
    page_rows = PageRows(config.caption_separator, model.texts, model.candidates())
    for number, (scores, before) in enumerate(rows):
        text = write(scores, before).text
        page_rows.add(
            PageRow("a", Status.CAPTIONED, "a", digest=digest(number), caption=text, before=before, scores=scores)
        )
    rules = model.rules(page_rows)
    contents = PageContents(
        {"folder": "", "max_tokens": config.max_tokens, "append_tags": config.append_tags},
        "",
        config.caption_separator,
        model.triggers,
        model.words,
        rules.tables,
        tokens=rules.tokens,
    )
    data: dict[str, Any] = json.loads(json.dumps(page_data(page_rows, contents)))
    return data


#: Opens a case's page, and does what a person does there.
PLAY = """window.play = ({ data, moved, edits }) => {
  ask.open(data);
  const said = { slides: ask.state().map((row) => row.slides), before: ask.captions() };
  review.setThreshold(...moved);
  said.moved = ask.captions();
  edits.forEach((own, row) => own.forEach(([op, args]) => review.edit(op, args, [row])));
  said.both = ask.captions();
  said.bothDoubts = ask.doubts();
  said.edits = review.exportEdits();
  review.resetThresholds();
  said.edited = ask.captions();
  said.editedDoubts = ask.doubts();
  while (review.canUndo) review.undo();
  said.after = ask.captions();
  return said;
};"""


def test_captions_are_those_of_a_run(core: Tab) -> None:
    cases = [Case(seed) for seed in range(CASES)]
    core.run(PLAY)
    fitted = 0
    played = [{"data": case.data, "moved": case.moved, "edits": case.edits} for case in cases]
    for case, page in zip(cases, call(core, "((cases) => cases.map(play))", played), strict=True):
        said = f"{case.values}, {case.moved}, {case.edits}"
        slides = [row not in case.data["rules"]["fixed_rows"] for row in range(len(case.rows))]
        assert page["slides"] == slides, said
        none = {"version": 1, "edits": []}
        for key, is_moved, edits in (
            ("before", False, none),
            ("moved", True, none),
            ("edited", False, page["edits"]),
            ("both", True, page["edits"]),
            ("after", False, none),
        ):
            stays = case.captions(is_moved=False, edits=edits)
            wanted = case.captions(is_moved=is_moved, edits=edits)
            expected = [new if moves else old for new, old, moves in zip(wanted, stays, slides, strict=True)]
            doubts = page.get(f"{key}Doubts", [None] * len(case.rows))
            fitted += sum(shown != run for shown, run in zip(page[key], wanted, strict=True))
            for number, doubt in enumerate(doubts):
                if doubt is None or case.data["dataset"]["max_tokens"] == 0:
                    assert page[key][number] == expected[number], f"{key}: {said}"
                if doubt is None and key in ("edited", "both"):
                    assert page[key][number] == wanted[number], f"{key}: {said}"
    assert fitted, "some captions only a run can work out, and the page says so"
