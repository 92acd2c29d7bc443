"""What is said without captioning: how far a run is, and how long one would take."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from wd14.places import Place
from wd14.scale.estimate import Estimate, estimate, estimate_lines
from wd14.scale.link import RunLink, Tick
from wd14.scale.manifest import read_manifest
from wd14.scale.output import Output
from wd14.scale.parameters import read_parameters
from wd14.scale.status import read_status, status_lines
from wd14.stop import StopToken
from wd14.types import Log, Progress


def status_of(output: str, *, log: Log, progress: Callable[[Progress], None], stop: StopToken) -> Iterator[str]:
    """Lines that say how far the run in a folder is.

    Raises:
        ScaleError: there is no run.
        PlaceError: it cannot be read.
        JobStoppedError: a stop was asked for.
    """
    link = RunLink(log, progress, stop)
    yield from status_lines(link.work("Reading", "shard", lambda tick: read_status(Output(Place(output)), tick)))


def estimate_of(
    source: str,
    parameters: dict[str, Any],
    *,
    workers: int,
    price: float | None,
    shard_rows: int,
    log: Log,
    progress: Callable[[Progress], None],
    stop: StopToken,
) -> Iterator[str]:
    """Lines that say how long a source would take, by a sample of it.

    Raises:
        CaptionerError: the source cannot be read, or the model cannot be used.
        JobStoppedError: a stop was asked for.
    """
    link = RunLink(log, progress, stop)
    planned = read_manifest(Output(Place(source)))
    if planned is not None:  # what was planned, with what the user says now
        parameters = {key: planned.parameters[key] for key in planned.given if key in planned.parameters} | parameters
    config = read_parameters(parameters)

    def measure(tick: Tick) -> Estimate:
        return estimate(
            source,
            config,
            workers=workers,
            price=price,
            shard_rows=shard_rows,
            log=link.say,
            tick=tick,
            stop=stop,
        )

    yield from estimate_lines(link.work("Sample", "picture", measure))
