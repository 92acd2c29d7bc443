"""Runs of `scale` whose workers are in the test's own process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from wd14.data.cutting import list_source
from wd14.model.files.find import find_model
from wd14.places import Place
from wd14.scale.engines import Resources
from wd14.scale.manifest import Format
from wd14.scale.marker import Marker
from wd14.scale.output import Output
from wd14.scale.parameters import given_parameters, read_parameters
from wd14.scale.planning import describe, look_over, plan_run
from wd14.scale.task import Outcome, Task
from wd14.scale.worker import Worker
from wd14.stop import StopToken
from wd14.types import Log


class InProcess:
    """An engine that does all shards in this process: what a worker does is the same wherever it runs."""

    rows_under_way = 0

    def __init__(self, resources: Resources) -> None:
        pass

    def run(self, task: Task, shards: Sequence[int], *, log: Log, stop: StopToken) -> Iterator[Outcome]:
        worker = Worker(task)
        for shard in shards:
            yield worker(shard)


def planned(source: Path, output: Path, *, rows: int, form: Format = "parquet", **parameters: Any) -> tuple[Task, int]:
    """Plans a run as the driver does; returns what its workers are told, and how many shards there are."""
    config = read_parameters(parameters)
    listing = list_source(str(source), config, log=lambda _: None)
    listed = look_over(listing, lambda _: None)
    asked = describe(listing, listed, config, find_model(config.model), form=form, shard_rows=rows)
    manifest = plan_run(Output(Place(output)), listing, config, asked, lambda _: None)
    return Task(
        str(output), manifest.hash, "score", given_parameters(config, Output(Place(output))), start="a-start"
    ), manifest.shards


def done(task: Task, shards: int, *, cores: int | None = None, backwards: bool = False) -> list[Marker]:
    """Has one worker do all shards."""
    worker = Worker(replace(task, cores=cores))
    markers = []
    for shard in reversed(range(shards)) if backwards else range(shards):
        outcome = worker(shard)
        assert outcome.marker is not None, outcome
        markers.append(outcome.marker)
    return markers
