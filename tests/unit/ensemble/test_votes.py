"""A joint vocabulary, and votes over it: a tag is kept exactly where enough models keep it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from wd14.ensemble.vocabulary import joint_vocabulary
from wd14.ensemble.votes import Combiner, Scale
from wd14.types import UNUSED, FloatArray, Labels

FIRST = Labels(
    ("solo", "long_hair", "rin", "general"), ("general", "general", "character", "rating"), counts=(9, 8, 7, 6)
)
SECOND = Labels(
    ("General", "pad", "Long Hair", "general", "grey_eyes", "gray_eyes", "Solo"),
    ("rating", UNUSED, "general", "general", "general", "general", "character"),
)


def f32(*values: float) -> FloatArray:
    return np.array(values, np.float32)


def test_tags_are_matched_in_any_spelling_and_by_alias() -> None:
    joint = joint_vocabulary([FIRST, SECOND], {"gray_eyes": "grey_eyes"})
    assert joint.labels.names == ("solo", "long_hair", "rin", "general", "general", "grey_eyes")
    assert joint.labels.categories == ("general", "general", "character", "rating", "general", "general")
    assert joint.labels.counts == (9, 8, 7, 6, 0, 0)
    assert [places.tolist() for places in joint.places] == [[0, 1, 2, 3], [3, 6, 1, 4, 5, 5, 0]]
    assert joint.known.tolist() == [[True, True, True, True, False, False], [True, True, False, True, True, True]]
    assert joint.shared_with(0) == joint.shared_with(1) == 2
    only_ratings = joint_vocabulary([FIRST, Labels(("general", "x"), ("rating", "general"))])
    assert only_ratings.shared_with(1) == 0


def test_a_calibrated_score_is_on_its_thresholds_side_and_moves_like_a_score() -> None:
    dice = np.random.default_rng(1)
    own, common = dice.uniform(0.01, 1, (2, 400)).astype(np.float32)
    own[:4], common[:4] = (1, 0.3, 2, 0.5), (0.3, 1, 0.4, 0.5)
    where = np.arange(own.size)
    scale = Scale(own, common)
    close = [np.nextafter(own, np.float32(0)), own, np.nextafter(own, np.float32(2))]
    steps = [*(np.full(own.size, step, np.float32) for step in np.linspace(0, 1, 101)), *close]
    for scores in (np.minimum(each, np.float32(1)) for each in steps):
        found = scale(scores, where)
        assert found.dtype == np.float32
        assert ((found >= common) == (scores >= own)).all()
        assert ((found >= 0) & (found <= 1)).all()
    rising = [scale(np.full(own.size, step, np.float32), where) for step in np.linspace(0, 1, 101)]
    assert all((low <= high).all() for low, high in pairwise(rising))
    assert scale(f32(0.7), np.array([3])).tolist() == [np.float32(0.7)]  # as it was, where both thresholds are one


def test_a_tag_is_kept_exactly_where_enough_models_keep_it() -> None:
    dice = np.random.default_rng(2)
    models = [Labels(tuple(f"t{n}" for n in range(start, start + 60)), ("general",) * 60) for start in (0, 20, 50)]
    joint = joint_vocabulary(models)
    thresholds = list(dice.uniform(0.05, 0.95, (3, 60)).astype(np.float32))
    thresholds[1][5] = np.inf
    for votes in (1, 2, 3):
        combiner = Combiner(joint, thresholds, votes)
        for _ in range(20):
            scores = [(dice.random(60) * dice.integers(0, 2, 60)).astype(np.float32) for _ in models]
            scores[0][3] = thresholds[0][3]
            kept = [
                {name for name, s, t in zip(labels.names, own, at, strict=True) if s >= t}
                for labels, own, at in zip(models, scores, thresholds, strict=True)
            ]
            expected = {
                name
                for name in joint.labels.names
                if sum(name in each for each in kept) >= min(votes, sum(name in labels.names for labels in models))
            }
            combined = combiner(scores)
            assert {joint.labels.names[i] for i in np.flatnonzero(combined >= combiner.thresholds)} == expected


def test_ratings_get_the_mean_of_the_models_that_have_them() -> None:
    third = Labels(("general", "explicit", "solo"), ("rating", "rating", "general"))
    joint = joint_vocabulary([FIRST, SECOND, third])
    thresholds = [f32(0.5, 0.5, 0.5, np.inf), np.full(7, 0.5, np.float32), f32(np.inf, np.inf, 0.5)]
    combiner = Combiner(joint, thresholds, 2)
    combined = combiner([f32(0.9, 0.2, 0.8, 0.6), f32(0.3, 0, 0.3, 0.7, 0, 0, 0.6), f32(0.3, 0.8, 0.1)])
    assert joint.labels.names[-1] == "explicit"
    assert np.allclose(combined, [0.6, 0.2, 0.8, 0.4, 0.7, 0, 0, 0.8])
    assert combiner.thresholds[0] == np.float32(0.5)
    assert combiner.thresholds[3] == np.inf
