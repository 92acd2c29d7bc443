"""The plan of a run's shards: what it is made of, and which captions stay."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.scale_runs import LABELS, MadeRun, captioned, failed, make_run
from wd14.curation.plan import Plan
from wd14.errors import ScaleError
from wd14.model.files.find import ModelFiles, find_model
from wd14.places import Place
from wd14.published import Published
from wd14.scale.model_labels import read_labels, write_labels
from wd14.scale.output import Output
from wd14.scale.studying import make_dataset_plan


@pytest.fixture
def model() -> ModelFiles:
    return replace(find_model("builtin/colours"), labels=LABELS, thresholds=Published({"general": 0.4}))


@pytest.fixture
def run(tmp_path: Path) -> MadeRun:
    rows = [captioned(f"{number}.png", number) for number in range(8)]
    return make_run(tmp_path / "out", [rows[:5], [failed("x.png")], rows[5:], None], {"fold_tags": "smile"})


def _plan(run: MadeRun, model: ModelFiles) -> Plan:
    said: list[str] = []
    return make_dataset_plan(run.output, run.manifest, run.config, model, None, said.append, lambda *_: None)


def test_all_shards_that_are_complete_are_studied(run: MadeRun, model: ModelFiles) -> None:
    plan = _plan(run, model)
    assert (plan.pictures, plan.left_out) == (8, ("smile",))
    assert plan.notes[0] == "1 shard of 4 could not be done, and had no say in the plan."
    assert Plan.from_json(plan.to_json()) == plan


def test_captions_by_another_plan_are_made_again(run: MadeRun, model: ModelFiles) -> None:
    _plan(run, model)
    marker = run.output.marker("plan", 0)
    marker.write(b"{}")
    _plan(run, model)
    assert marker.exists()
    run.output.plan.write(b"another")
    _plan(run, model)
    assert not marker.exists()


def test_a_summary_that_has_gone_is_named(run: MadeRun, model: ModelFiles) -> None:
    run.output.summary(2).remove()
    with pytest.raises(ScaleError, match=r"00002\.npz.*run the same command again"):
        _plan(run, model)


def test_labels_come_back_as_they_were(tmp_path: Path, model: ModelFiles) -> None:
    output = Output(Place(tmp_path))
    write_labels(output, model)
    found = read_labels(output.labels)
    assert (found.labels, found.identity) == (LABELS, model.identity)
    assert found.thresholds == Published({"general": 0.4})
    for damaged in (b"", b"[]", b'{"version": 9}', output.labels.read().replace(b'"solo"', b"1, 2")):
        output.labels.write(damaged)
        with pytest.raises(ScaleError, match=r"labels\.json is not as a run writes it"):
            read_labels(output.labels)
    output.labels.remove()
    with pytest.raises(ScaleError, match="has gone"):
        read_labels(output.labels)
