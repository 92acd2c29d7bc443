"""What models disagree on is counted as a person would, worst first."""

from __future__ import annotations

import numpy as np
import pytest

from wd14.ensemble import disagreement
from wd14.ensemble.disagreement import DisagreementTally
from wd14.ensemble.vocabulary import joint_vocabulary
from wd14.ensemble.votes import Combiner
from wd14.types import FloatArray, Labels

FIRST = Labels(("safe", "smile", "hat", "cat"), ("rating", "general", "general", "general"))
SECOND = Labels(("Smile", "hat", "dog"), ("general", "general", "general"))


def scores(*values: float) -> FloatArray:
    return np.array(values, np.float32)


def tally_of_two(votes: int = 2) -> DisagreementTally:
    thresholds = [scores(2, 0.5, 0.5, 0.5), scores(0.5, 0.5, 0.5)]
    combiner = Combiner(joint_vocabulary([FIRST, SECOND]), thresholds, votes)
    return DisagreementTally(combiner, ["one", "two"])


def test_the_worst_tags_and_pictures_come_first() -> None:
    tally = tally_of_two()
    tally.add(0, "a.png", (scores(0.9, 0.9, 0.9, 0.9), scores(0.1, 0.45, 0.9)))  # smile by far, hat a little
    tally.add(1, "b.png", (scores(0.1, 0.9, 0.1, 0.1), scores(0.9, 0.1, 0.1)))  # of one mind
    tally.add(2, "c.png", (scores(0.9, 0.4, 0.1, 0.9), scores(0.6, 0.1, 0.9)))  # smile, the other way round

    found = tally.conclude()

    smile, hat = found.tags
    assert (smile.name, smile.pictures, smile.kept, smile.keepers, smile.rows) == ("smile", 2, 0, (1, 1), (0, 2))
    assert smile.apart == pytest.approx((0.8 + 0.2) / 2)
    assert (hat.name, hat.pictures, hat.keepers, hat.rows) == ("hat", 1, (1, 0), (0,))
    assert [(each.label, each.tags) for each in found.worst] == [("a.png", ("smile", "hat")), ("c.png", ("smile",))]
    assert (found.pictures, found.disputed) == (3, 2)
    assert list(found.lines()) == ["The models disagree most on smile in 2 pictures, hat in 1."]
    assert found.as_json()["tags"][0]["kept_by"] == {"one": 1, "two": 1}
    pictures, first, _ = found.findings()
    assert (pictures["reason"], pictures["rows"]) == ("The models disagree in 2 pictures of 3", [0, 2])
    words = "smile in 2 pictures: one keeps it in 1, two in 1; the vote in 0"
    assert (first["reason"], first["rows"]) == (words, [0, 2])


def test_what_one_model_alone_knows_is_not_disputed_and_what_one_vote_keeps_is_kept() -> None:
    tally = tally_of_two(votes=1)
    tally.add(0, "a.png", (scores(0, 0.9, 0, 0.9), scores(0.1, 0, 0)))  # the second model knows no cat

    (smile,) = tally.conclude().tags

    assert (smile.name, smile.kept) == ("smile", 1)


def test_memory_and_answers_stay_small_however_many_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disagreement, "WORST_PICTURES", 3)
    tally = tally_of_two()
    sure = [0.6, 0.9, 0.7, 0.95, 0.6, 0.8]
    for row, score in enumerate(sure):
        tally.add(row, f"{row}.png", (scores(0, score, 0, 0), scores(0.1, 0, 0)))

    found = tally.conclude()

    assert found.tags[0].pictures == 6
    assert found.tags[0].rows == (3, 1, 5)
    assert [each.row for each in found.worst] == [3, 1, 5]
