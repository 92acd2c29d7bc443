"""What edits make of any caption: the review page and a run agree to the character."""

from __future__ import annotations

import random
from typing import Any

from tests.support.browser import Tab
from tests.support.review_core import call
from wd14.caption.editing import Editor, whole_vocabulary
from wd14.config import CaptionConfig
from wd14.page_model import PageModel
from wd14.published import Published
from wd14.review.page_data import PageContents, page_data
from wd14.review.page_rows import PageRow, PageRows
from wd14.types import Edit, Labels, Status

CASES = 600
NAMES = ("1girl", "solo", "long_hair", "Long_Hair_(Style)", "saber_(fate)", "rin_(fate)", "miku", "fate", "safe", "x")
LABELS = Labels(NAMES, ("general", *["general"] * 3, *["character"] * 3, "copyright", "rating", "artist"))
OPTIONS: dict[str, list[Any]] = {
    "caption_style": ["animagine", "illustrious", "noobai", "pony", "anima"],
    "always_first_tags": ["solo, 1girl", "miku"],
    "trigger_words": ["me", "solo, x", "long hair", "a, b"],
    "remove_underscore": [True],
    "escape_parentheses": [True],
    "character_tag_expand": [True],
    "undesired_tags": ["solo"],
    "tag_replacement": ["long_hair -> hair, long", "solo -> 1girl", "miku ->"],
    "caption_separator": [",", "; ", " | ", " ", "--", ". ", "\\n", "_"],
}
PIECES = [
    *("1girl", "solo", "long hair", "Long_Hair", "saber (fate)", "saber \\(fate\\)", "saber", "fate", "me", "a", "b"),
    *(
        "",
        " ",
        "my tag",
        "Mr. Squeaks",
        "She smiles. A dog",
        "end.",
        "\u00a0solo\u2009",
        "STRASSE",
        "stra\u00dfe",
        "a--b",
    ),
]
TYPED = [*NAMES, "long hair", "saber", "hair", "my tag", "straße", "me", " solo ", "a, b", "new_tag", "one. Two"]


class Case:
    """A caption that somebody wrote, the options of its run, and edits."""

    def __init__(self, seed: int) -> None:
        chance = random.Random(seed)
        chosen = chance.sample(list(OPTIONS), chance.randint(0, 4))
        self.config = CaptionConfig.from_values({key: chance.choice(OPTIONS[key]) for key in chosen})
        self.values = self.config.model_dump(include=set(chosen))
        joints = [self.config.caption_separator, self.config.caption_separator.strip(), ", ", ". "]
        self.caption = ""
        for _ in range(chance.randint(0, 6)):
            self.caption += chance.choice(PIECES) + chance.choice(joints)
        if chance.random() < 0.7:
            self.caption = self.caption.strip(", ")
        self.edits = [self._edit(chance) for _ in range(chance.randint(1, 4))]

    @staticmethod
    def _edit(chance: random.Random) -> Edit:
        tag, other = chance.choice(TYPED), chance.choice([*TYPED, ""])
        return chance.choice(
            [Edit("add", tag), Edit("remove", tag), Edit("replace", tag, other), Edit("set", caption=other)]
        )

    def data(self) -> dict[str, Any]:
        model = PageModel(LABELS, self.config, Published())
        rows = PageRows(self.config.caption_separator, model.texts)
        rows.add(PageRow("a", Status.CAPTIONED, "a", digest=b"a" * 32, caption=self.caption))
        contents = PageContents({"folder": ""}, "", self.config.caption_separator, model.triggers, model.words)
        return page_data(rows, contents)

    def wire(self) -> list[dict[str, Any]]:
        needs = {"add": {"tag"}, "remove": {"tag"}, "replace": {"tag", "with"}, "set": {"caption"}}
        return [
            {"id": f"{at}", "at": at, "rev": 0, "undone": False, "op": edit.op, "rows": "all"}
            | {
                key: value
                for key, value in {"tag": edit.tag, "with": edit.replacement, "caption": edit.caption}.items()
                if key in needs[edit.op]
            }
            for at, edit in enumerate(self.edits)
        ]

    def expected(self) -> list[str]:
        """The caption before the edits, and after each of them."""
        editor = Editor(whole_vocabulary(LABELS, self.config), self.config.caption_separator)
        captions = [self.caption]
        for edit in self.edits:
            captions.append(editor.apply(captions[-1], edit)[0])
        return captions


PLAY = """window.playEdits = ({ data, edits }) => {
  ask.open(data);
  const captions = [review.caption(0)];
  for (const edit of edits) {
    review.merge([edit]);
    captions.push(review.caption(0));
  }
  return captions;
};"""


def test_edits_of_any_caption(core: Tab) -> None:
    cases = [Case(seed) for seed in range(CASES)]
    core.run(PLAY)
    played = [{"data": case.data(), "edits": case.wire()} for case in cases]
    for case, captions in zip(cases, call(core, "((cases) => cases.map(playEdits))", played), strict=True):
        assert captions == case.expected(), f"{case.values}, {case.edits}"
