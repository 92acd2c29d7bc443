"""What the plan of a dataset does to its captions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from wd14.caption.captioner import Captioner
from wd14.config import CaptionConfig
from wd14.types import Curation, IndexArray, Labels, RefineTables

LABELS = Labels(
    ("general", "explicit", "1girl", "blue_hair", "smile", "saber_(fate)", "rin_(fate)", "hatsune_miku"),
    ("rating", "rating", "general", "general", "general", "character", "character", "character"),
)
SCORES = np.array([0.9, 0.1, 0.95, 0.9, 0.8, 0.9, 0.1, 0.9], np.float32)


def caption(curation: Curation | None, existing: str | None = None, **values: Any) -> str:
    return Captioner(LABELS, CaptionConfig.from_values(values), curation=curation)(SCORES, existing).text


def test_a_tag_that_is_left_out_is_in_no_caption() -> None:
    without = Curation(left_out=frozenset({"blue_hair", "general"}))
    assert caption(without, rating="first") == "1girl, smile, saber_(fate), hatsune_miku"
    assert caption(without, max_tags=2) == "1girl, saber_(fate)"
    assert caption(without, caption_style="noobai") == "1girl, saber (fate), hatsune miku, fate, smile"


def test_only_the_models_exact_name_is_left_out_and_nothing_is_remarked() -> None:
    captioner = Captioner(LABELS, CaptionConfig(), curation=Curation(left_out=frozenset({"blue hair", "*"})))
    assert captioner(SCORES).text == "1girl, blue_hair, smile, saber_(fate), hatsune_miku"
    assert captioner.remarks == ()


def test_the_users_own_words_stay() -> None:
    without = Curation(left_out=frozenset({"blue_hair", "smile"}))
    kept = "blue hair, smile, 1girl, saber_(fate), hatsune_miku"
    assert caption(without, trigger_words="blue hair", existing="smile", append_tags=True) == kept
    assert caption(without, caption_style="pony", existing="smile", append_tags=True) == (
        "rating_safe, 1girl, saber (fate), hatsune miku, smile"
    )


@pytest.mark.parametrize("expand", [{}, {"character_tag_expand": False}, {"character_tag_expand": True}])
def test_of_a_character_without_name_the_series_stays(expand: dict[str, Any]) -> None:
    without = Curation(without_name=frozenset({"saber_(fate)", "rin_(fate)", "hatsune_miku"}))
    assert caption(without, **expand) == "1girl, blue_hair, smile, fate"
    assert caption(without, caption_style="animagine", **expand) == "1girl, fate, safe, blue hair, smile"
    assert caption(without, tag_replacement="saber_(fate) -> artoria\nfate -> Fate", **expand) == (
        "1girl, blue_hair, smile, Fate"
    )


def test_other_characters_keep_their_names() -> None:
    without = Curation(without_name=frozenset({"saber_(fate)"}))
    assert caption(without) == "1girl, blue_hair, smile, fate, hatsune_miku"


def test_the_kept_tags_are_refined_before_they_are_ordered_and_counted() -> None:
    seen: list[list[int]] = []

    class WithoutBest:
        def __call__(self, kept: IndexArray) -> IndexArray:
            seen.append(kept.tolist())
            return np.setdiff1d(kept, [2])

        def tables(self) -> RefineTables:
            raise NotImplementedError

    assert caption(Curation(refine=WithoutBest()), max_tags=2, tag_order="score") == "blue_hair, saber_(fate)"
    assert seen == [[2, 3, 4, 5, 7]]


def test_an_empty_curation_changes_nothing() -> None:
    assert caption(Curation()) == caption(None)
