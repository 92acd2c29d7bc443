"""Where everything lies in the output of a run.

manifest.json                what the run is: source, model, parameters, how many shards; written last of the plan
labels.json                  the tags of the model
plan/00012.json.gz           the pieces of a shard
shards/00012.parquet         its rows; shards/00012.tar its pictures with captions, where they are asked for
summaries/00012.npz          its numbers, for tag frequencies, the study and copies
done/00012.json              the marker: the shard is complete. With a plan of the dataset the captions are written a
captioned/00012.json         second time, and this is the marker
attempts/START/00012-1.json  an attempt that was begun, with the reason why it failed
running/driver.json          the run that is at work
given/edits                  the files that parameters name, where workers of other machines find them
index.parquet, tags.csv, findings.json, report.json, plan.json, provenance.json, README.md, _SUCCESS   the merge
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from wd14.places import Place

#: What is done to every shard: `score` reads pictures and writes captions; `caption` writes captions anew from the
#: scores of stored shards; `plan` does so in the run's own shards, with the plan of the dataset.
Phase = Literal["score", "caption", "plan"]


@dataclass(frozen=True)
class Output:
    """The folder of a run."""

    root: Place

    @property
    def manifest(self) -> Place:
        """What the run is."""
        return self.root / "manifest.json"

    @property
    def shards(self) -> Place:
        """The folder of the shards' rows and archives."""
        return self.root / "shards"

    @property
    def index(self) -> Place:
        """What shards there are, once they are merged."""
        return self.root / "index.parquet"

    @property
    def success(self) -> Place:
        """Says that everything is complete."""
        return self.root / "_SUCCESS"

    @property
    def plan(self) -> Place:
        """The plan of the dataset, where the run has one."""
        return self.root / "plan.json"

    @property
    def labels(self) -> Place:
        """The tags of the model."""
        return self.root / "labels.json"

    def pieces(self, shard: int) -> Place:
        """The pieces of a shard."""
        return self.root / f"plan/{number(shard)}.json.gz"

    def rows(self, shard: int) -> Place:
        """The rows of a shard."""
        return self.shards / f"{number(shard)}.parquet"

    def archive(self, shard: int) -> Place:
        """The pictures and captions of a shard."""
        return self.shards / f"{number(shard)}.tar"

    def summary(self, shard: int) -> Place:
        """The numbers of a shard."""
        return self.root / f"summaries/{number(shard)}.npz"

    def markers(self, phase: Phase) -> Place:
        """The folder of a phase's markers."""
        return self.root / ("captioned" if phase == "plan" else "done")

    def marker(self, phase: Phase, shard: int) -> Place:
        """The marker of a shard."""
        return self.markers(phase) / f"{number(shard)}.json"

    def attempts(self, start: str) -> Place:
        """The folder of the attempts since a start of the run."""
        return self.root / f"attempts/{start}"

    def given(self, key: str) -> Place:
        """The file that a parameter names, as it was when the run was planned."""
        return self.root / f"given/{key}"


def number(shard: int) -> str:
    """A shard's number as files are named: of five digits at least, so that names sort as numbers."""
    return f"{shard:05d}"


def shard_of(name: str) -> int:
    """The number of the shard that a file belongs to: `00012.json` -> 12."""
    return int(name.partition(".")[0].partition("-")[0])
