"""How `scale` grows: planning, status, study and merge of made-up runs of up to 10^8 pictures, each in its own process.

No picture is read or scored. The plan is made of a made-up listing; markers and summaries of all shards are written as
workers write them. Only those shards that the check of a merge reads are real: the others are files with a hole.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from benchmarks.bench_pipeline import Options
from benchmarks.measure import Table, fresh, last_json, run_child
from wd14.config import CaptionConfig
from wd14.data.listing import Listing, grouped
from wd14.data.pieces import Kind, Piece
from wd14.model.files.find import ModelFiles
from wd14.places import FoundAt, Place
from wd14.scale.manifest import Manifest, read_manifest
from wd14.scale.marker import Marker
from wd14.scale.merging import merge
from wd14.scale.output import Output
from wd14.scale.planning import describe, look_over, plan_run
from wd14.scale.run_check import choose
from wd14.scale.shard_file import RowRecord
from wd14.scale.shard_output import ShardOutput
from wd14.scale.status import read_status, status_lines
from wd14.scale.studying import make_dataset_plan
from wd14.scale.summary import SummaryWriter
from wd14.types import Labels

SHARD_ROWS = 10_000
GENERAL, CHARACTERS = 8_106, 2_751  #: as wd-v3 has them
KEPT, STORED = 30, 60  #: tags of each picture
#: Pairs of copies, both in shards that are real.
COPIES = 50


def growth(options: Options, table: Table) -> None:
    """For each number of pictures: the plan of a folder and of archives, then what is done once all shards are."""
    for rows in options.scale_growth:
        print(f"\nscale, {rows:,} pictures")
        folder = fresh(options.work / f"scale-{rows}")
        try:
            for step in ("plan-pictures", "plan-tar", "make", "status", "study", "merge"):
                child = run_child([sys.executable, "-m", "benchmarks.bench_scale_growth", step, str(rows), str(folder)])
                result = last_json(child.output)
                table.add(
                    f"{step} of {rows:,} pictures",
                    f"{result['seconds']:.1f} s, {result['cpu']:.1f} s of a core, peak {child.peak_bytes / 1e6:.0f} MB,"
                    f" {size_of(folder) / 1e6:,.0f} MB on the disk",
                )
        finally:
            fresh(folder)


@dataclass(frozen=True)
class MadeUp(Listing):
    """So many pictures, in a folder or in archives of a shard each."""

    rows: int = field(kw_only=True)

    def files(self) -> Iterator[FoundAt]:
        step = 1 if self.kind == "pictures" else SHARD_ROWS
        for row in range(0, self.rows, step):
            yield FoundAt(self._name(row), 123_456 * step, str(1_700_000_000_000_000_000 + row))

    def shards(self, config: CaptionConfig, rows: int) -> Iterator[tuple[Piece, ...]]:  # noqa: ARG002
        counted = 1 if self.kind == "pictures" else SHARD_ROWS
        end = 0 if self.kind == "pictures" else -1
        pieces = (Piece(found.relative, found.size, found.stamp, 0, end, counted) for found in self.files())
        return grouped(pieces, rows)

    def _name(self, row: int) -> str:
        folder, name = divmod(row, SHARD_ROWS)
        return f"{folder:06}/{name:05}.jpg" if self.kind == "pictures" else f"{folder:06}.tar"


def labels() -> Labels:
    """As many tags as wd-v3 has."""
    ratings = ("general", "sensitive", "questionable", "explicit")
    general = ("1girl", "solo", *(f"some_tag_{place}" for place in range(GENERAL - 2)))
    characters = tuple(f"somebody_{place}_(series)" for place in range(CHARACTERS))
    categories = ("rating",) * 4 + ("general",) * GENERAL + ("character",) * CHARACTERS
    names = (*ratings, *general, *characters)
    return Labels(names, categories, counts=tuple(6_000_000 // (place + 1) for place in range(len(names))))


def model() -> ModelFiles:
    """What a plan wants to know of a model."""
    return cast("ModelFiles", SimpleNamespace(id="made/up", identity="made up", labels=labels(), thresholds={}))


# ── A run whose shards are all done ─────────────────────────────────────────────────────────────────────────────────


class Maker:
    """Writes markers, summaries and shards."""

    def __init__(self, output: Output, manifest: Manifest) -> None:
        self._output, self._manifest = output, manifest
        self._labels = labels()
        self._random = np.random.default_rng(0)
        self._rows = list(self._drawn())
        writer = SummaryWriter(self._labels, manifest.study_every, 0)
        for indices, scores in self._rows:
            dense = np.zeros(len(self._labels), np.float32)
            dense[indices] = scores
            writer.add(np.flatnonzero(dense[4:] >= 0.35) + 4, dense, name="0" * 20, digest=b"\1" * 32)
        path = Path(output.root.url) / "template.npz"
        path.write_bytes(writer.to_bytes())
        with np.load(path) as arrays:
            self._summary = dict(arrays)
        path.unlink()

    def _drawn(self) -> Iterator[tuple[Any, Any]]:
        weights = 1 / np.arange(1, GENERAL + 1)
        chances = np.cumsum(weights / weights.sum())
        for _ in range(SHARD_ROWS):
            tags = np.unique(np.searchsorted(chances, self._random.random(4 * STORED)))[:STORED]
            scores = self._random.uniform(0.01, 0.34, tags.size).astype(np.float32)
            scores[self._random.permutation(tags.size)[:KEPT]] += np.float32(0.5)
            yield (4 + tags).astype(np.int32), scores

    def make(self) -> None:
        """All shards of the run."""
        manifest, output = self._manifest, self._output
        for name in ("done", "summaries", "shards"):
            (output.root.local / name).mkdir()
        real = set(choose(dict.fromkeys(range(manifest.shards), SHARD_ROWS)).shards)
        copies = self._random.integers(0, 256, (COPIES, 32), np.uint8)
        for shard in range(manifest.shards):
            digests = self._random.integers(0, 256, (SHARD_ROWS, 32), np.uint8)
            if shard in real:
                places = self._random.permutation(SHARD_ROWS)[: 2 * COPIES // len(real) + 1]
                digests[places] = copies[self._random.permutation(COPIES)[: len(places)]]
                marker = self._shard(shard, digests)
            else:
                marker = self._hole(shard)
            self._summary["digests"] = np.frombuffer(digests[:, :8].tobytes(), ">u8").astype("<u8")
            np.savez(output.summary(shard).local, **self._summary)
            written = hashlib.sha256(output.summary(shard).local.read_bytes()).hexdigest()
            output.marker("score", shard).local.write_bytes(replace(marker, summary_sha256=written).to_bytes())

    def _hole(self, shard: int) -> Marker:
        size = 5_000_000
        path = self._output.rows(shard).local
        path.touch()
        os.truncate(path, size)
        return Marker(
            shard=shard,
            manifest=self._manifest.hash,
            rows=SHARD_ROWS,
            captioned=SHARD_ROWS - 12,
            failed=12,
            reasons={"the file is damaged": 8, "not an image": 4},
            failures=tuple((f"{shard:06}/{row:05}.jpg", "the file is damaged: it ends too early") for row in range(10)),
            first=f"{shard:06}/00000.jpg",
            last=f"{shard:06}/{SHARD_ROWS - 1:05}.jpg",
            size=size,
            sha256="0" * 64,
            seconds=400.0,
            at=self._at(shard),
            host=f"node{shard % 16}",
            device="CUDA",
            versions={"onnxruntime": "1.32.0", "numpy": "2.4.6", "pillow": "13.0.0"},
        )

    def _shard(self, shard: int, digests: Any) -> Marker:
        names = self._labels.names
        thumbnails = self._random.integers(0, 256, (SHARD_ROWS, 256), np.uint8)
        with ShardOutput(self._output, self._manifest, shard, self._labels) as writer:
            for row, (indices, scores) in enumerate(self._rows):
                tags = tuple(names[tag] for tag in indices[scores >= 0.35])
                sha256 = digests[row].tobytes()
                record = RowRecord(
                    id=f"{shard:06}/{row:05}.jpg",
                    status="captioned",
                    sha256=sha256.hex(),
                    size=123_456,
                    width=1024,
                    height=1024,
                    caption=", ".join(tags),
                    tags=tags,
                    scores=(indices, scores),
                    sharpness=400.0,
                    thumbnail=thumbnails[row].tobytes(),
                )
                writer.add(record)
            return replace(writer.finish(device="CUDA"), seconds=400.0, at=self._at(shard))

    @staticmethod
    def _at(shard: int) -> float:
        """When a shard was done: sixteen workers, one after the other."""
        return 1_700_000_000.0 + 25 * shard


# ── The steps ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _run(step: str, rows: int, folder: Path) -> None:
    config = CaptionConfig.from_values({"generation_model": "made/up"})
    output = Output(Place(folder))
    if step.startswith("plan-"):
        kind: Kind = "pictures" if step == "plan-pictures" else "tar"
        fresh(folder)
        listing = MadeUp(Place("/made-up"), "made-up", kind, rows=rows)
        listed = look_over(listing, lambda _: None)
        asked = describe(listing, listed, config, model(), form="parquet", shard_rows=SHARD_ROWS)
        plan_run(output, listing, config, asked, lambda _: None)
        return
    manifest = read_manifest(output)
    if manifest is None:
        raise SystemExit("no plan")
    if step == "make":
        Maker(output, manifest).make()
    elif step == "status":
        print("\n".join(status_lines(read_status(output, lambda *_: None))))
    elif step == "study":
        studied = CaptionConfig.from_values({"generation_model": "made/up", "purpose": "style"})
        make_dataset_plan(output, manifest, studied, model(), None, lambda _: None, lambda *_: None)
    else:
        result = merge(output, manifest, config, labels(), say=print)
        print(result.copies.groups, result.copies.pictures, result.summary.counts())


def _main() -> None:
    step, rows, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    seconds, cpu = time.perf_counter(), time.process_time()
    _run(step, rows, folder)
    seconds, cpu = time.perf_counter() - seconds, time.process_time() - cpu
    print(
        json.dumps(
            {"seconds": seconds, "cpu": cpu, "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000}
        )
    )


def size_of(folder: Path) -> int:
    """Bytes that the files of a folder take on the disk; holes take none."""
    return sum(512 * path.lstat().st_blocks for path in folder.rglob("*"))


if __name__ == "__main__":
    _main()
