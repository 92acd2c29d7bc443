"""`wd14-captioner check` of what `scale` wrote: from the stored rows. No picture has to be there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from wd14.check_settings import CheckSettings
from wd14.curation.checks.checker import Checker
from wd14.curation.checks.finding import Finding
from wd14.curation.checks.gathered import similar_pictures
from wd14.errors import ScaleError
from wd14.places import Place
from wd14.scale.manifest import Manifest, read_manifest
from wd14.scale.marker import read_markers
from wd14.scale.model_labels import read_labels
from wd14.scale.output import Output
from wd14.scale.shard_check import checked_rows, choose
from wd14.text import share
from wd14.types import TokenCounter


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
        labels = read_labels(self.output.labels).labels
        rows = self._rows()
        if not rows:
            raise ScaleError(f"{self.output.root} has no shard that is done: run `wd14-captioner scale` again")
        chosen = choose(rows)
        total = sum(rows[shard] for shard in chosen.shards)
        expected = replace(settings.expected(labels), count_tokens=tokens)
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
