"""Runs of `scale` whose shards are all done, written by the program's own writers, without a model or a picture."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from wd14.config import CaptionConfig
from wd14.model.files.find import ModelFiles
from wd14.places import Place
from wd14.published import Published
from wd14.scale.manifest import Manifest
from wd14.scale.model_labels import write_labels
from wd14.scale.output import Output
from wd14.scale.shard_file import RowRecord
from wd14.scale.shard_output import ShardOutput
from wd14.scale.summary import SummaryWriter
from wd14.types import Labels

LABELS = Labels(
    ("general", "explicit", "1girl", "solo", "long_hair", "blue_hair", "red_eyes", "smile", "outdoors", "a_(b)"),
    ("rating", "rating", *["general"] * 7, "character"),
    counts=(0, 0, 5_000_000, 4_000_000, 3_000_000, 700_000, 900_000, 2_000_000, 400_000, 300),
)


@dataclass(frozen=True)
class MadeRun:
    """A run that can be merged."""

    output: Output
    manifest: Manifest
    config: CaptionConfig


def captioned(
    name: str, picture: object, tags: Sequence[str] = ("1girl", "solo", "smile", "outdoors", "long_hair")
) -> RowRecord:
    """A row with a caption of these tags; equal `picture`s are the same to the byte."""
    digest = hashlib.sha256(repr(picture).encode())
    indices = np.array(sorted(LABELS.names.index(tag) for tag in ("general", *tags)), np.int32)
    return RowRecord(
        id=name,
        status="captioned",
        sha256=digest.hexdigest(),
        size=1000,
        width=640,
        height=800,
        caption=", ".join(tags),
        tags=tuple(tags),
        scores=(indices, np.full(len(indices), 0.75, np.float32)),
        sharpness=400.0,
        thumbnail=digest.digest() * 8,
    )


def failed(name: str, reason: str = "no image") -> RowRecord:
    """A row whose picture could not be read."""
    return RowRecord(id=name, status="failed", reason=reason)


def make_run(
    root: Path | str, shards: Sequence[Sequence[RowRecord] | None], parameters: Mapping[str, Any] | None = None
) -> MadeRun:
    """Writes the shards of a run, with summaries and markers; None is a shard that is not done."""
    config = CaptionConfig.from_values({"generation_model": "owner/tagger", **(parameters or {})})
    manifest = Manifest(
        source="/pictures",
        source_name="pictures",
        kind="pictures",
        files=1,
        size=1,
        listing="",
        columns={},
        model=config.model,
        model_identity="identity",
        tags=len(LABELS),
        scoring={},
        parameters=config.model_dump(mode="json"),
        given=tuple(sorted(config.model_fields_set)),
        format="parquet",
        shard_rows=10_000,
        shards=len(shards),
        rows=None,
        study_every=1,
        pieces="",
        made_by="wd14-captioner test",
    )
    output = Output(Place(root))
    model = SimpleNamespace(labels=LABELS, id=config.model, identity="identity", thresholds=Published())
    write_labels(output, cast("ModelFiles", model))
    output.manifest.write(manifest.to_json().encode())
    for shard, rows in enumerate(shards):
        if rows is not None:
            write_shard(output, manifest, shard, rows)
    return MadeRun(output, manifest, config)


def write_shard(output: Output, manifest: Manifest, shard: int, rows: Sequence[RowRecord]) -> None:
    """Does a shard."""
    summary = SummaryWriter(LABELS, 1, shard * manifest.shard_rows)
    with ShardOutput(output, manifest, shard, LABELS) as writer:
        for row in rows:
            writer.add(row, kind="not an image" if row.reason else "")
            digest = bytes.fromhex(row.sha256)
            if row.tags is None:
                summary.skip(digest)
            else:
                kept = np.array([LABELS.names.index(tag) for tag in row.tags], np.intp)
                summary.add(kept, row.dense(len(LABELS)), name=row.id, digest=digest)
        marker = writer.finish(device="CPU")
    marker = replace(marker, summary_sha256=summary.write(output.summary(shard)))
    output.marker("score", shard).write(marker.to_bytes())
