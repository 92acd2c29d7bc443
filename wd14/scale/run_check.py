"""Checks the captions of a run from its shards: all rows up to a million, whole shards evenly spread above that.

The merge does so, and the command `check`. No picture is opened: a shard has its pictures' facts and scores. A million
rows take one and a half minutes of the CPU. Pictures that look alike are looked for up to there, which takes about
340 MB beside the facts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice

from wd14.check_settings import CheckSettings
from wd14.curation.checks.checker import Checker
from wd14.curation.checks.finding import Finding
from wd14.curation.checks.gathered import similar_pictures
from wd14.curation.checks.rule import CheckedRow
from wd14.curation.checks.rules import RULES
from wd14.errors import ScaleError
from wd14.places import Place
from wd14.scale.manifest import Manifest, read_manifest
from wd14.scale.marker import read_markers
from wd14.scale.model_labels import read_labels
from wd14.scale.output import Output
from wd14.scale.shard_file import RowRecord, read_shard
from wd14.text import count, share
from wd14.types import Labels, PictureFacts, TokenCounter

#: Rows that are checked at most.
MOST_ROWS = 1_000_000

#: What a check wants to know of a row.
_COLUMNS = frozenset({"id", "sha256", "width", "height", "caption", "scores", "sharpness", "thumbnail"})
_SAME_PICTURE = next(rule for rule in RULES if rule.name == "same-picture")


@dataclass(frozen=True, slots=True)
class Chosen:
    """The shards that are checked."""

    shards: tuple[int, ...]
    is_all: bool  #: whether these are all rows
    remark: str = ""  #: for a person, where they are not


def choose(rows: Mapping[int, int]) -> Chosen:
    """Chooses the shards to check.

    Args:
        rows: of each shard that is complete, in order.
    """
    most = MOST_ROWS
    shards, total = tuple(rows), sum(rows.values())
    if total <= most:
        return Chosen(shards, is_all=True)
    number = max(1, min(len(shards), most // max(rows.values())))
    chosen = tuple(shards[(2 * place + 1) * len(shards) // (2 * number)] for place in range(number))
    checked = min(most, sum(rows[shard] for shard in chosen))
    remark = (
        f"{share(checked, total, 'picture')}, in {count(number, 'whole shard')} evenly spread, were checked; exact"
        " copies were looked for among all, and pictures that look alike were not"
    )
    return Chosen(chosen, is_all=False, remark=remark)


def checked_rows(output: Output, chosen: Chosen, labels: Labels, tick: Callable[[int], None]) -> Iterator[CheckedRow]:
    """The captioned rows of the chosen shards.

    Args:
        output: of the run.
        chosen: its shards.
        labels: the model's tags.
        tick: told with each row how many shards were read.

    Raises:
        ScaleError: a shard is not as a run writes it.
        PlaceError: one cannot be read.
    """
    rows = (
        (done, record)
        for done, shard in enumerate(chosen.shards)
        for record in read_shard(output.rows(shard), labels, _COLUMNS)
    )
    for done, record in islice(rows, MOST_ROWS):
        tick(done)
        if record.caption is not None:
            yield _checked(record, len(labels))


def copy_findings(groups: Iterable[tuple[int, list[str]]], pictures: int) -> Iterator[Finding]:
    """Pictures that are there more than once, as the rule about the same picture says it.

    Args:
        groups: how many pictures each has, and the ids of the first.
        pictures: that are in any group, named here or not.
    """
    named = 0
    for size, names in groups:
        named += size
        more = f"; {size - len(names):,} more are not named" if size > len(names) else ""
        yield _copy_finding(f"the same picture{more}", tuple(names))
    if pictures > named:
        yield _copy_finding(
            f"{pictures - named:,} further pictures are there more than once; the sha256 tells which", ()
        )


def _copy_finding(reason: str, names: tuple[str, ...]) -> Finding:
    return Finding(_SAME_PICTURE.name, _SAME_PICTURE.severity, reason, _SAME_PICTURE.advice, names)


def _checked(record: RowRecord, tags: int) -> CheckedRow:
    return CheckedRow(
        record.id,
        record.caption,
        facts=_facts(record),
        scores=record.dense(tags) if record.scores is not None else None,
        digest=bytes.fromhex(record.sha256),
    )


def _facts(record: RowRecord) -> PictureFacts | None:
    if record.width is None or record.height is None or record.sharpness is None or record.thumbnail is None:
        return None
    return PictureFacts(record.width, record.height, record.sharpness, record.thumbnail)


# ── The command `check` ───────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check of a run found."""

    pictures: int
    findings: tuple[Finding, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run whose shards are to be checked."""

    output: Output
    manifest: Manifest

    def check(
        self, settings: CheckSettings, tokens: TokenCounter | None, tick: Callable[[int, int | None], None]
    ) -> Checked:
        """Checks the rows of all shards that are done, or of some where there are more than a million rows.

        Args:
            settings: what is known of the dataset.
            tokens: counts tokens.
            tick: is told how many captions were read, and of how many.

        Raises:
            ScaleError: what is there is not as a run writes it.
            PlaceError: it cannot be read.
        """
        model = read_labels(self.output.labels)
        labels = model.labels
        rows = self._rows()
        if not rows:
            raise ScaleError(f"{self.output.root} has no shard that is done: run `wd14-captioner scale` again")
        chosen = choose(rows)
        total = sum(rows[shard] for shard in chosen.shards)
        expected = replace(settings.expected(labels, model.thresholds), count_tokens=tokens)
        checker = Checker(expected, similar_pictures if chosen.is_all else lambda _: ())
        for row in checked_rows(self.output, chosen, labels, lambda _: tick(len(checker), total)):
            checker.add(row)
        tick(len(checker), total)
        return Checked(len(checker), tuple(checker.findings()), tuple(self._remarks(rows, chosen.remark)))

    def _rows(self) -> dict[int, int]:
        """The rows of each shard that is done."""
        phases = self.manifest.phases
        # While the captions are made a second time, those of the first time are there.
        phase = phases[-1] if self.output.markers(phases[-1]).names() else phases[0]
        return {marker.shard: marker.rows for marker in read_markers(self.output, self.manifest, phase)}

    def _remarks(self, rows: dict[int, int], chosen: str) -> Iterable[str]:
        if chosen:
            yield f"all: {chosen}. findings.json has the exact copies among all pictures"
        if missing := self.manifest.shards - len(rows):
            yield f"{share(missing, self.manifest.shards, 'shard')}: not done yet, or set aside"


def run_at(dataset: str) -> StoredRun | None:
    """The run of `scale` that lies there; None where there is none."""
    output = Output(Place(dataset))
    try:
        manifest = read_manifest(output)
    except ScaleError:  # another program's manifest.json
        return None
    return None if manifest is None else StoredRun(output, manifest)
