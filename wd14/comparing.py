"""Compares two sets of parameters on some pictures of a dataset: speed, scores, captions. Nothing is written.

    source ─▶ sample ─▶ scored with the change, then as given: one session after the other ─▶ differences

No stored score is used and none is stored, so the rates are the models' own.
"""

from __future__ import annotations

import difflib
import gc
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from wd14.caption.captioner import Captioner
from wd14.comparison import Comparison, Side
from wd14.config import NO_MODEL, CaptionConfig
from wd14.config_words import shown
from wd14.decoding import Decoder
from wd14.differences import Differences, RunTags
from wd14.errors import AllRowsFailedError, ConfigError, RowError
from wd14.model.files.find import ModelFiles, find_model
from wd14.model.runtimes.memory_limit import make_room
from wd14.model.scoring import AnyTagger, Scorer
from wd14.model.tagger import Tagger
from wd14.parameter_groups import GROUPS, NOT_FOR_COMPARE, READING
from wd14.published import SAY_THRESHOLDS
from wd14.scale.link import RunLink, Standing, Tick
from wd14.scale.sampling import SHARDS, Sample, take_sample, thin
from wd14.scored_rows import OPENING_ENDS, session_of
from wd14.stop import StopToken
from wd14.text import count, share
from wd14.threads import BackgroundCall
from wd14.token_counting import token_counter
from wd14.types import DecodedRow, InputRow, Log, Progress

#: What is compared where nobody says.
DEFAULT_CHANGE = "precision=fast"
#: Pictures of a sample where nobody says, and at most: of each the scores are held in memory, 40 kB.
PICTURES, MOST_PICTURES = 50, 2000
#: Parameters that shape scores, or how fast they come; where only others change, the pictures are scored once.
_SCORING = frozenset({*GROUPS["How it runs"], "generation_model", "custom_model", "exif_orientation"})


def compare(
    source: str,
    parameters: Mapping[str, Any],
    changes: Sequence[str] = (),
    *,
    pictures: int = PICTURES,
    log: Log = lambda _: None,
    progress: Callable[[Progress], None] = lambda _: None,
    stop: StopToken | None = None,
) -> Comparison:
    """Compares.

    Takes what opening two models, and scoring each picture twice, takes; of memory, one model at a time.

    Args:
        source: what `scale` takes: a dataset on this machine, on an object store, or on the hub.
        parameters: as `CaptionConfig` takes them, without those of `NOT_FOR_COMPARE`.
        changes: `parameter=value` each; none = `DEFAULT_CHANGE`.
        pictures: of the sample, `MOST_PICTURES` at most.
        log: is told what is done, and what a person should know.
        progress: is shown where the work stands, twice a second.
        stop: ends it.

    Raises:
        ConfigError: a parameter cannot have this value, is not for a comparison, or the changes change nothing.
        SourceError: the dataset cannot be read.
        ModelError: a model cannot be used.
        AllRowsFailedError: no picture can be scored.
        JobStoppedError: a stop was asked for.
    """
    if not 1 <= pictures <= MOST_PICTURES:
        raise ConfigError(f"the sample has {pictures:,} pictures; allowed: from 1 to {MOST_PICTURES:,}")
    with ExitStack() as stack:
        stop = StopToken(stop)
        stack.callback(stop.request, "the comparison has ended")
        link = RunLink(log, progress, stop)
        stack.callback(link.say_waiting)
        return _Comparing(source, parameters, changes or [DEFAULT_CHANGE], link, stop).run(pictures)


def parse_changes(changes: Sequence[str]) -> dict[str, str]:
    """Parameters from `parameter=value` each; a list that is given more than once adds up.

    Raises:
        ConfigError: one has another form, or names no parameter, or one that is not for a comparison.
    """
    found: dict[str, str] = {}
    for change in changes:
        name, sign, value = change.partition("=")
        key = name.strip().lstrip("-").replace("-", "_")
        if not sign or not key:
            raise ConfigError(f"--with is {shown(change)}; expected PARAMETER=VALUE, such as {DEFAULT_CHANGE}")
        fields = CaptionConfig.model_fields
        if key not in fields:
            close = difflib.get_close_matches(key, fields, n=1)
            raise ConfigError(f"there is no parameter {shown(key)}{f'; did you mean {close[0]}?' if close else ''}")
        if why := NOT_FOR_COMPARE.get(key) or ("it says which pictures there are" if key in READING else ""):
            raise ConfigError(f"{fields[key].title} ({key}) cannot be compared: {why}")
        adds_up = key in found and isinstance(fields[key].default, tuple)
        found[key] = f"{found[key]}\n{value}" if adds_up else value
    return found


class _Comparing:
    """One comparison, up to its result; raises as `compare`."""

    def __init__(
        self, source: str, parameters: Mapping[str, Any], changes: Sequence[str], link: RunLink, stop: StopToken
    ) -> None:
        self._source, self._link, self._stop = source, link, stop
        self._change = ", ".join(change.strip() for change in changes)
        changed = parse_changes(changes)
        if "generation_model" in changed:  # else a model of the user's own would win
            changed = {"custom_model": "", **changed}
        one, other = self._configs = _config(parameters), _config({**parameters, **changed})
        self._differing = {key for key in CaptionConfig.model_fields if getattr(one, key) != getattr(other, key)}
        self._differing |= SAY_THRESHOLDS & (one.model_fields_set ^ other.model_fields_set)  # or a model uses its own
        if not self._differing:
            raise ConfigError(f"--with {self._change} changes nothing: both runs would have the same parameters")

    def run(self, pictures: int) -> Comparison:
        sample = self._sample(pictures)
        rows = [replace(row, index=index) for index, row in enumerate(thin(sample.pictures, pictures))]
        unreadable = f"; {sample.unreadable:,} more cannot be read" if sample.unreadable else ""
        taken = count(len(rows), "picture") if sample.rows is None else share(len(rows), sample.rows, "picture")
        self._link.say(f"Sample: {taken} of {sample.name}{unreadable}")
        config, changed_config = self._configs
        model, changed_model = (self._found(each) for each in self._configs)
        make_room((model, changed_model))
        differences = Differences(self._tags(config, model), self._tags(changed_config, changed_model))
        is_scored_once = not self._differing & _SCORING
        if not is_scored_once:  # first, since it is the one that may not work
            rescored, after = self._score(rows, changed_config, changed_model, f"With {self._change}")
        scored, before = self._score(rows, config, model, "As given")
        if is_scored_once:
            rescored, after = scored, before
        failed = _add_all(differences, scored, rescored)
        if not differences.pictures:
            raise AllRowsFailedError(f"not one picture of the sample could be compared; the first: {failed[0]}")
        is_same_run = self._differing <= {"device", "precision"} and before.way == after.way
        return Comparison(
            source=sample.name,
            total=sample.rows,
            failed=tuple(failed),
            change=self._change,
            is_scored_once=is_scored_once,
            is_same_run=is_same_run,
            before=before,
            after=after,
            pictures=differences.pictures,
            captions_changed=differences.changed_captions,
            scores=differences.scores(),
            tags=differences.tags,
            changed_tags=tuple(differences.largest_changes()),
        )

    def _found(self, config: CaptionConfig) -> ModelFiles:
        finding = BackgroundCall(lambda: find_model(config.model, log=self._link.say, stop=self._stop), "wd14-model")
        return self._link.wait_for(finding)

    def _tags(self, config: CaptionConfig, model: ModelFiles) -> RunTags:
        counting = BackgroundCall(lambda: token_counter(config, log=self._link.say, stop=self._stop), "wd14-tokens")
        tokens = self._link.wait_for(counting)
        captioner = Captioner(model.labels, config, published=model.thresholds, tokens=tokens)
        self._link.say_all(f"Note: {remark}" for remark in captioner.remarks)
        return RunTags(model.labels, captioner)

    def _sample(self, pictures: int) -> Sample:
        def read(tick: Tick) -> Sample:
            return take_sample(
                self._source,
                self._configs[0],
                wanted=pictures,
                shard_rows=-(-pictures // SHARDS),  # as many as are read of each: so it is even
                keep_files=True,
                log=self._link.say,
                tick=tick,
                stop=self._stop,
            )

        return self._link.work("Sample", "picture", read)

    def _score(
        self, rows: Sequence[InputRow], config: CaptionConfig, model: ModelFiles, name: str
    ) -> tuple[list[DecodedRow], Side]:
        """The scored rows, in order, and how fast they came. The session is closed before this returns."""
        session = session_of(model, config, log=self._link.say, stop=self._stop)
        try:
            tagger = self._link.wait_for(session)
            first = rows[: config.batch_size or tagger.preferred_batch]
            self._run(first, config, model, session, f"{name}, first run")  # it is slow, and a job has many others
            began = time.perf_counter()
            scored = self._run(rows, config, model, session, name)
            seconds = time.perf_counter() - began
        finally:
            session.wait(OPENING_ENDS)
        gc.collect()  # else some of the session's memory goes when the next one is open
        ran = sum(row.result.error is None and not row.from_scores for row in scored)
        precision = tagger.precision if isinstance(tagger, Tagger) else "exact"
        return scored, Side(model.id, len(model.labels), str(tagger.device), precision, ran / seconds)

    def _run(
        self,
        rows: Sequence[InputRow],
        config: CaptionConfig,
        model: ModelFiles,
        session: BackgroundCall[AnyTagger],
        name: str,
    ) -> list[DecodedRow]:
        scored: list[DecodedRow] = []
        decoder = Decoder(
            rows,
            config,
            model.spec,
            stored_scores=lambda _: {},
            stage=lambda *_: None,
            on_model_needed=lambda: None,
            with_facts=False,
            with_boxes=model.mask_name is not None,
        )
        self._link.begin(name, lambda: Standing(len(scored), len(rows)))
        with decoder, Scorer(decoder, session, batch_size=config.batch_size, keep_low_scores=True) as scorer:
            for group in self._link.each(scorer.take):
                scored += group
        self._link.end()
        return scored


def _config(values: Mapping[str, Any]) -> CaptionConfig:
    if CaptionConfig.model_construct(**values).adds_no_tags:
        raise ConfigError(f"{NO_MODEL} adds no tag: there is nothing to compare")
    return CaptionConfig.from_values(values)


def _add_all(differences: Differences, scored: Sequence[DecodedRow], rescored: Sequence[DecodedRow]) -> list[str]:
    """Compares every picture; returns a line for each that cannot be."""
    failed = []
    for row, again in zip(scored, rescored, strict=True):
        try:
            differences.add(row.input.label, row.result.require_scores(), again.result.require_scores())
        except RowError as error:
            failed.append(f"{row.input.label}: {error}")
    return failed
