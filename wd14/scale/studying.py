"""The plan of a dataset of any size, from the summaries of its shards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from wd14.config import CaptionConfig
from wd14.curation.plan import Plan, plan_text, read_plan
from wd14.dataset_plan import plan_dataset
from wd14.errors import ScaleError
from wd14.model.files.find import ModelFiles
from wd14.places import read_many
from wd14.scale.manifest import Manifest
from wd14.scale.output import Output, shard_of
from wd14.scale.summary import ShardSummary, merged_study, read_summary
from wd14.text import count
from wd14.types import Log, TokenCounter


def make_dataset_plan(
    output: Output,
    manifest: Manifest,
    config: CaptionConfig,
    model: ModelFiles,
    tokens: TokenCounter | None,
    say: Log,
    tick: Callable[[int, int], None],
) -> Plan:
    """Studies all shards that are complete, writes `plan.json` and says what is in it.

    Captions that were made with another plan of the same run lose their markers, so they are made again. Of more than
    a million pictures an even million is studied: ten seconds and 250 MB.

    Args:
        output: of the run.
        manifest: of the run.
        config: the parameters.
        model: its labels and thresholds.
        tokens: counts the tokens of the captions that are shown.
        say: shows a line to the user.
        tick: is told how many shards were read, of how many.

    Raises:
        ConfigError: the plan that is given cannot be read or does not fit, or would leave no tag in any caption.
        ScaleError: a summary has gone or is damaged.
        PlaceError: the output cannot be read or written.
    """
    given = read_plan(Path(config.plan).expanduser()) if config.plan else None
    numbers = _Numbers(output, manifest, tick)
    wanted = [] if given is None else [int(digest, 16) for digest in given.sample]
    study = merged_study(numbers.summaries(), model.labels, wanted=wanted)
    made = plan_dataset(
        study,
        model,
        config,
        dataset=manifest.source_name,
        given=given,
        tokens=tokens,
        notes=tuple(_notes(manifest, study.pictures, numbers)),
    )
    _write(output, plan_text(made.plan).encode("utf-8", "replace"))
    for line in made.lines():
        say(line)
    say(f"The plan is in {output.plan}: edit it, and give it to a new run as Plan (--plan).")
    return made.plan


class _Numbers:
    """Reads the summaries of a run, in order, and counts.

    Attributes:
        shards: those that are complete.
        pictures: in them, that have scores and are not rejected.
    """

    def __init__(self, output: Output, manifest: Manifest, tick: Callable[[int, int], None]) -> None:
        self._output = output
        self._tick = tick
        self.shards = sorted(shard_of(name) for name in output.markers(manifest.phases[0]).names())
        self.pictures = 0

    def summaries(self) -> Iterator[ShardSummary]:
        """The summaries of the shards that are complete."""
        places = [self._output.summary(shard) for shard in self.shards]
        try:
            for number, data in enumerate(read_many(iter(places))):
                summary = read_summary(data, str(places[number]))
                self.pictures += summary.pictures
                yield summary
                self._tick(number + 1, len(places))
        except FileNotFoundError as error:
            raise ScaleError(
                f"a summary below {self._output.root} has gone ({error}): run the same command again"
            ) from error


def _notes(manifest: Manifest, studied: int, numbers: _Numbers) -> Iterator[str]:
    if manifest.study_every > 1:
        yield (
            f"The plan is of a sample: of every {manifest.study_every:,} pictures one was studied,"
            f" {studied:,} of {numbers.pictures:,}. tags.csv counts all of them."
        )
    if missing := manifest.shards - len(numbers.shards):
        yield f"{count(missing, 'shard')} of {manifest.shards:,} could not be done, and had no say in the plan."


def _write(output: Output, text: bytes) -> None:
    """Writes the plan, once captions that were made with another one count as not made."""
    place = output.plan
    try:
        if place.read() == text:
            return
    except FileNotFoundError:
        pass
    markers = output.markers("plan")
    for name in markers.names():
        (markers / name).remove()
    place.write(text)
