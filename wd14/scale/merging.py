"""The merge: what a run's shards say together, written beside them; `_SUCCESS` comes last.

    markers ─▶ index.parquet, report.json      summaries ─▶ tags.csv, exact copies
    rows of at most a million pictures ─▶ findings.json      all of it ─▶ provenance.json, README.md, _SUCCESS

Done again it gives the same bytes, but for the date in provenance.json. Times and memory: benchmarks/README.md.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from wd14.config import CaptionConfig
from wd14.curation.plan import Plan
from wd14.data.pieces import SHARD_ROWS
from wd14.data.provenance import model_of_run, provenance
from wd14.errors import ScaleError
from wd14.json_files import json_text
from wd14.messages import command_in_words, thresholds_in_words
from wd14.places import Place, read_many
from wd14.published import Published
from wd14.regular_files import last_part
from wd14.result_check import ResultCheck
from wd14.scale.card import card
from wd14.scale.copies import Copies, CopySearch, confirmed
from wd14.scale.gathered import Gathered
from wd14.scale.leftovers import clear_half_written
from wd14.scale.manifest import Manifest
from wd14.scale.marker import read_markers
from wd14.scale.output import Output, number
from wd14.scale.run_check import checked_rows, choose, copy_findings
from wd14.scale.shard_file import read_shard
from wd14.scale.summary import read_summary
from wd14.scale.tag_table import TagTable
from wd14.stop import StopToken
from wd14.text import count, listed
from wd14.threads import BackgroundCall
from wd14.ticking import Ticker
from wd14.types import Labels, Log, Summary, TokenCounter

#: Told where the merge stands, twice a second: how many are done, of how many, of what.
Tick = Callable[[int, int, str], None]
#: Shards that a message names.
_MOST_LISTED = 20


@dataclass(frozen=True, slots=True)
class MergeResult:
    """What a merge found."""

    summary: Summary
    shards: int  #: in the dataset
    set_aside: Mapping[int, str]  #: shards that are not, with the reasons
    copies: Copies
    findings: str  #: how many there are, as a line for a person


@dataclass(frozen=True)
class _Request:
    output: Output
    manifest: Manifest
    config: CaptionConfig
    labels: Labels
    published: Published
    tokens: TokenCounter | None
    plan: Plan | None
    set_aside: Mapping[int, str]
    skip_failed: bool

    @property
    def left_out(self) -> tuple[str, ...]:
        """Tags that no caption has."""
        return () if self.plan is None else self.plan.left_out


def merge(
    output: Output,
    manifest: Manifest,
    config: CaptionConfig,
    labels: Labels,
    *,
    published: Published | None = None,
    tokens: TokenCounter | None = None,
    plan: Plan | None = None,
    set_aside: Mapping[int, str] | None = None,
    skip_failed: bool = False,
    say: Log = lambda _: None,
    tick: Tick = lambda *_: None,
    stop: StopToken | None = None,
) -> MergeResult:
    """Merges a run.

    Args:
        output: of the run; nobody else is at work on it.
        manifest: what the run is.
        config: its parameters.
        labels: the model's tags.
        published: thresholds that the model's author recommends.
        tokens: counts tokens, where captions have a limit.
        plan: of the dataset, where there is one.
        set_aside: shards that cannot be done, with the reasons.
        skip_failed: whether the dataset may be without them.
        say: is told what was found.
        tick: is shown where the merge stands.
        stop: ends the merge.

    Raises:
        ScaleError: shards are not done, or what one left behind is not as a run writes it.
        EmptySourceError: there was no row.
        AllRowsFailedError: no row has a caption.
        PlaceError: a file cannot be read or written.
        JobStoppedError: a stop was asked for.
    """
    request = _Request(
        output, manifest, config, labels, published or Published(), tokens, plan, set_aside or {}, skip_failed
    )
    return _Merge(request, say, tick, StopToken(stop)).run()


def is_merged(output: Output, manifest: Manifest) -> bool:
    """Whether a run is complete, with all of its shards, and their files are there as the index tells."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        said = json.loads(output.success.read())
        index = io.BytesIO(output.index.read())
        shards, sizes = (column.to_pylist() for column in pq.read_table(index, columns=["shard", "size"]).columns)
    except (FileNotFoundError, ValueError, pa.ArrowException):
        return False
    is_this = isinstance(said, dict) and said.get("manifest") == manifest.hash and not said.get("set_aside")
    return is_this and _sizes(output, manifest) == dict(zip(shards, sizes, strict=True))


def _sizes(output: Output, manifest: Manifest) -> Mapping[int, int]:
    """The bytes of each shard's files, of those shards that have all."""
    sizes = {found.relative: found.size for found in output.shards.entries()}
    files = {shard: [f"{number(shard)}{ending}" for ending in manifest.endings] for shard in range(manifest.shards)}
    return {shard: sum(map(sizes.__getitem__, names)) for shard, names in files.items() if sizes.keys() >= set(names)}


class _Merge:
    """One merge; see `merge`."""

    def __init__(self, request: _Request, say: Log, tick: Tick, stop: StopToken) -> None:
        self._request = request
        self._output = request.output
        self._say = say
        self._where = (0, 0, "")
        self._ticker = Ticker(lambda _: tick(*self._where), stop)
        self._gathered = Gathered(request.manifest)
        self._tags = TagTable(request.labels)

    def run(self) -> MergeResult:
        try:
            return self._run()
        except FileNotFoundError as error:
            raise ScaleError(
                f"a file of a shard that is done has gone ({error.filename or error}): run the same command again"
            ) from error

    def _run(self) -> MergeResult:
        request, output = self._request, self._output
        output.success.remove()  # what it said is not true for a while
        clear_half_written(output)
        set_aside = self._read_markers()
        summary = self._summary()  # raises where no row has a caption
        copies = self._read_summaries()
        summary = replace(summary, frequent_tags=self._tags.frequent(without=request.left_out))
        line = self._check(copies, set_aside)
        self._write(summary, copies, set_aside)
        return MergeResult(summary, len(self._gathered.rows), set_aside, copies, line)

    def _read_markers(self) -> Mapping[int, str]:
        """Reads all markers; returns the shards that are missing, with the reasons."""
        request, output = self._request, self._output
        manifest = request.manifest
        phase = manifest.phases[-1]
        for marker in read_markers(output, manifest, phase, lambda done, of: self._tick(done, of, "markers")):
            self._gathered.add(marker)
        done = self._gathered.rows
        set_aside = {shard: why for shard, why in sorted(request.set_aside.items()) if shard not in done}
        missing = manifest.shards - len(done) - (len(set_aside) if request.skip_failed else 0)
        if missing > 0:
            names = [str(shard) for shard in range(manifest.shards) if shard not in done]
            raise ScaleError(
                f"{count(missing, 'shard')} of {manifest.shards:,} not done: {listed(names, _MOST_LISTED)}. Run again,"
                " or leave out those that cannot be done with --skip-failed"
            )
        self._look_for_rows()
        return set_aside

    def _look_for_rows(self) -> None:
        """Looks whether the files of all shards are there as their markers tell, without reading them."""
        sizes = _sizes(self._output, self._request.manifest)
        for shard, size in self._gathered.sizes():
            if sizes.get(shard) != size:
                raise self._is_other(self._output.rows(shard))

    def _is_other(self, file: Place) -> ScaleError:
        has_archive = file.name.endswith(".parquet") and self._request.manifest.format == "webdataset"
        beside = " (or the archive beside it)" if has_archive else ""
        return ScaleError(f"{file}{beside} has gone, or is not as it was written: remove it, and run again")

    def _summary(self) -> Summary:
        request = self._request
        return self._gathered.summary(
            output=str(self._output.root),
            model=request.config.model,
            thresholds=thresholds_in_words(request.config, request.labels, request.published),
        )

    def _read_summaries(self) -> Copies:
        """Reads all summaries: what tags there are, and which pictures come twice."""
        shards = self._gathered.rows
        places = [self._output.summary(shard) for shard in shards]
        with CopySearch(sum(shards.values())) as search:
            for done, (shard, place, data) in enumerate(zip(shards, places, read_many(places), strict=True)):
                self._tick(done, len(shards), "summaries")
                if hashlib.sha256(data).hexdigest() != self._gathered.summaries[shard]:
                    raise self._is_other(place)
                summary = read_summary(data, str(place))
                self._tags.add(summary.counts, summary.pictures)
                search.add(shard, summary.digests)
            self._where = (0, 0, "exact copies")
            return search.find(self._ticker.tick)

    def _check(self, copies: Copies, set_aside: Mapping[int, str]) -> str:
        """Writes the findings; returns a line that counts them."""
        request, rows = self._request, self._gathered.rows
        chosen = choose(rows)
        check = ResultCheck(
            request.config,
            request.labels,
            request.published,
            request.tokens,
            planned=request.left_out,
            similar=chosen.is_all,
        )
        number = len(chosen.shards)
        for row in checked_rows(
            self._output, chosen, request.labels, lambda done: self._tick(done, number, "captions")
        ):
            check.take(row)
        more = []
        if not chosen.is_all:
            groups = confirmed(copies.named, self._ids)
            more = list(copy_findings(groups, copies.pictures))
        self._where = (0, 0, "findings")
        found, line = self._ticker.wait_for(BackgroundCall(lambda: check.conclude(more), "wd14-check"))
        remarks = [chosen.remark] if chosen.remark else []
        if set_aside:
            remarks.append(f"the dataset is without {count(len(set_aside), 'shard')} that could not be done")
        self._put("findings.json", json_text(found | {"remarks": remarks}))
        for text in (*remarks, line):
            self._say(text[:1].upper() + text[1:])
        return line

    def _ids(self, shard: int, rows: Sequence[int]) -> list[tuple[str, str]]:
        """The id and the sha256 of rows of a shard."""
        self._tick(0, 0, "exact copies")
        wanted = frozenset(rows)
        records = enumerate(read_shard(self._output.rows(shard), self._request.labels, {"id", "sha256"}))
        return [(record.id, record.sha256) for row, record in records if row in wanted]

    def _write(self, summary: Summary, copies: Copies, set_aside: Mapping[int, str]) -> None:
        request, gathered, manifest = self._request, self._gathered, self._request.manifest
        command = self._command()
        self._put("tags.csv", self._tags.to_csv())
        with self._output.index.writing() as aside:
            gathered.write_index(aside)
        with (self._output.root / "report.json").writing() as aside:
            gathered.write_report(aside, summary, copies, set_aside)
        model = model_of_run(request.config.model, manifest.model_identity, request.published)
        made = provenance(request.config, summary, source=manifest.source_name, command=command, model=model)
        self._put("provenance.json", json_text(made | {"scale": self._how_made()}))
        config = request.config
        text = card(
            manifest,
            summary,
            without={
                name for name, has in (("columns", config.keep_columns), ("existing", config.append_tags)) if not has
            },
            set_aside=len(set_aside),
            superfluous=copies.superfluous,
            command=command,
        )
        self._put("README.md", text.encode("utf-8", "replace"))
        said = {"manifest": manifest.hash, "shards": len(gathered.rows), "set_aside": sorted(set_aside)}
        self._output.success.write(json.dumps(said).encode() + b"\n")

    def _how_made(self) -> Mapping[str, Any]:
        gathered, manifest = self._gathered, self._request.manifest
        return {
            "manifest": manifest.hash,
            "shards": len(gathered.rows),
            "shard_rows": manifest.shard_rows,
            "format": manifest.format,
            "versions": {name: sorted(versions) for name, versions in sorted(gathered.versions.items())},
        }

    def _command(self) -> str:
        """The command line that makes the dataset again, for anybody: no folder of this machine is in it."""
        manifest = self._request.manifest
        words = ["OUTPUT"]
        if manifest.shard_rows != SHARD_ROWS:
            words.append(f"--shard-rows={manifest.shard_rows}")
        if manifest.format != "parquet":
            words.append(f"--format={manifest.format}")
        source = manifest.source if "://" in manifest.source else manifest.source_name
        return command_in_words(source, self._request.config, command="scale", output=words, named=last_part)

    def _tick(self, done: int, of: int, what: str) -> None:
        self._where = (done, of, what)
        self._ticker.tick()

    def _put(self, name: str, data: bytes) -> None:
        (self._output.root / name).write(data)
