"""How far a run is, from its manifest, markers, attempts and leases alone: from any machine, while it runs or after."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from wd14.errors import ScaleError
from wd14.scale.attempts import KILLED, MOST_ATTEMPTS
from wd14.scale.lease import Holder, holders
from wd14.scale.manifest import Manifest, read_manifest
from wd14.scale.marker import read_markers
from wd14.scale.output import Output, Phase
from wd14.text import count, duration, listed, printable, share

#: Seconds of work, up to the last marker, over which the rate is taken.
_SPAN = 1800.0
#: Seconds without a sign after which a run counts as gone, as `lease` has it, with some for clocks that differ.
_GONE_AFTER = 120.0
#: Shards, reasons and runs that are named.
_NAMED = 20
_ATTEMPT = re.compile(r"(\d{5,})-(\d+)\.json")


@dataclass
class PhaseStatus:
    """How far a phase is."""

    phase: Phase
    shards: int = 0  #: that are complete
    rows: int = 0
    captioned: int = 0
    failed: int = 0
    rejected: int = 0
    reasons: Counter[str] = field(default_factory=Counter)  #: failures by their kind
    worked: float = 0.0  #: seconds, of all workers together
    rate: float = 0.0  #: pictures a second while it worked last, of all workers together
    last: float = 0.0  #: when the last shard was complete, seconds since 1970; 0 = none
    set_aside: Mapping[int, str] = field(default_factory=dict)  #: shards that failed twice, and why
    under_way: int = 0  #: shards with an attempt that has not ended


@dataclass(frozen=True)
class RunStatus:
    """How far a run is."""

    output: Output
    manifest: Manifest
    phases: tuple[PhaseStatus, ...]  #: the first, and with a study the captions after it
    at_work: tuple[Holder, ...]
    is_merged: bool

    @property
    def current(self) -> PhaseStatus:
        """The phase that the run is in."""
        left = (each for each in self.phases if each.shards < self.manifest.shards)
        return next(left, self.phases[-1])

    @property
    def rows_left(self) -> int:
        """Rows that the current phase has left; an estimate where they were not counted."""
        phase, manifest = self.current, self.manifest
        left = manifest.shards - phase.shards
        if manifest.rows is not None:
            return max(0, manifest.rows - phase.rows) if left else 0
        return round(left * (phase.rows / phase.shards if phase.shards else manifest.shard_rows))

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the current phase is complete, at its last rate; None while there is none."""
        return self.rows_left / self.current.rate if self.current.rate > 0 else None


def read_status(output: Output, tick: Callable[[int, int], None] = lambda *_: None) -> RunStatus:
    """Reads how far a run is. 10,000 shards take a second or two on a disk, half a minute on an object store.

    Args:
        output: of the run.
        tick: is told how many markers were read, and of how many.

    Raises:
        ScaleError: there is no run, or what is there is not as a run writes it.
        PlaceError: it cannot be read.
    """
    manifest = read_manifest(output)
    if manifest is None:
        raise ScaleError(f"{output.root} is not the OUTPUT of a run: it has no manifest.json (yet)")
    phases = tuple(_read_phase(output, manifest, phase, tick) for phase in manifest.phases)
    current = next((each for each in phases if each.shards < manifest.shards), None)
    at_work = tuple(each for each in holders(output) if _is_there(each))
    if current is not None:
        _read_attempts(output, manifest, current, is_at_work=bool(at_work))
    return RunStatus(output, manifest, phases, at_work, output.success.exists())


def _read_phase(output: Output, manifest: Manifest, phase: Phase, tick: Callable[[int, int], None]) -> PhaseStatus:
    status = PhaseStatus(phase)
    ends: list[tuple[float, float, int]] = []
    for marker in read_markers(output, manifest, phase, tick):
        status.shards += 1
        status.rows += marker.rows
        status.captioned += marker.captioned
        status.failed += marker.failed
        status.rejected += marker.rejected
        status.reasons.update(marker.reasons)
        status.worked += marker.seconds
        ends.append((marker.at, marker.seconds, marker.rows))
    if ends:
        table = np.array(ends, np.float64)
        status.rate, status.last = rate_of(table), float(table[:, 0].max())
    return status


def rate_of(shards: NDArray[np.float64]) -> float:
    """Pictures a second of all workers together, over the last half hour of work.

    A shard's pictures count evenly over its seconds. The window ends a shard's time before the last marker, since what
    is under way after that has no marker yet; a run that is too short for that is taken as a whole. Nights between two
    runs count as nothing.

    Args:
        shards: (S, 3): when each was complete, its seconds, its pictures.
    """
    ends, seconds, rows = shards[:, 0], np.maximum(shards[:, 1], 1e-3), shards[:, 2]
    begins = ends - seconds
    last, usual = float(ends.max()), float(np.median(seconds))
    end = last - usual if last - float(begins.min()) > 3 * usual else last
    within = (ends > end - _SPAN) & (begins < end)
    if not within.any():  # it fell into a night: what was done since then is short
        end = last
        within = ends > end - _SPAN
    ends, begins, rows, seconds = ends[within], begins[within], rows[within], seconds[within]
    begin = max(end - _SPAN, float(begins.min()))
    overlap = np.clip(np.minimum(ends, end) - np.maximum(begins, begin), 0.0, None)
    worked = _length_of_union(np.maximum(begins, begin), np.minimum(ends, end))
    return float((rows * overlap / seconds).sum() / worked) if worked > 0 else 0.0


def _length_of_union(begins: NDArray[np.float64], ends: NDArray[np.float64]) -> float:
    """Seconds in which at least one shard was under way."""
    order = np.argsort(begins)
    begins, ends = begins[order], np.maximum.accumulate(ends[order])
    before = np.concatenate([begins[:1], ends[:-1]])
    return float(np.clip(ends - np.maximum(begins, before), 0.0, None).sum())


def _is_there(holder: Holder) -> bool:
    return holder.is_alive() or (not holder.is_dead() and time.time() - holder.at < _GONE_AFTER)


def _read_attempts(output: Output, manifest: Manifest, status: PhaseStatus, *, is_at_work: bool) -> None:
    """Finds the shards that failed twice since a start, and those under way; a marker counts more than attempts."""
    folder = output.root / "attempts"
    done = set(output.markers(status.phase).names())
    latest: dict[int, tuple[str, int, str]] = {}  # shard: its last start, attempt, file
    for start in sorted(each.relative for each in folder.entries() if each.relative.endswith("/")):
        for name in (folder / start.rstrip("/")).names():
            found = _ATTEMPT.fullmatch(name)
            if found is None or f"{found[1]}.json" in done or int(found[1]) >= manifest.shards:
                continue
            shard, attempt = int(found[1]), int(found[2])
            latest[shard] = max(latest.get(shard, ("", 0, "")), (start, attempt, f"{start}{name}"))
    set_aside = {}
    for shard, (_, attempt, file) in sorted(latest.items()):
        try:
            reason = json.loads((folder / file).read()).get("reason")
        except FileNotFoundError:  # it has just succeeded
            continue
        except ValueError:
            reason = None
        if attempt >= MOST_ATTEMPTS and (reason or not is_at_work):
            set_aside[shard] = str(reason or KILLED)
        elif is_at_work and not reason:
            status.under_way += 1
    status.set_aside = set_aside


def status_lines(status: RunStatus) -> Iterator[str]:
    """How far a run is, for a person."""
    manifest, phase = status.manifest, status.current
    about = "about " if manifest.rows is None else ""
    yield (
        f"{status.output.root}: captions of {manifest.source_name}, {about}"
        f"{count(manifest.expected_rows, 'picture')} in {count(manifest.shards, 'shard')}, by {manifest.model}"
    )
    for each in status.phases:
        if each is phase or each.shards:
            yield from _phase_lines(status, each)
    if status.is_merged:
        missing = manifest.shards - phase.shards
        without = f" without {share(missing, manifest.shards, 'shard')}" if missing else ""
        yield f"Everything{' else' if missing else ''} is merged: the run is complete{without}."
    elif phase.shards == manifest.shards and not status.at_work:
        yield "All shards are done and not merged yet: run the same command again."
    else:
        yield from _work_lines(status)


def _phase_lines(status: RunStatus, phase: PhaseStatus) -> Iterator[str]:
    total = status.manifest.shards
    name = "Captions by the plan" if phase.phase == "plan" else "Done"
    yield (
        f"{name}: {share(phase.shards, total, 'shard')} ({phase.shards / max(1, total):.0%}), "
        f"{count(phase.rows, 'picture')}, {phase.captioned:,} with a caption"
        + (f", {phase.rejected:,} rejected" if phase.rejected else "")
    )
    if phase.failed:
        reasons = [f"{number:,} {reason}" for reason, number in phase.reasons.most_common()]
        yield f"Failed: {count(phase.failed, 'picture')}" + (f": {listed(reasons, _NAMED)}" if reasons else "")
    if phase.set_aside:
        yield f"Set aside, since they failed twice: {count(len(phase.set_aside), 'shard')}. The next run tries again."
        for shard, reason in list(phase.set_aside.items())[:_NAMED]:
            yield f"  shard {shard}: {printable(reason)}"
        if len(phase.set_aside) > _NAMED:
            yield f"  and {len(phase.set_aside) - _NAMED:,} more"


def _work_lines(status: RunStatus) -> Iterator[str]:
    phase, manifest = status.current, status.manifest
    left = manifest.shards - phase.shards
    about = "about " if manifest.rows is None else ""
    line = f"Left: {count(left, 'shard')}, {about}{count(status.rows_left, 'picture')}"
    if status.seconds_left is not None:
        is_alone = "" if status.at_work else " of work"
        line += f"; at {phase.rate:,.1f} pictures/s {duration(status.seconds_left)}{is_alone}"
    yield line
    if not status.at_work:
        yield "Nobody is at work. To go on, run the same command again."
    for holder in status.at_work[:_NAMED]:
        yield f"At work: {holder}"
    if len(status.at_work) > _NAMED:
        yield f"At work: {len(status.at_work) - _NAMED:,} more"
    if status.at_work and phase.last:
        yield f"{count(phase.under_way, 'shard')} under way; the last was complete {_ago(phase.last)}."


def _ago(at: float) -> str:
    return f"{duration(max(0.0, time.time() - at))} ago"
