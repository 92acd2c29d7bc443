"""The marker of a shard that is complete: its counts, and how it was made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from wd14.errors import ScaleError


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
