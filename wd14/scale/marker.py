"""The markers: a shard that has one is complete. Its counts are in it, and how it was made."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from wd14.errors import ScaleError
from wd14.places import Place, read_many
from wd14.scale.manifest import Manifest
from wd14.scale.output import Output, Phase


@dataclass(frozen=True, slots=True)
class Marker:
    """What is known of a complete shard. Everything but the last five fields is the same whenever it is made."""

    shard: int
    manifest: str  #: hash of the run's manifest
    rows: int
    captioned: int
    failed: int = 0
    rejected: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)  #: failures by their kind, in words
    failures: tuple[tuple[str, str], ...] = ()  #: the first ten: (id, reason)
    without_tags: int = 0
    too_long: int = 0
    first: str = ""  #: id of the first row
    last: str = ""
    size: int = 0  #: bytes of the shard's files
    sha256: str = ""  #: of its rows' file
    archive_sha256: str = ""
    summary_sha256: str = ""
    seconds: float = 0.0  #: that the shard took
    at: float = 0.0  #: when it was complete, seconds since 1970
    host: str = ""
    device: str | None = None  #: what the model ran on
    precision: str | None = None  #: what it ran in: "exact" or "fast"
    versions: Mapping[str, str] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """As its file holds it."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def from_bytes(cls, data: bytes, *, place: str) -> Marker:
        """From its file.

        Raises:
            ScaleError: it is not as a run writes it.
        """
        try:
            values: dict[str, Any] = json.loads(data)
            values["failures"] = tuple((str(name), str(reason)) for name, reason in values.get("failures", ()))
            return cls(**values)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise ScaleError(f"{place} is no marker of a run ({error}): remove it, and run again") from error


@dataclass
class Done:
    """The shards of a phase that are complete."""

    shards: set[int] = field(default_factory=set)
    rows: int = 0
    failed: int = 0


def count_markers(
    output: Output, manifest: Manifest, phase: Phase, tick: Callable[[int, int], None] = lambda *_: None
) -> Done:
    """Counts what is complete of a phase; see `read_markers`."""
    done = Done()
    for marker in read_markers(output, manifest, phase, tick):
        done.shards.add(marker.shard)
        done.rows += marker.rows
        done.failed += marker.failed
    return done


def read_markers(
    output: Output, manifest: Manifest, phase: Phase, tick: Callable[[int, int], None] = lambda *_: None
) -> Iterator[Marker]:
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
    names = sorted(folder.names(), key=lambda name: (len(name), name))  # 99999.json comes before 100000.json
    places = [folder / name for name in names]
    for number, (place, data) in enumerate(zip(places, read_many(places), strict=True), 1):
        marker = _parsed(data, place, manifest.hash)
        if place != output.marker(phase, marker.shard) or marker.shard >= manifest.shards:
            raise _of_another(place)
        yield marker
        tick(number, len(names))


def read_marker(output: Output, manifest: Manifest, phase: Phase, shard: int) -> Marker:
    """The marker of a shard.

    Raises:
        FileNotFoundError: there is none: the shard is not complete.
        ScaleError: it is another run's, or damaged.
        PlaceError: it cannot be read.
    """
    place = output.marker(phase, shard)
    marker = _parsed(place.read(), place, manifest.hash)
    if marker.shard != shard:
        raise _of_another(place)
    return marker


def _parsed(data: bytes, place: Place, manifest: str) -> Marker:
    marker = Marker.from_bytes(data, place=str(place))
    if marker.manifest != manifest:
        raise _of_another(place)
    return marker


def _of_another(place: Place) -> ScaleError:
    return ScaleError(f"{place} is the marker of another shard or run: remove it, and run again")
