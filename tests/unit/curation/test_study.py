"""The numbers of a study, against a table of the same pictures that pandas works out."""

from __future__ import annotations

import hashlib
import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.planted_set import LABELS, THRESHOLD, study_of
from wd14.curation.study import MOST_SAMPLES, SHARE_OF_1GIRL, Study
from wd14.types import Labels


def digest_of(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Scores of 700 pictures, so that sums are added up more than once; one picture has no tag."""
    scores = np.random.default_rng(7).random((700, len(LABELS)), np.float32)
    scores[:, [LABELS.names.index("2girls"), LABELS.names.index("solo")]] *= 0.5
    scores[13] = 0.1
    return pd.DataFrame(scores, columns=list(LABELS.names))


@pytest.fixture(scope="module")
def study(table: pd.DataFrame) -> Study:
    study = Study(LABELS)
    for row, scores in enumerate(table.to_numpy()):
        name = f"{row}.png"
        study.add(np.flatnonzero(scores >= THRESHOLD), scores, name=name, digest=digest_of(name))
    return study


def test_numbers_are_those_of_pandas(study: Study, table: pd.DataFrame) -> None:
    kept = table >= THRESHOLD
    single = kept[["1girl", "1boy"]].sum(axis=1) == 1
    one_person = ~kept["2girls"] & (kept["solo"] | single)
    usual = np.array([count or np.nan for count in LABELS.counts]) / (5_113_288 / 0.7082)
    assert study.pictures == 700
    np.testing.assert_allclose(study.frequency, kept.mean().to_numpy())
    np.testing.assert_allclose(study.lift, kept.mean().to_numpy() / usual)
    np.testing.assert_allclose(study.soft_frequency, table[one_person].mean().to_numpy(), rtol=1e-5)
    assert study.pictures_of_one_person == one_person.sum()
    assert study.one_person.tolist() == one_person.tolist()
    halo, smile = LABELS.names.index("halo"), LABELS.names.index("smile")
    assert study.rows(halo).tolist() == kept.index[kept["halo"]].tolist()
    assert study.co_occurrence(halo, smile) == (kept["halo"] & kept["smile"]).sum()
    assert study.counts_among(kept["halo"].to_numpy()).tolist() == kept[kept["halo"]].sum().tolist()
    assert [LABELS.names[tag] for tag in study.kept(40)] == [
        name for name, score in zip(LABELS.names, table.to_numpy()[40], strict=True) if score >= THRESHOLD
    ]
    assert (study.name(0), study.name(699)) == ("0.png", "699.png")


def test_lift_is_not_known_without_counts() -> None:
    tags = ("1girl", "halo")
    assert np.isnan(study_of([["halo"]], Labels(tags, ("general", "general"))).lift).all()
    assert np.isnan(study_of([["halo"]], Labels(tags, ("general", "general"), counts=(0, 9))).lift).all()
    assert study_of([["1girl"]], Labels(tags, ("general", "general"), counts=(9, 9))).lift[0] == 1 / SHARE_OF_1GIRL


@pytest.mark.parametrize(
    ("tags", "one"),
    [
        ("solo", True),
        ("1girl", True),
        ("1girl 1boy", False),
        ("1girl 1boy solo", True),
        ("2girls", False),
        ("2girls solo", False),
        ("smile", False),
        ("", False),
    ],
)
def test_pictures_of_one_person(tags: str, one: bool) -> None:
    assert study_of([tags.split()]).one_person.tolist() == [one]


@given(number=st.integers(0, 300))
def test_samples_are_spread_over_all_pictures(number: int) -> None:
    labels = Labels(("a",), ("general",))
    study = study_of([[]] * number, labels)
    rows = [int(sample.name[1:4]) for sample in study.samples]
    assert rows[:1] == [0][:number]
    assert min(number, MOST_SAMPLES // 2) <= len(rows) <= MOST_SAMPLES
    assert len({after - before for before, after in itertools.pairwise(rows)}) <= 1
    assert not rows or number - rows[-1] <= 2 * number / len(rows)


def test_a_sample_keeps_its_scores_when_the_batch_is_used_again() -> None:
    study, scores = Study(LABELS), np.full(len(LABELS), 0.5, np.float32)
    study.add(np.arange(3), scores, name="a.png", digest=b"")
    scores[:] = 0
    assert study.samples[0].scores.min() == 0.5


def test_digests_tell_pictures_whatever_their_order() -> None:
    names = [f"p{number:03}.png" for number in range(30)]
    smallest = sorted(digest_of(name).hex()[:16] for name in names)[:5]
    study = study_of([["solo"]] * 30)
    assert study.smallest_digests(5) == smallest
    assert (study.holds([*smallest, "0" * 16]), study.holds([])) == (5, 0)


def test_names_that_are_no_text_and_a_study_of_nothing() -> None:
    study = Study(LABELS)
    assert (study.pictures, study.frequency.sum(), study.soft_frequency.sum(), study.rows(0).size) == (0, 0, 0, 0)
    assert study.smallest_digests(3) == []
    study.add(np.arange(0), np.zeros(len(LABELS), np.float32), name="bad\udcff.png", digest=b"ab")
    assert (study.name(0), study.kept(0).size, study.rows(0).size) == ("bad\udcff.png", 0, 0)


def test_more_tags_than_16_bits_can_number() -> None:
    labels = Labels(tuple(f"t{number}" for number in range(70_000)), ("general",) * 70_000)
    assert study_of([["t69999", "t3"]], labels).kept(0).tolist() == [3, 69_999]
