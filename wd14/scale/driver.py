"""Drives a run: lease, model, plan, the phases, the merge, and on to the hub. Run again = go on.

lease ─▶ model, source ─▶ plan, or the one that is there ─▶ every shard, by an engine
      ─▶ with a purpose: the study of all shards ─▶ the captions of every shard ─▶ merge ─▶ hub
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from wd14.config import CaptionConfig
from wd14.errors import ScaleError
from wd14.messages import closing_lines, opening_lines
from wd14.patience import waits_watched
from wd14.places import Place
from wd14.scale.engines import Engine
from wd14.scale.lease import Lease
from wd14.scale.link import RunLink, Tick
from wd14.scale.manifest import Manifest
from wd14.scale.marker import Done, count_markers
from wd14.scale.merging import is_merged, merge
from wd14.scale.output import Output, Phase
from wd14.scale.parameters import given_parameters, read_parameters
from wd14.scale.phases import Counts, counts_of, do_shards, forget_lost_shards, shards_of
from wd14.scale.preparing import Prepared, Preparing, check_output
from wd14.scale.request import ScaleRequest
from wd14.scale.task import Task
from wd14.stop import StopToken
from wd14.text import count, listed, share
from wd14.threads import BackgroundCall
from wd14.token_counting import token_counter
from wd14.types import Log, Progress, Summary, TokenCounter

if TYPE_CHECKING:
    from wd14.curation.plan import Plan

#: Shards that are named where several were set aside.
_NAMED = 20


def run_scale(
    request: ScaleRequest,
    *,
    say: Log,
    progress: Callable[[Progress], None] = lambda _: None,
    stop: StopToken | None = None,
) -> bool:
    """Does a run, or what is left of it.

    Returns:
        Whether all shards are complete; False = some are left to other parts.

    Args:
        request: what is asked for.
        say: shows a line to the user.
        progress: shows where the run stands, twice a second.
        stop: ends it; what is complete stays, and the next run goes on from there.

    Raises:
        ConfigError: a parameter is not allowed, or the output holds something else.
        ScaleError: another run is at work on the output, or shards failed twice.
        CaptionerError: anything else that ends a run.
        JobStoppedError: a stop was asked for.
    """
    return _Run(request, say, progress, stop or StopToken()).run()


class _Run:
    """One run."""

    def __init__(self, request: ScaleRequest, say: Log, progress: Callable[[Progress], None], stop: StopToken) -> None:
        self._request = request
        self._say = say
        self._stop = StopToken(stop)
        self._link = RunLink(say, progress, self._stop)
        self._output = Output(Place(request.output))
        self._config: CaptionConfig = read_parameters(request.parameters)
        self._started = time.monotonic()
        self._is_first_start = True  # nothing of the run was there before
        # Starts sort by time: the attempts of the newest are those that count.
        self._start = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"

    def run(self) -> bool:
        """Does the run, alone on its output."""
        with waits_watched(self._link.say, self._stop):
            return self._run_with_lease()

    def _run_with_lease(self) -> bool:
        request, link = self._request, self._link
        if (repo := request.push_to_hub) is not None:
            from wd14.scale.push import check_push

            link.wait_for(BackgroundCall(lambda: check_push(repo), "wd14-push"))
        link.wait_for(BackgroundCall(lambda: check_output(self._output, request.source), "wd14-output"))
        name = "driver" if request.part is None else f"part-{request.part[0]}"
        try:
            with Lease(self._output, name, link.say, self._stop):
                try:
                    return self._run()
                finally:
                    self._stop.request("the run has ended")  # whatever still works for it
                    link.say_waiting()
        finally:
            self._leave_no_empty_folder()

    def _leave_no_empty_folder(self) -> None:
        """Removes what is empty of an output in which nothing was planned."""
        root = self._output.root
        for folder in (root / "running", root) if root.is_local else ():
            with suppress(OSError):
                folder.local.rmdir()

    def _run(self) -> bool:
        request, link = self._request, self._link
        preparing = Preparing(request, self._output, self._config, link, self._stop)
        plans = request.part is None or request.part[0] == 0
        prepared = preparing.prepare() if plans else preparing.wait_for_plan()
        config = self._config = prepared.config
        counting = BackgroundCall(lambda: token_counter(config, log=link.say, stop=self._stop), "wd14-tokens")
        manifest = prepared.manifest
        self._say_opening(prepared)
        if is_merged(self._output, manifest):
            link.say(f"{self._output.root} is complete already.")
            self._push(manifest)
            return True
        counts = self._do(manifest, manifest.phases[0], part=request.part)
        missing = manifest.shards - counts.shards_done
        if missing and not self._may_go_on(counts, missing):
            return False
        with ExitStack() as stack:
            if request.part is not None and not self._is_the_one_that_merges(stack, manifest):
                return not missing
            self._finish(prepared, counts, counting)
        self._push(manifest)
        return True

    def _is_the_one_that_merges(self, stack: ExitStack, manifest: Manifest) -> bool:
        """Whether this part ended last; of two that ended at the same moment one merges."""
        try:
            stack.enter_context(Lease(self._output, "merge", self._link.say, self._stop))
        except ScaleError:
            self._link.say("All shards are complete, and another part merges.")
            return False
        if merged := is_merged(self._output, manifest):
            self._link.say("All shards are complete, and another part has merged them.")
        return not merged

    def _finish(self, prepared: Prepared, counts: Counts, counting: BackgroundCall[TokenCounter | None]) -> None:
        """What follows when every shard is complete."""
        plan = None
        if "plan" in prepared.manifest.phases:
            plan = self._study(prepared, counting)
            counts = self._do(prepared.manifest, "plan", part=None, without=counts.set_aside)
            self._may_go_on(counts, len(counts.set_aside))
        self._merge(prepared, counts, plan, counting)

    def _say_opening(self, prepared: Prepared) -> None:
        manifest, link = prepared.manifest, self._link
        about = "about " if manifest.rows is None else ""
        link.say(
            f"Dataset: {prepared.source_name}, {about}{count(manifest.expected_rows, 'picture')} in"
            f" {count(manifest.shards, 'shard')}"
        )
        model, runs = prepared.model, manifest.kind != "stored"
        link.say_all(opening_lines(self._config, model.labels, model.thresholds, manifest.model, runs=runs))

    def _do(
        self,
        manifest: Manifest,
        phase: Phase,
        *,
        part: tuple[int, int] | None,
        without: Mapping[int, str] | None = None,
    ) -> Counts:
        """Does what is left of a phase; of a part, its shards only."""
        link = self._link

        def look(tick: Tick) -> Done:
            if phase != "plan":
                forget_lost_shards(self._output, manifest, link.say)
            return count_markers(self._output, manifest, phase, tick)

        done = link.work("Looking for what is done", "shard", look)
        counts = counts_of(manifest, done, part)
        counts.set_aside.update(without or {})
        left = [
            shard for shard in shards_of(manifest, part) if shard not in done.shards and shard not in counts.set_aside
        ]
        if done.shards:
            self._is_first_start = False
        if done.shards and left:
            link.say(f"Going on: {share(len(done.shards), manifest.shards, 'shard')} are complete.")
        if left:
            task = Task(
                output=self._output.root.url,
                manifest=manifest.hash,
                phase=phase,
                parameters=given_parameters(self._config, self._output),
                start=self._start,
            )
            do_shards(self._engine(), task, left, counts, link, self._stop, "" if phase != "plan" else "Captions")
        return counts if part is None else self._all_parts(manifest, phase, counts)

    def _all_parts(self, manifest: Manifest, phase: Phase, own: Counts) -> Counts:
        """The counts of all parts, once this one has done its shards."""
        done = self._link.wait_for(BackgroundCall(lambda: count_markers(self._output, manifest, phase), "wd14-markers"))
        return replace(counts_of(manifest, done, None), set_aside=own.set_aside)

    def _engine(self) -> Engine:
        if self._request.engine == "ray":
            from wd14.scale.ray_engine import RayEngine

            return RayEngine(self._request.resources)
        from wd14.scale.local_engine import LocalEngine

        return LocalEngine(self._request.resources)

    def _may_go_on(self, counts: Counts, missing: int) -> bool:
        """Whether the run can be merged though shards are missing; says what they wait for.

        Raises:
            ScaleError: shards failed twice.
        """
        aside = counts.set_aside
        if aside and not self._request.skip_failed:
            shards = listed([str(shard) for shard in sorted(aside)], _NAMED)
            reason = next(iter(aside.values()))
            raise ScaleError(
                f"{share(len(aside), counts.shards, 'shard')} failed twice and were set aside: {shards}. Reason of the"
                f" first: {reason}. All others are complete. Run the same command again to try them again, or with"
                " --skip-failed to go on without them"
            )
        if missing > len(aside):
            index, parts = self._request.part or (0, 1)
            self._link.say(
                f"Part {index} of {parts} is done. {share(missing, counts.shards, 'shard')} are left to other parts:"
                " the one that ends last merges."
            )
            return False
        return True

    def _study(self, prepared: Prepared, counting: BackgroundCall[TokenCounter | None]) -> Plan:
        from wd14.scale.studying import make_dataset_plan

        link, manifest = self._link, prepared.manifest
        tokens = link.wait_for(counting)

        def study(tick: Tick) -> Plan:
            return make_dataset_plan(self._output, manifest, self._config, prepared.model, tokens, link.say, tick)

        return link.work("Study", "shard", study)

    def _merge(
        self, prepared: Prepared, counts: Counts, plan: Plan | None, counting: BackgroundCall[TokenCounter | None]
    ) -> None:
        link, request = self._link, self._request
        tokens = link.wait_for(counting)
        result = link.work(
            "Merge",
            "shard",
            lambda tick: merge(
                self._output,
                prepared.manifest,
                self._config,
                prepared.model.labels,
                published=prepared.model.thresholds,
                tokens=tokens,
                plan=plan,
                set_aside=counts.set_aside,
                skip_failed=request.skip_failed,
                say=link.say,
                tick=tick,
                stop=self._stop,
            ),
        )
        self._say_closing(result.summary)

    def _say_closing(self, summary: Summary) -> None:
        """What came of the run; the first few failures, of which there may be any number."""
        for name, reason in summary.failures[:_NAMED]:
            self._link.say(f"Failed: {name}: {reason}")
        if (more := summary.failed - len(summary.failures[:_NAMED])) > 0:
            self._link.say(f"Failed: {more:,} more")
        seconds = time.monotonic() - self._started if self._is_first_start else summary.seconds
        self._link.say_all(closing_lines(replace(summary, seconds=seconds), "named in its shard"))

    def _push(self, manifest: Manifest) -> None:
        if self._request.push_to_hub is None:
            return
        from wd14.scale.push import push

        link, repo = self._link, self._request.push_to_hub
        link.work(
            "Upload",
            "file",
            lambda tick: push(self._output, manifest, repo, say=link.say, tick=tick, stop=self._stop),
        )
