"""Which shards of a phase are complete, from its markers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from wd14.errors import ScaleError
from wd14.places import read_many
from wd14.scale.manifest import Manifest
from wd14.scale.marker import Marker
from wd14.scale.output import Output, Phase


@dataclass
class Done:
    """The shards that are complete."""

    shards: set[int] = field(default_factory=set)
    rows: int = 0
    failed: int = 0


def count_markers(output: Output, manifest: Manifest, phase: Phase, tick: Callable[[int, int], None]) -> Done:
    """Counts what is complete of a phase; see `markers`."""
    done = Done()
    for marker in markers(output, manifest, phase, tick):
        done.shards.add(marker.shard)
        done.rows += marker.rows
        done.failed += marker.failed
    return done


def markers(output: Output, manifest: Manifest, phase: Phase, tick: Callable[[int, int], None]) -> Iterator[Marker]:
    """All markers of a phase, in the shards' order: 10,000 take a second or two on a disk, half a minute on a store.

    Args:
        output: of the run.
        manifest: the run's.
        phase: whose markers.
        tick: is told how many were read, and of how many.

    Raises:
        ScaleError: a marker is another run's, or damaged.
        PlaceError: one cannot be read.
    """
    folder = output.markers(phase)
    names = folder.names()
    for number, (name, data) in enumerate(zip(names, read_many(folder / name for name in names), strict=True), 1):
        place = folder / name
        marker = Marker.from_bytes(data, place=str(place))
        if (
            marker.manifest != manifest.hash
            or name != output.marker(phase, marker.shard).name
            or marker.shard >= manifest.shards
        ):
            raise ScaleError(f"{place} is the marker of another run: remove it, and run again")
        yield marker
        tick(number, len(names))
