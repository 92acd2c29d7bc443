"""What a worker is told, and what it answers. Both travel between processes and machines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wd14.scale.marker import Marker
from wd14.scale.output import Phase


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be done to every shard; JSON can hold it (`dataclasses.asdict`)."""

    output: str  #: the output's place
    manifest: str  #: hash of the manifest that the output must have
    phase: Phase
    parameters: Mapping[str, Any]  #: those that the user set
    start: str  #: names the start of the run, so that attempts of earlier ones do not count
    cores: int | None = None  #: that a worker may use; None = all


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a shard; exactly one of the three is set."""

    shard: int
    marker: Marker | None = None
    set_aside: str | None = None  #: why it failed twice
    fatal: str | None = None  #: why no shard can be done: no model, a full disk, a row that failed with on_error=stop
    exit_code: int = 1  #: of the program, where it is fatal
    lines: tuple[str, ...] = ()  #: what a person should know, once a worker
