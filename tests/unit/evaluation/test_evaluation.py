"""The numbers of an evaluation against scikit-learn's, and the thresholds that were planted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import f1_score, precision_recall_fscore_support

from wd14.evaluation.histograms import EDGES, STEPS, ScoreHistograms
from wd14.evaluation.result import Result
from wd14.evaluation.thresholds import PRIOR, find_thresholds
from wd14.types import FloatArray, Labels

TAGS = 40
#: Where the tags of a planted dataset are true: of the general ones from 0.2 to 0.8, of the characters from 0.7 on.
PLANTED = np.concatenate([np.linspace(0.2, 0.8, 30), np.linspace(0.7, 0.9, 10)])
LABELS = Labels(tuple(f"tag {number}" for number in range(TAGS)), ("general",) * 30 + ("character",) * 10)


@dataclass
class Dataset:
    scores: FloatArray  # (N, T)
    truth: NDArray[np.bool_]  # (N, T)
    in_use: FloatArray  # (T,)

    def result(self) -> Result:
        histograms = ScoreHistograms(TAGS)
        for number, (scores, truth) in enumerate(zip(self.scores, self.truth, strict=True)):
            kept = np.flatnonzero(scores >= self.in_use)
            histograms.add(scores, np.flatnonzero(truth), kept, half=number % 2)
        return Result(LABELS, histograms, np.ones(TAGS, np.bool_), self.in_use)


def dataset(pictures: int, wrong: float) -> Dataset:
    """Scores at random; tags are true from their planted threshold on, but for a share that a person saw otherwise."""
    chance = np.random.default_rng(17)
    scores = EDGES[chance.integers(0, STEPS + 1, (pictures, TAGS))]  # on the edges, where >= and > differ
    scores[scores < np.float32(0.01)] = 0
    flipped = chance.random(scores.shape) < wrong
    return Dataset(scores, (scores >= PLANTED.astype(np.float32)) != flipped, np.full(TAGS, 0.35, np.float32))


@pytest.mark.parametrize("pictures", [30, 800])
def test_measures_are_those_of_scikit_learn(pictures: int) -> None:
    data = dataset(pictures, 0.1)
    data.truth[:, 3] = False  # a tag that no caption has
    kept = data.scores >= data.in_use
    result = data.result()
    expected = precision_recall_fscore_support(data.truth, kept, zero_division=0)
    found = {tag.tag: tag for tag in result.tags()}
    for number, name in enumerate(LABELS.names):
        tag = found[name]
        assert (tag.precision, tag.recall, tag.f1) == pytest.approx([each[number] for each in expected[:3]])
        assert tag.support == expected[3][number]
    there = [number for number in range(TAGS) if data.truth[:, number].any()]
    micro = precision_recall_fscore_support(data.truth, kept, average="micro")
    measured = result.all.in_use
    assert (measured.precision, measured.recall, measured.f1) == pytest.approx(micro[:3])
    assert measured.macro_f1 == pytest.approx(f1_score(data.truth[:, there], kept[:, there], average="macro"))
    general = f1_score(data.truth[:, :30], kept[:, :30], average="micro")
    assert result.categories[0].in_use.f1 == pytest.approx(general)
    assert sum(group.in_use.tags for group in result.frequencies) == len(there)


def test_planted_thresholds_are_found_and_captions_with_them_have_the_f1_that_is_said() -> None:
    data = dataset(4000, 0.02)
    result = data.result()
    found = list(result.tags())
    best = {tag.tag: tag.best for tag in found}
    assert [best[name] for name in LABELS.names] == pytest.approx(PLANTED, abs=0.02)
    chosen = {tag.tag: float(f"{tag.chosen:g}") for tag in found}  # as a file has it
    kept = data.scores >= np.array([chosen[name] for name in LABELS.names], np.float32)
    assert result.all.chosen.f1 == f1_score(data.truth, kept, average="micro")
    assert {tag.tag: tag.f1_chosen for tag in found} == pytest.approx(
        dict(zip(LABELS.names, f1_score(data.truth, kept, average=None), strict=True))
    )
    assert result.unseen is not None
    assert result.unseen.f1 == pytest.approx(result.all.chosen.f1, abs=0.01)


def test_rare_tags_are_drawn_towards_their_category() -> None:
    histograms = ScoreHistograms(TAGS)
    for number in range(100):
        scores = np.zeros(TAGS, np.float32)
        scores[:20] = [0.25, 0.15][number % 2]  # frequent, and true above 0.2
        scores[20] = 0.9 if number < 2 else 0.78  # rare, and true above 0.84
        scores[21] = 0.5  # kept, and never true
        scores[22] = 0.05  # found nowhere, and true everywhere
        truth = [*range(20)] * (number % 2 == 0) + [20] * (number < 2) + [22]
        kept = np.flatnonzero(scores >= np.float32(0.35))
        histograms.add(scores, np.array(truth, np.intp), kept, half=number % 2)
    in_use = np.full(TAGS, 0.35, np.float32)
    found = find_thresholds(histograms, LABELS.categories, np.ones(TAGS, np.bool_), in_use)
    category = found.categories["general"]
    assert EDGES[category] == pytest.approx(0.2, abs=0.01)
    assert EDGES[found.best[20]] == pytest.approx(0.84, abs=0.01)
    drawn = (2 * EDGES[found.best[20]] + PRIOR * EDGES[category]) / (2 + PRIOR)
    assert EDGES[found.chosen[20]] == pytest.approx(drawn, abs=1 / STEPS)
    assert found.chosen[21] == -1  # the category's is lower, and would keep it for even more pictures
    in_use[21] = 0.1
    assert find_thresholds(histograms, LABELS.categories, np.ones(TAGS, np.bool_), in_use).chosen[21] == category
    assert EDGES[found.best[22]] < 0.05
    assert found.chosen[22] == category  # no picture says where it is to end
    assert found.chosen[30] == -1  # no caption has it, and it is never kept: nothing is known of it


def test_an_edge_in_a_file_is_the_edge_that_was_counted() -> None:
    assert [np.float32(f"{edge / STEPS:g}") for edge in range(STEPS + 1)] == EDGES.tolist()
