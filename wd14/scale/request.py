"""What a user asks of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from wd14.data.pieces import SHARD_ROWS
from wd14.scale.engines import Resources
from wd14.scale.manifest import Format

EngineName = Literal["local", "ray"]


@dataclass(frozen=True)
class ScaleRequest:
    """What a user asks for."""

    source: str
    output: str
    parameters: Mapping[str, Any] = field(default_factory=dict)  #: typed, or as strings
    engine: EngineName = "local"
    resources: Resources = field(default_factory=Resources)
    format: Format = "parquet"
    shard_rows: int = SHARD_ROWS
    part: tuple[int, int] | None = None  #: (index from 0, how many): this process does every n-th shard
    push_to_hub: str | None = None  #: owner/name
    skip_failed: bool = False  #: merge without the shards that failed twice
