"""One phase of a run: its shards given to an engine, counted, and those that fail set aside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from wd14.errors import ScaleError
from wd14.scale.engines import Engine
from wd14.scale.link import RunLink, Standing
from wd14.scale.manifest import Manifest
from wd14.scale.marker import Done
from wd14.scale.output import Output
from wd14.scale.task import Outcome, Task
from wd14.stop import StopToken
from wd14.threads import OrderedMap
from wd14.types import Log

#: Seconds that an engine has to end its workers, before it is waited for no longer.
_PATIENCE = 15.0


@dataclass
class Counts:
    """How far a phase is. Each field is written by one thread."""

    shards: int
    rows: int | None  #: None = not counted
    shard_rows: int
    shards_done: int = 0
    rows_done: int = 0
    failed: int = 0
    set_aside: dict[int, str] = field(default_factory=dict)

    def add(self, rows: int, failed: int) -> None:
        """Counts a shard that is complete."""
        self.shards_done += 1
        self.rows_done += rows
        self.failed += failed

    def standing(self, under_way: int) -> Standing:
        """For a person; a total that nobody counted is estimated from the shards that are done."""
        note = f"{self.shards_done:,} of {self.shards:,} shards"
        if self.set_aside:
            note += f", {len(self.set_aside):,} set aside"
        return Standing(self.rows_done + under_way, self._total(), self.failed, note)

    def _total(self) -> int:
        if self.rows is not None:
            return self.rows
        if self.shards_done == self.shards:
            return self.rows_done
        mean = self.rows_done / self.shards_done if self.shards_done else self.shard_rows
        return self.rows_done + round(mean * (self.shards - self.shards_done))


def shards_of(manifest: Manifest, part: tuple[int, int] | None) -> range:
    """The shards that a part does: every n-th one, so that parts are alike; all, where there are no parts."""
    index, parts = part or (0, 1)
    return range(index, manifest.shards, parts)


def counts_of(manifest: Manifest, done: Done, part: tuple[int, int] | None) -> Counts:
    """The counts of a phase, or of a part of it, as it begins.

    Of a part, its pictures are taken to be as many as its shards are of all shards.
    """
    own = shards_of(manifest, part)
    there = sum(shard in done.shards for shard in own)
    mean = done.rows / len(done.shards) if done.shards else 0.0
    return Counts(
        shards=len(own),
        rows=manifest.rows
        if part is None or manifest.rows is None
        else round(manifest.rows * len(own) / manifest.shards),
        shard_rows=manifest.shard_rows,
        shards_done=there,
        rows_done=done.rows if part is None else round(mean * there),
        failed=done.failed if part is None else 0,
    )


class FatalError(ScaleError):
    """No shard can be done."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def do_shards(
    engine: Engine, task: Task, shards: Sequence[int], counts: Counts, link: RunLink, stop: StopToken, name: str
) -> None:
    """Has an engine do shards; what is set aside is in the counts.

    Raises:
        FatalError: no shard can be done.
        ScaleError: no worker can be kept alive.
        JobStoppedError: a stop was asked for.
    """
    said: set[str] = set()
    ending = StopToken(stop)
    link.begin(name, lambda: counts.standing(engine.rows_under_way))
    # A thread of its own waits for the engine, so that this one shows progress and obeys a stop.
    outcomes = OrderedMap(
        lambda outcome: outcome,
        engine.run(task, shards, log=link.say, stop=ending),
        workers=1,
        window=64,
        name="wd14-engine",
    )
    try:
        for outcome in link.each(outcomes.take):
            _note(outcome, counts, link, said)
    finally:
        ending.request("the run has ended")
        outcomes.close(_PATIENCE)
        link.end()


def _note(outcome: Outcome, counts: Counts, link: RunLink, said: set[str]) -> None:
    for line in outcome.lines:
        if line not in said:  # every worker says it
            said.add(line)
            link.say(line)
    if outcome.fatal is not None:
        raise FatalError(outcome.fatal, outcome.exit_code)
    if outcome.marker is not None:
        counts.add(outcome.marker.rows, outcome.marker.failed)
    elif outcome.set_aside is not None:
        counts.set_aside[outcome.shard] = outcome.set_aside
        link.say(f"Set aside: shard {outcome.shard}: {outcome.set_aside}")


def forget_lost_shards(output: Output, manifest: Manifest, say: Log) -> None:
    """Removes the markers of shards whose files are gone, so that they are made again.

    Raises:
        PlaceError: the output cannot be read or written.
    """
    # In the order of which the later one is written first: nothing that a worker writes meanwhile looks lost.
    planned, markers = output.markers("plan"), output.markers("score")
    with_plan, done = planned.names(), markers.names()
    there = {f"{folder}/{name}" for folder in ("shards", "summaries") for name in (output.root / folder).names()}
    for name in done:
        stem = name.removesuffix(".json")
        files = [*(f"shards/{stem}{ending}" for ending in manifest.endings), f"summaries/{stem}.npz"]
        if lost := [file for file in files if file not in there]:
            say(f"{output.root / lost[0]} has gone: shard {stem} is made again.")
            for each in (output.success, planned / name, markers / name):
                each.remove()
    for name in set(with_plan).difference(done):  # its shard is made again, without the plan at first
        (planned / name).remove()
