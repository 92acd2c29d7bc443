"""From rows to scored rows: stored scores where there are some, else the picture goes through the model.

    rows ─▶ Decoder (threads) ─▶ batches ─▶ Scorer (threads) ─▶ scored rows, in order

Every queue is bounded, so memory does not depend on the dataset's size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple, Self

from wd14.caption.thresholds import lowest_threshold
from wd14.config import CaptionConfig
from wd14.decoding import Decoder
from wd14.model.files.find import ModelFiles
from wd14.model.no_tagger import NoTagger
from wd14.model.runtimes.session import Precision
from wd14.model.score_store.model_scores import ModelScores
from wd14.model.score_store.store import ScoreStore, usable_for
from wd14.model.scoring import AnyTagger, Scorer, runs_at_once, threads_of_a_run
from wd14.model.tagger import Tagger
from wd14.stop import StopToken
from wd14.threads import BackgroundCall
from wd14.thumbnail_folder import ThumbnailFolder
from wd14.types import DecodedRow, FloatArray, InputRow, Log, PictureToSave

#: Seconds that giving up the opening of a session may take.
OPENING_ENDS = 1.5


class Ran(NamedTuple):
    """What a model ran on, and how; both None where it was not needed."""

    device: str | None = None
    precision: Precision | None = None

    def __str__(self) -> str:
        """`cpu`, `openvino, fast`."""
        return f"{self.device}{', fast' if self.precision == 'fast' else ''}"


class ScoredRows:
    """Scores rows in order; a context manager, whose end stops all threads.

    Args:
        rows: iterated in a thread of its own.
        model: the files of the tagger; its session is opened when the first picture needs it.
        config: the parameters.
        stop: ends what cannot be waited for: the opening of the session, a run of the model.
        log: where to say what a person should know.
        stage: brings a picture to where the output is built; what it returns stays with the row. Called by any thread.
        session: the model's, from `session_of`, where it is to outlive these rows; None = they have one of their own.
        spare: takes the scores and facts that the score store cannot keep, and is asked for what that one lacks.
        with_facts: whether rows come with their pictures' facts: those that are stored, where they were not decoded.
        thumbnails: takes the pictures' thumbnails, those that are stored too; None = none are made.
        pictures: how many rows there are; None = not known.
        original: from the sha256 of a picture to that of the one it was made from, whose stored scores will do.
    """

    def __init__(
        self,
        rows: Iterable[InputRow],
        model: ModelFiles,
        config: CaptionConfig,
        *,
        stop: StopToken,
        log: Log,
        stage: Callable[[InputRow, PictureToSave], Any] = lambda *_: None,
        session: BackgroundCall[AnyTagger] | None = None,
        spare: ScoreStore | None = None,
        with_facts: bool = False,
        thumbnails: ThumbnailFolder | None = None,
        pictures: int | None = None,
        original: Callable[[bytes], bytes] | None = None,
    ) -> None:
        self._ran = Ran()
        self._with_facts, self._original = with_facts, original
        self._stop = StopToken(stop)
        with ExitStack() as stack:
            self._open_stores(config, spare, log, stack)
            self._stored, self._spared = (ModelScores(each, model, config) for each in (self._store, self._spare))
            if thumbnails is not None:
                thumbnails.find_in(self._store, self._spare)
            stored_will_do = usable_for(lowest_threshold(model.labels, config, model.thresholds))
            self._tagger = session or session_of(model, config, log=log, stop=self._stop, pictures=pictures)
            if session is None:
                stack.callback(self._close_session)  # the next model needs its memory
                # A process that ends while one of its threads opens a session is aborted.
                stack.callback(self._tagger.wait, OPENING_ENDS)
            decoder = Decoder(
                rows,
                config,
                model.spec,
                stored_scores=self._find if stored_will_do else lambda _: {},
                stage=stage,
                on_model_needed=self._tagger.start,
                with_facts=config.cache or spare is not None or with_facts,
                with_boxes=model.mask_name is not None,
                thumbnails=thumbnails,
            )
            stack.enter_context(decoder)
            self._scorer = stack.enter_context(
                Scorer(decoder, self._tagger, batch_size=config.batch_size, keep_low_scores=not stored_will_do)
            )
            if not stored_will_do or (self._stored.is_empty() and self._spared.is_empty()):
                self._tagger.start()
            stack.callback(self._stop.request, "the job has ended")
            self._on_exit = stack.pop_all()

    def _open_stores(self, config: CaptionConfig, spare: ScoreStore | None, log: Log, stack: ExitStack) -> None:
        self._store = ScoreStore.open(config.cache_path, log=log) if config.cache else ScoreStore.off()
        stack.callback(self._store.close)
        self._store.spare = spare
        self._spare = spare or ScoreStore.off()
        stack.callback(self._spare.flush)
        if spare is not None:
            self._store.flush(even_nothing=True)  # where it keeps nothing, the spare one has all from the start

    def take(self, timeout: float) -> list[DecodedRow]:
        """The next rows, in order; fresh scores and facts are kept in the store on the way.

        Raises:
            Exhausted: there are no more.
            TimeoutError: none was ready within `timeout` seconds.
            Exception: whatever ended the rows, or the opening of the model.
        """
        rows = self._scorer.take(timeout)
        store = self._store  # what it does not keep goes to the spare one
        if store.keeps or self._spare.keeps:  # packing scores takes longer than writing a caption
            store.put_facts((row.digest, row.facts) for row in rows if row.facts is not None)
            store.put_thumbnails((row.digest, row.thumbnail) for row in rows if row.thumbnail is not None)
            fresh = ((row.digest, row.result.scores) for row in rows if not row.from_scores)
            self._stored.put(
                ((digest, scores) for digest, scores in fresh if scores is not None), self.ran.precision or "exact"
            )
        if self._with_facts:
            wanted = [row.digest for row in rows if row.facts is None and row.digest]
            stored = self._spare.facts_of_many(wanted) | self._store.facts_of_many(wanted)
            for row in rows:
                row.facts = row.facts or stored.get(row.digest)
        return rows

    @property
    def ran(self) -> Ran:
        """What the model ran on, and how."""
        tagger = self._tagger.peek()
        return self._ran if tagger is None else Ran(tagger.device, tagger.precision)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._on_exit.close()

    def _close_session(self) -> None:
        self._ran = self.ran
        self._tagger.forget()

    def _find(self, pictures: Sequence[bytes]) -> Mapping[bytes, FloatArray]:
        return stored_in((self._stored, self._spared), pictures, self._original)


def stored_in(
    stores: Iterable[ModelScores], pictures: Sequence[bytes], original: Callable[[bytes], bytes] | None = None
) -> dict[bytes, FloatArray]:
    """The scores of pictures in several stores, or those of the pictures that they were made from.

    Args:
        stores: those that come first count first.
        pictures: sha256 of each.
        original: as `ScoredRows` takes it.
    """
    found: dict[bytes, FloatArray] = {}
    for scores in stores:
        found |= scores.get_many([picture for picture in pictures if picture not in found])
        if original is not None:
            missing = {picture: original(picture) for picture in pictures if picture not in found}
            stored = scores.get_many(list(missing.values()))
            found |= {picture: stored[each] for picture, each in missing.items() if each in stored}
    return found


def session_of(
    model: ModelFiles, config: CaptionConfig, *, log: Log, stop: StopToken, pictures: int | None = None
) -> BackgroundCall[AnyTagger]:
    """The session of a model: opened in a thread when it is first needed, and once.

    Args:
        model: the files of the tagger.
        config: says on which device, and how exactly.
        log: is told what it runs on, and why.
        stop: ends its opening, and every run of it.
        pictures: how many are to be scored; None = not known.
    """

    def opened() -> AnyTagger:
        if not len(model.labels):
            return NoTagger()
        tagger = Tagger.load(
            model,
            device=config.device,
            precision=config.precision,
            intra_op_threads=threads_of_a_run(),
            runs_at_once=runs_at_once(),
            pictures=pictures,
            log=log,
            stop=stop,
        )
        for line in tagger.lines:
            log(line)
        return tagger

    return BackgroundCall(opened, "wd14-session")
