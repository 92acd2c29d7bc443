"""What the markers of a run say together: the counts, the index, the report. A line for each shard is in memory."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from wd14.data.report import NAMED_FAILURES, check_any
from wd14.data.sources.values import encodable
from wd14.scale.copies import Copies
from wd14.scale.manifest import Manifest
from wd14.scale.marker import Marker
from wd14.scale.output import number
from wd14.types import Summary

#: Failures that the report names, and kinds of reasons that it counts.
MOST_FAILURES = 1000
_MOST_REASONS = 1000
_OTHER_REASONS = "other reasons"

#: What the index has of a shard, and where a marker has it.
_COLUMNS: Mapping[str, str] = {
    "shard": "int32",
    "rows": "int64",
    "captioned": "int64",
    "failed": "int64",
    "rejected": "int64",
    "first": "string",
    "last": "string",
    "size": "int64",
    "sha256": "string",
}


class Gathered:
    """Takes the markers of a run in the order of the shards.

    Attributes:
        rows: of each shard that is complete.
        summaries: the sha256 of each one's summary.
        seconds: that all shards took, one after the other.
        devices: what the model ran on.
        precisions: what it ran in; both where workers' machines differ.
        versions: of what the shards were made with: name -> all versions.
    """

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._columns: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
        self._reasons: Counter[str] = Counter()
        self._by_shard: list[Mapping[str, int]] = []
        self._failures: list[tuple[int, str, str]] = []
        self._without_tags = self._too_long = 0
        self.rows: dict[int, int] = {}
        self.summaries: dict[int, str] = {}
        self.seconds = 0.0
        self.devices: set[str] = set()
        self.precisions: set[str] = set()
        self.versions: dict[str, set[str]] = {}

    def add(self, marker: Marker) -> None:
        """Takes the next marker."""
        for name, values in self._columns.items():
            value = getattr(marker, name)
            values.append(encodable(value) if isinstance(value, str) else value)
        self.rows[marker.shard] = marker.rows
        self.summaries[marker.shard] = marker.summary_sha256
        for reason, times in marker.reasons.items():
            known = reason in self._reasons or len(self._reasons) < _MOST_REASONS
            self._reasons[reason if known else _OTHER_REASONS] += times
        self._by_shard.append(marker.reasons)
        room = MOST_FAILURES - len(self._failures)
        self._failures += ((marker.shard, name, reason) for name, reason in marker.failures[:room])
        self._without_tags += marker.without_tags
        self._too_long += marker.too_long
        self.seconds += marker.seconds
        if marker.device:
            self.devices.add(marker.device)
        if marker.precision:
            self.precisions.add(marker.precision)
        for package, version in marker.versions.items():
            self.versions.setdefault(package, set()).add(version)

    def total(self, name: str) -> int:
        """The sum over all shards of `rows`, `captioned`, `failed`, `rejected` or `size`."""
        return sum(self._columns[name])

    def sizes(self) -> Iterator[tuple[int, int]]:
        """Each shard, and the bytes of its files."""
        yield from zip(self._columns["shard"], self._columns["size"], strict=True)

    def summary(self, *, output: str, model: str, thresholds: str) -> Summary:
        """The run as a whole.

        Args:
            output: the dataset's place.
            model: as the user named it.
            thresholds: in words.

        Raises:
            EmptySourceError: there was no row.
            AllRowsFailedError: no row has a caption.
        """
        rows, failed, rejected = (self.total(name) for name in ("rows", "failed", "rejected"))
        failures = [(name, reason) for _, name, reason in self._failures[:NAMED_FAILURES]]
        check_any(rows, failed, rejected, failures or [("?", "unknown")])
        captioned = self.total("captioned")
        is_stored = self._manifest.kind == "stored"
        return Summary(
            total=rows,
            captioned=0 if is_stored else captioned,
            from_scores=captioned if is_stored else 0,
            failed=failed,
            rejected=rejected,
            seconds=self.seconds,
            failures=tuple(failures),
            device=", ".join(sorted(self.devices)) or None,
            precision=", ".join(sorted(self.precisions)) or None,
            without_tags=self._without_tags,
            too_long=self._too_long,
            output=output,
            model=model,
            thresholds=thresholds,
        )

    def write_index(self, path: Path) -> None:
        """Writes `index.parquet`, a row for each shard."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        values = {name: pa.array(self._columns[name], getattr(pa, kind)()) for name, kind in _COLUMNS.items()}
        files = [f"shards/{number(shard)}.parquet" for shard in self._columns["shard"]]
        shard = values.pop("shard")
        table = pa.table({"shard": shard, "file": pa.array(files, pa.string()), **values})
        wd14 = json.dumps({"manifest": self._manifest.hash})
        pq.write_table(table.replace_schema_metadata({"wd14": wd14}), path, compression="zstd")

    def write_report(self, path: Path, summary: Summary, copies: Copies, set_aside: Mapping[int, str]) -> None:
        """Writes `report.json`: the counts, the reasons, failures by name, a line for each shard.

        Args:
            path: the file.
            summary: the counts.
            copies: what was found of them.
            set_aside: shards that are not in the dataset, with the reasons.
        """
        head = {
            "manifest": self._manifest.hash,
            "summary": summary.counts() | {"without_tags": summary.without_tags, "too_long": summary.too_long},
            "shards_done": len(self.rows),
            "shards_set_aside": len(set_aside),
            "exact_copies": {"pictures": copies.pictures, "groups": copies.groups},
            "reasons": dict(sorted(self._reasons.items(), key=lambda pair: (-pair[1], pair[0]))),
            "failures_not_named": summary.failed - len(self._failures),
        }
        lists: dict[str, Iterable[Mapping[str, Any]]] = {
            "set_aside": ({"shard": shard, "reason": reason} for shard, reason in sorted(set_aside.items())),
            "failures": ({"id": name, "reason": reason, "shard": shard} for shard, name, reason in self._failures),
            "shards": self._shard_lines(),
        }
        # ASCII only: a source's name may hold a surrogate, which UTF-8 cannot.
        with path.open("w", encoding="ascii", newline="\n") as file:
            file.write("{")
            file.writelines(f"{json.dumps(name)}: {json.dumps(value)},\n" for name, value in head.items())
            file.write(",\n".join(f'"{name}": [{_lines(values)}]' for name, values in lists.items()))
            file.write("}\n")

    def _shard_lines(self) -> Iterator[Mapping[str, Any]]:
        names = ("shard", "rows", "captioned", "failed", "rejected", "size")
        for reasons, *values in zip(self._by_shard, *(self._columns[name] for name in names), strict=True):
            yield dict(zip(names, values, strict=True)) | ({"reasons": dict(reasons)} if reasons else {})


def _lines(values: Iterable[Mapping[str, Any]]) -> str:
    lines = ",\n".join(map(json.dumps, values))
    return f"\n{lines}\n" if lines else ""
