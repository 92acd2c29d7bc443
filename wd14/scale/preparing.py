"""What must be known before the first shard is done: whether the output is ours, the source, the model, the plan."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path

from wd14.caption.captioner import Captioner
from wd14.config import CaptionConfig
from wd14.data.cutting import Listing, list_source
from wd14.errors import ConfigError
from wd14.model.files.find import ModelFiles, find_model
from wd14.places import Place
from wd14.scale import planning
from wd14.scale.context import edits_for_shards
from wd14.scale.link import RunLink
from wd14.scale.manifest import Manifest, read_manifest
from wd14.scale.model_labels import read_labels, write_labels
from wd14.scale.output import Output
from wd14.scale.parameters import keep_files
from wd14.scale.request import ScaleRequest
from wd14.scale.stored import StoredListing, check_thresholds, list_stored, recaption_config
from wd14.stop import StopToken
from wd14.text import count
from wd14.threads import BackgroundCall

#: What a run that was killed before its manifest was written leaves behind.
_OURS = re.compile(r"plan/|running/|given/|labels\.json|\..*\.partial|lost\+found/")
#: Seconds between two looks for the plan that another part makes.
_LOOK = 2.0


@dataclass(frozen=True)
class Prepared:
    """A run that can begin."""

    manifest: Manifest
    config: CaptionConfig
    model: ModelFiles
    source_name: str


def check_output(output: Output, source: str) -> None:
    """Looks whether a run may write into an output.

    Raises:
        ConfigError: something else is there, or it lies in the source or the source in it.
        PlaceError: it cannot be read.
    """
    root = output.root
    if root.is_local and "://" not in source:
        here, there = root.local.resolve(), Path(source).expanduser().resolve()
        if here == there:
            raise ConfigError(f"SOURCE and OUTPUT are both {root}: name another OUTPUT")
        if there in here.parents and there.is_dir():
            raise ConfigError(f"OUTPUT {root} lies in SOURCE, whose pictures would change: name a folder outside of it")
        if root.local.exists() and not root.local.is_dir():
            raise ConfigError(f"OUTPUT {root} is a file: name a folder")
    if output.manifest.exists():
        return
    others = sorted(name for name in names_in(root) if not _OURS.fullmatch(name))
    if others:
        raise ConfigError(
            f"OUTPUT {root} holds {', '.join(others[:3])}{', …' if len(others) > 3 else ''} and no manifest.json of a"
            " run: name an empty or a new folder"
        )


def check_parameters(config: CaptionConfig, model: ModelFiles, source: str) -> None:
    """Looks for what would otherwise be found by the first worker, or after the last one.

    Raises:
        ConfigError: a parameter, or a file that it names, cannot be used with this model or in shards.
    """
    check_thresholds(config, model)
    editor = edits_for_shards(config, source).editor(model.labels)
    Captioner(model.labels, config, published=model.thresholds, editor=editor)
    if config.plan:
        from wd14.curation.plan import read_plan

        read_plan(Path(config.plan).expanduser())


def names_in(place: Place) -> list[str]:
    """The names of a folder's files and folders, the latter with a slash; hidden files count, too."""
    return [found.relative for found in place.entries()]


class Preparing:
    """Prepares a run: the model is looked for while the source is listed.

    Args:
        request: what is asked for.
        output: of the run.
        config: the parameters.
        link: says what is done, and shows how far it is.
        stop: ends it.
    """

    def __init__(
        self, request: ScaleRequest, output: Output, config: CaptionConfig, link: RunLink, stop: StopToken
    ) -> None:
        self._request = request
        self._output = output
        self._config = config
        self._link = link
        self._stop = stop

    def prepare(self) -> Prepared:
        """Plans the run, or goes on with the one that is there.

        Raises:
            ConfigError: the output holds another run.
            SourceError: the source cannot be read.
            ModelError: the model cannot be found.
            PlaceError: the output cannot be read or written.
            JobStoppedError: a stop was asked for.
        """
        request, link = self._request, self._link
        if request.skip_failed and (there := read_manifest(self._output)) is not None:
            return self._as_planned(there)  # shards whose files are not as they were planned fail
        stored, config, finding = self._begin()
        listing: Listing = stored or link.wait_for(
            BackgroundCall(lambda: list_source(request.source, config, log=link.say), "wd14-source")
        )
        listed = link.work("Listing", "file", lambda tick: planning.look_over(listing, tick))
        model = link.wait_for(finding)
        link.wait_for(BackgroundCall(lambda: check_parameters(config, model, request.source), "wd14-parameters"))
        asked = planning.describe(listing, listed, config, model, form=request.format, shard_rows=request.shard_rows)
        frozen = read_manifest(self._output)
        if frozen is not None:
            planning.check_same(frozen, asked, config, str(self._output.root))
            link.wait_for(BackgroundCall(lambda: self._write_what_workers_need(config, model), "wd14-labels"))
            link.work("Planning", "shard", lambda tick: planning.mend_plan(self._output, listing, config, frozen, tick))
            return Prepared(frozen, config, model, listing.name)
        link.say(
            f"Planning: {count(listed.files, 'file')} of {listing.name} into shards of {request.shard_rows:,} rows."
            if stored is None
            else f"Captions again from the scores in {listing.place}, shard by shard; no model is run."
        )
        link.wait_for(BackgroundCall(lambda: self._write_what_workers_need(config, model), "wd14-labels"))
        manifest = link.work(
            "Planning", "shard", lambda tick: planning.plan_run(self._output, listing, config, asked, tick)
        )
        return Prepared(manifest, config, model, listing.name)

    def wait_for_plan(self) -> Prepared:
        """The plan that part 0 makes, waited for. What costs a look at the whole source is left to part 0.

        Raises:
            ConfigError: the output holds another run.
            ModelError: the model cannot be found.
            JobStoppedError: a stop was asked for.
        """
        link = self._link
        if (frozen := read_manifest(self._output)) is None:
            link.say("Waiting for the plan, which the part with --shard-index 0 makes.")
        while frozen is None:
            _wait(link, _LOOK)
            frozen = read_manifest(self._output)
        return self._as_planned(frozen)

    def _as_planned(self, frozen: Manifest) -> Prepared:
        """The run that is there, where nobody looks into the source."""
        request, link = self._request, self._link
        _, config, finding = self._begin()
        model = link.wait_for(finding)
        link.wait_for(BackgroundCall(lambda: check_parameters(config, model, request.source), "wd14-parameters"))
        asked = planning.as_frozen(
            frozen, request.source, config, model, form=request.format, shard_rows=request.shard_rows
        )
        planning.check_same(frozen, asked, config, str(self._output.root))
        return Prepared(frozen, config, model, frozen.source_name)

    def _write_what_workers_need(self, config: CaptionConfig, model: ModelFiles) -> None:
        write_labels(self._output, model)
        keep_files(config, self._output)

    def _begin(self) -> tuple[StoredListing | None, CaptionConfig, BackgroundCall[ModelFiles]]:
        """Looks whether the source is the output of an earlier run, and begins to look for the model."""
        request, link = self._request, self._link
        stored = link.wait_for(BackgroundCall(lambda: list_stored(request.source), "wd14-source"))
        if stored is None:
            config = self._config
            finding = BackgroundCall(lambda: find_model(config.model, log=link.say, stop=self._stop), "wd14-model")
        else:
            config = recaption_config(stored, self._config, request.format)
            finding = BackgroundCall(lambda: read_labels(Output(stored.place).labels), "wd14-model")
        finding.start()
        return stored, config, finding


def _wait(link: RunLink, seconds: float) -> None:
    """Waits, and obeys a stop meanwhile."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        link.tick()
        time.sleep(0.1)
