"""How long a source would take, and what it would cost: measured on a sample, with what is not known of it said."""

from __future__ import annotations

import math
import statistics
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice, pairwise

import numpy as np

from wd14.config import CaptionConfig
from wd14.decoding import Decoder, PictureLimits
from wd14.model.files.find import ModelFiles, find_model
from wd14.model.runtimes.session import ON_PROCESSOR
from wd14.model.scoring import AnyTagger, Scorer
from wd14.scale.sampling import PICTURES, Sample, Tick, take_sample
from wd14.scored_rows import Ran, session_of
from wd14.stop import StopToken
from wd14.text import count, duration
from wd14.threads import BackgroundCall, Exhausted
from wd14.types import Box, DecodedRow, FloatArray, InputRow, Log, PixelArray

#: Pictures, ready for the model, that its measurement goes round; 150 MB.
_READY = 64
_Ready = tuple[PixelArray, Box | None]
"""What the model is to see of a picture, and where in it the picture lies, if the model asks."""
#: Seconds that measuring the model takes at least and at most, after its first batch, which is slow.
_SHORTEST, _LONGEST = 2.0, 20.0
#: Bytes of a block of an archive.
_BLOCK = 512
#: How far the parts of a run lie apart in practice, beside what the sample says.
_ALWAYS = 0.1


@dataclass(frozen=True)
class Range:
    """A number that is known within bounds."""

    low: float
    value: float
    high: float

    @classmethod
    def about(cls, value: float, error: float) -> Range:
        """A value with its relative error; two of it either way."""
        return cls(value / (1 + 2 * error), value, value * (1 + 2 * error))


@dataclass(frozen=True)
class Estimate:
    """How long a source would take."""

    sample: Sample
    rows: Range
    decoding: Range  #: pictures a second, with every core, the model idle
    model: Range  #: pictures a second, with nothing else to do
    ran: Ran  #: what the model ran on, and how
    threads: int
    workers: int
    price: float | None  #: of a worker in an hour

    @property
    def rate(self) -> Range:
        """Pictures a second of a worker like this machine. On a CPU decoding and the model share its cores."""
        decoding, model = self.decoding, self.model
        pairs = zip((decoding.low, decoding.value, decoding.high), (model.low, model.value, model.high), strict=True)
        if self.ran.device in ON_PROCESSOR:
            low, value, high = (1 / (1 / d + 1 / m) for d, m in pairs)
        else:
            low, value, high = (min(d, m) for d, m in pairs)
        return Range(low / (1 + _ALWAYS), value, high * (1 + _ALWAYS))

    @property
    def hours(self) -> Range:
        """Hours that all workers together need."""
        rate, rows, workers = self.rate, self.rows, self.workers * 3600
        return Range(rows.low / rate.high / workers, rows.value / rate.value / workers, rows.high / rate.low / workers)

    @property
    def limit(self) -> str:
        """What a worker waits for most, and what helps: a sentence."""
        decoding, model = self.decoding.value, self.model.value
        if self.ran.device in ON_PROCESSOR:
            part = (1 / model) / (1 / decoding + 1 / model)
            if part > 0.5:
                return f"The model takes {part:.0%} of the cores' time: a GPU helps most."
            return f"Decoding takes {1 - part:.0%} of the cores' time: more cores help most."
        if model < decoding:
            return "The model limits it: a faster GPU helps, more cores do not."
        return f"Decoding limits it: the GPU waits {1 - decoding / model:.0%} of the time, more cores help."


def estimate(
    source: str,
    config: CaptionConfig,
    *,
    workers: int,
    price: float | None,
    shard_rows: int,
    log: Log,
    tick: Tick,
    stop: StopToken,
) -> Estimate:
    """Measures a sample of a source: about a minute; nothing is written.

    Args:
        source: as the user wrote it, or the OUTPUT of a run that is planned.
        config: the parameters.
        workers: among how many the source would be divided, each like this machine.
        price: what a worker costs in an hour; None = not asked for.
        shard_rows: rows of a shard.
        log: is told what a person should know.
        tick: is told how many pictures of the sample are there, and of how many.
        stop: ends it.

    Raises:
        SourceError: it cannot be read.
        ModelError: the model cannot be used.
        JobStoppedError: a stop was asked for.
    """
    config = config.model_copy(update={"cache": False})
    model = find_model(config.model, log=log, stop=stop)
    sample = take_sample(source, config, shard_rows=shard_rows, log=log, tick=tick, stop=stop)
    session = session_of(model, config, log=log, stop=stop)
    tagger = session.result()  # before the clock runs
    decoding, ready = _time_decoding(sample, config, model, stop)
    rate = _time_model(sample.pictures[0], ready, session, config, stop)
    return Estimate(
        sample=sample,
        rows=_rows_of(sample),
        decoding=decoding,
        model=rate,
        ran=Ran(tagger.device or "cpu", tagger.precision),
        threads=_threads(config),
        workers=workers,
        price=price,
    )


def _threads(config: CaptionConfig) -> int:
    return max(1, PictureLimits(config).workers)


def _rows_of(sample: Sample) -> Range:
    if sample.rows is not None:
        return Range(sample.rows, sample.rows, sample.rows)
    # An archive: every member has a header and is filled up; beside a picture there may be a text and a JSON file.
    blocks = [_BLOCK * (1 + math.ceil(size / _BLOCK)) for size in sample.sizes]
    error, mean = 2 * _error_of_mean(blocks), statistics.fmean(blocks)
    alone, with_both = mean / (1 + error), (mean + 4 * _BLOCK) * (1 + error)
    return Range(sample.size / with_both, sample.size / (mean + _BLOCK), sample.size / alone)


def _error_of_mean(values: Sequence[float]) -> float:
    """The standard error of a mean, as a part of it."""
    mean = statistics.fmean(values)
    return statistics.stdev(values) / math.sqrt(len(values)) / mean if len(values) > 1 and mean > 0 else 1.0


class _Clock:
    """Seconds of a decoding thread for each picture: from when it is hashed until it is ready."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._began = threading.local()

    def begin(self, _digests: Sequence[bytes]) -> Mapping[bytes, FloatArray]:
        self._began.at = time.thread_time()
        return {}

    def end(self, *_: object) -> None:
        self.seconds.append(time.thread_time() - self._began.at)


def _time_decoding(
    sample: Sample, config: CaptionConfig, model: ModelFiles, stop: StopToken
) -> tuple[Range, list[_Ready]]:
    """Pictures a second of decoding alone, and some that are ready for the model."""
    clock = _Clock()
    ready: list[_Ready] = []
    began = time.perf_counter()
    decoder = Decoder(
        sample.pictures,
        config,
        model.spec,
        stored_scores=clock.begin,
        stage=clock.end,
        on_model_needed=lambda: None,
        with_facts=True,
        with_boxes=model.mask_name is not None,
    )
    with decoder as rows:
        for row in rows:
            stop.check()
            if row.pixels is None:
                sample.damaged += 1
            elif len(ready) < _READY:
                ready.append((row.pixels, row.box))
    seconds = time.perf_counter() - began
    return Range.about(len(sample.pictures) / seconds, _error_of_mean(clock.seconds or [0.0])), ready


def _time_model(
    row: InputRow,
    ready: Sequence[_Ready],
    session: BackgroundCall[AnyTagger],
    config: CaptionConfig,
    stop: StopToken,
) -> Range:
    """Pictures a second of the model alone, in batches and threads as in a run."""
    if not ready:
        return Range(math.inf, math.inf, math.inf)
    tagger = session.result()
    batch = config.batch_size or tagger.preferred_batch
    first = list(islice(cycle(ready), batch))
    tagger.run(np.stack([array for array, _ in first]), [box for _, box in first if box is not None])
    ended = threading.Event()

    def rows() -> Iterator[DecodedRow]:
        for number, (array, box) in enumerate(cycle(ready)):
            if ended.is_set():
                return
            digest = number.to_bytes(32, "big")  # equal ones would go through once
            yield DecodedRow(row, digest=digest, pixels=array, box=box)

    times = [(time.perf_counter(), 0)]
    with Scorer(rows(), session, batch_size=config.batch_size, keep_low_scores=False) as scorer:
        while True:
            stop.check()
            try:
                scored = len(scorer.take(0.2))
            except TimeoutError:
                continue
            except Exhausted:
                break
            times.append((time.perf_counter(), times[-1][1] + scored))
            took = times[-1][0] - times[0][0]
            if (took > _SHORTEST and times[-1][1] >= PICTURES) or took > _LONGEST:
                ended.set()  # what is under way is still waited for, and counted
    return _rate(times)


def _rate(times: Sequence[tuple[float, int]]) -> Range:
    """Pictures a second, by when how many were scored, and how much that varied over five stretches of time."""
    (begin, _), (end, scored) = times[0], times[-1]
    cuts = [times[index * (len(times) - 1) // 5] for index in range(6)]
    rates = [(now[1] - then[1]) / (now[0] - then[0]) for then, now in pairwise(cuts) if now[0] > then[0]]
    return Range.about(scored / (end - begin), _error_of_mean(rates) if len(rates) > 2 else _ALWAYS)


def estimate_lines(estimate: Estimate) -> Iterator[str]:
    """An estimate, for a person."""
    sample, hours, rate = estimate.sample, estimate.hours, estimate.rate
    read, bad = len(sample.pictures), sample.unreadable + sample.damaged
    failed = f"; {bad:,} of them cannot be read" if bad else ""
    looked_at = count(read + sample.unreadable, "picture")
    shards = f"{sample.sampled_shards:,} of {count(sample.shards, 'shard')}"
    yield f"Sample: {looked_at} of {sample.name}, from {shards}{failed}"
    rows = count(round(estimate.rows.value), "picture")
    if sample.rows is None:
        rows = f"about {rows} ({estimate.rows.low:,.0f} to {estimate.rows.high:,.0f})"
    yield (
        f"Decoding alone: {_number(estimate.decoding)} pictures/s with {count(estimate.threads, 'thread')}. "
        f"The model alone: {_number(estimate.model)} pictures/s on {estimate.ran}."
    )
    yield f"A worker like this machine: {_number(rate)} pictures/s. {estimate.limit}"
    yield (
        f"{rows} on {count(estimate.workers, 'worker')}: "
        f"{duration(hours.value * 3600)}, likely between {duration(hours.low * 3600)} and {duration(hours.high * 3600)}"
    ).capitalize()
    if estimate.price is not None:
        each = estimate.workers * estimate.price
        low, value, high = (_money(number * each) for number in (hours.low, hours.value, hours.high))
        yield f"Cost at {estimate.price:g} for a worker in an hour: {value}, likely between {low} and {high}"
    megabytes = sum(sample.sizes) / 1e6
    speed = f" ({megabytes / sample.seconds:,.0f} MB/s here, one after the other)" if sample.seconds > 0.01 else ""
    yield (
        f"Not counted: reading {megabytes / read * 1000:,.1f} kB a picture from where they are{speed}; starting "
        "workers; the merge. Workers that share a machine's cores or its GPU are slower than one alone."
    )


def _number(value: Range) -> str:
    """`31.4 (29.9 to 33.0)`."""
    if math.isinf(value.value):
        return "any number of"
    digits = 0 if value.value >= 100 else 1
    return f"{value.value:,.{digits}f} ({value.low:,.{digits}f} to {value.high:,.{digits}f})"


def _money(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
