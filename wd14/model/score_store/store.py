"""The score store: a picture is scored once; thresholds and options can then be changed without the model.

Kept for each picture are its scores at or above `SCORE_FLOOR`, and all of its ratings, in float32 to the bit, under
the sha256 of the encoded picture, the model's identity and the preprocessing. `floor` brings fresh scores to
the same form, so that a fresh run and a run from the store give the same captions. Beside them are the facts of the
picture (`images.facts`) and its thumbnail (`images.thumbnail`), which belong to no model.

The store never fails a job. Whatever goes wrong with it (locked, read-only, full disk, corrupt) is said in a line, and
the job goes on without it: `get` finds nothing, and what `put` takes goes to the `spare` store, if there is one. Only
`stats` and `clear`, which a person asks for, raise `StoreError`.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Self, TypeVar

from wd14.cache_folders import cache_folder
from wd14.errors import StoreError
from wd14.model.score_store.database import DamagedStoreError, ScoreDatabase, set_aside
from wd14.model.score_store.facts_format import pack_facts, unpack_facts
from wd14.model.score_store.row_format import check, floor, kept, pack, rating_mask, unpack, usable_for
from wd14.model.score_store.stored import PICTURE_TABLES, Identity, PictureTable, StoredScores, StoreStats
from wd14.model.score_store.thumbnail_format import LARGEST_THUMBNAIL, pack_thumbnail, unpack_thumbnail
from wd14.types import FloatArray, Labels, Log, PictureFacts

__all__ = ["ScoreStore", "ScoreView", "StoreStats", "floor", "usable_for"]

#: About a million pictures: 650 bytes for the scores of one, and 390 for its facts; and 256 MB for thumbnails.
DEFAULT_MAX_BYTES = (1 << 30) + (1 << 28)
FILE_NAME = "scores.sqlite"

#: Rows go to the file after so many or so long, whichever comes first: what a killed run loses at most.
_FLUSH_ROWS = 256
_FLUSH_SECONDS = 1.0

_Packed = Mapping[bytes, bytes]
_NOTHING: _Packed = MappingProxyType({})

T = TypeVar("T")


class ScoreStore:
    """Scores of earlier runs. Made by `open` or `off`; a context manager; safe with threads and processes."""

    def __init__(self, path: Path | None, *, max_bytes: int, busy_seconds: float, log: Log | None) -> None:
        self.path = path
        self.reason: str | None = None  #: why the store is not in use, or None when it is
        self.spare: ScoreStore | None = None  #: takes what this store does not
        self._max_bytes = max_bytes
        self._busy_seconds = busy_seconds
        self._log = log
        self._lock = threading.RLock()
        self._file: ScoreDatabase | None = None
        self._rebuilt = False
        self._keeps = True  # False once writing has failed: what is there can still be read
        self._pending: dict[tuple[bytes, int], bytes] = {}
        self._pending_pictures: dict[PictureTable, dict[bytes, bytes]] = {table: {} for table in PICTURE_TABLES}
        self._flushed_at = time.monotonic()
        self._identities: dict[int, Identity] = {}

    @classmethod
    def open(
        cls,
        folder: Path | None = None,
        *,
        max_bytes: int = DEFAULT_MAX_BYTES,
        log: Log | None = None,
        busy_seconds: float = 5.0,
    ) -> ScoreStore:
        """The store in a folder. Never raises: one that cannot be used says why in a line and holds nothing.

        Args:
            folder: where `scores.sqlite` lies or is to be made; None = `cache_folder()`.
            max_bytes: size from which on no more scores are kept, which is said in a line.
            log: where to say that the store cannot be used, or was rebuilt.
            busy_seconds: how long to wait for another process.
        """
        store = cls(None, max_bytes=max_bytes, busy_seconds=busy_seconds, log=log)
        try:
            store.path = (cache_folder() if folder is None else Path(folder)) / FILE_NAME
            try:
                store._file = store._open_database(store.path)
            except DamagedStoreError as error:
                store._rebuild(store.path, error)
        except StoreError as error:
            store._give_up(error)
        return store

    @classmethod
    def off(cls) -> ScoreStore:
        """A store that keeps and finds nothing."""
        store = cls(None, max_bytes=0, busy_seconds=0, log=None)
        store.reason = "the store is turned off"
        return store

    def view(self, model: str, preprocessing: str, labels: Labels, *, name: str = "") -> ScoreView:
        """The scores of one model with one preprocessing.

        Args:
            model: identity of the weights and the labels.
            preprocessing: all that shapes the model's input beside the picture.
            labels: the model's tags.
            name: the model as the user wrote it: `wd14-captioner cache` shows it.
        """
        text = json.dumps([model, preprocessing, len(labels)])
        number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big", signed=True)
        identity = Identity(number, model, preprocessing, len(labels), name)
        with self._lock:
            self._identities[number] = identity
        return ScoreView(self, identity, labels)

    def facts(self, picture: bytes) -> PictureFacts | None:
        """What is kept of a picture, or None. Of many pictures, ask `facts_of_many`."""
        return self.facts_of_many([picture]).get(picture)

    def facts_of_many(self, pictures: Iterable[bytes]) -> dict[bytes, PictureFacts]:
        """What is kept of pictures, by the sha256 of each; those without facts are left out.

        Of 100,000 pictures it takes a second, and 60 MB for what it returns.
        """
        return self._of_pictures("facts", pictures, unpack_facts)

    def put_facts(self, rows: Iterable[tuple[bytes, PictureFacts]]) -> None:
        """Keeps facts: (sha256 of the encoded picture, its facts) each. As scores, they reach the file in batches."""
        self._keep({}, "facts", {picture: pack_facts(facts, picture) for picture, facts in rows})

    def thumbnail(self, picture: bytes) -> bytes | None:
        """The thumbnail of a picture, or None. Of many pictures, ask `thumbnails_of_many`."""
        return self.thumbnails_of_many([picture]).get(picture)

    def thumbnails_of_many(self, pictures: Iterable[bytes]) -> dict[bytes, bytes]:
        """The thumbnails of pictures, by the sha256 of each; those without one are left out."""
        return self._of_pictures("thumbnails", pictures, unpack_thumbnail)

    def put_thumbnails(self, rows: Iterable[tuple[bytes, bytes]]) -> None:
        """Keeps thumbnails: (sha256 of the encoded picture, the thumbnail) each; one that is huge is not kept."""
        packed = {picture: pack_thumbnail(data, picture) for picture, data in rows if len(data) <= LARGEST_THUMBNAIL}
        self._keep({}, "thumbnails", packed)

    @property
    def keeps(self) -> bool:
        """Whether scores are kept, as far as is known."""
        return self._file is not None and self._keeps

    def flush(self, *, even_nothing: bool = False) -> None:
        """Writes what is waiting; with `even_nothing` it also finds out whether anything can be written."""
        with self._lock:
            self._flushed_at = time.monotonic()
            waiting = self._pending or any(self._pending_pictures.values())
            if self._file is None or not self._keeps or not (waiting or even_nothing):
                return
            rows = [StoredScores(picture, identity, packed) for (picture, identity), packed in self._pending.items()]
            identities = [self._identities[number] for number in sorted({row.identity for row in rows})]
            try:
                self._file.write(rows, identities, self._pending_pictures)
            except DamagedStoreError as error:
                self._fail(self._file, error)
                self.flush()  # into the file that was begun anew
            except StoreError as error:
                self._keeps = False
                self._say(f"this run's scores are not kept: {error}")
            self._forget_pending()  # only now: until they are in the file, `get` finds them here

    def close(self) -> None:
        """Writes what is waiting and closes the file; a closed store keeps and finds nothing."""
        with self._lock:
            self.flush()
            if self._file is not None:
                self._file.close()
                self._file = None
            if self.reason is None:
                self.reason = "the store is closed"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def stats(self) -> StoreStats:
        """What the store holds.

        Raises:
            StoreError: the store cannot be read.
        """
        file = self._required()
        aside = sorted(file.path.parent.glob(f"{FILE_NAME}.corrupt-*"))
        counts, (facts, thumbnails) = tuple(file.counts()), map(file.count_pictures, PICTURE_TABLES)
        of_pictures = file.scored_pictures(), counts, facts, thumbnails
        return StoreStats(file.path, file.size(), self._max_bytes, *of_pictures, tuple(aside))

    def clear(self, name: str | None = None) -> int:
        """Forgets all scores, facts and thumbnails, or a model's scores; returns how many pictures had scores.

        Raises:
            StoreError: the store cannot be written.
        """
        with self._lock:
            return self._required().clear(name)

    def _required(self) -> ScoreDatabase:
        if self._file is None:
            raise StoreError(f"the score store cannot be used: {self.reason}")
        self.flush()
        return self._file

    def _of_pictures(
        self, table: PictureTable, pictures: Iterable[bytes], unpacked: Callable[[bytes, bytes], T | None]
    ) -> dict[bytes, T]:
        pending = self._pending_pictures[table]
        return self._of_many(pictures, pending.get, lambda file, rest: file.read_pictures(table, rest), unpacked)

    def _of_many(
        self,
        pictures: Iterable[bytes],
        waiting: Callable[[bytes], bytes | None],
        read: Callable[[ScoreDatabase, Sequence[bytes]], dict[bytes, bytes]],
        unpacked: Callable[[bytes, bytes], T | None],
    ) -> dict[bytes, T]:
        """What is kept of pictures, by the sha256 of each: what waits for the file, else what it holds."""
        pictures = list(pictures)
        # First those that wait: they may reach the file meanwhile.
        packed = {picture: found for picture in pictures if (found := waiting(picture)) is not None}
        if rest := [picture for picture in pictures if picture not in packed]:
            packed |= self._ask(lambda file: read(file, rest), dict[bytes, bytes]())
        values = ((picture, unpacked(found, picture)) for picture, found in packed.items())
        return {picture: value for picture, value in values if value is not None}

    def _ask(self, question: Callable[[ScoreDatabase], T], nothing: T) -> T:
        file = self._file
        if file is None:
            return nothing
        try:
            return question(file)
        except StoreError as error:
            self._fail(file, error)
            return nothing

    def _keep(
        self, rows: Mapping[tuple[bytes, int], bytes], table: PictureTable = "facts", pictures: _Packed = _NOTHING
    ) -> None:
        with self._lock:
            if not self.keeps:
                if self.spare is not None:
                    self.spare._identities |= self._identities
                    self.spare._keep(rows, table, pictures)
                return
            self._pending.update(rows)
            self._pending_pictures[table].update(pictures)
            waiting = max(len(self._pending), *map(len, self._pending_pictures.values()))
            if waiting >= _FLUSH_ROWS or time.monotonic() - self._flushed_at >= _FLUSH_SECONDS:
                self.flush()

    def _fail(self, file: ScoreDatabase, error: StoreError) -> None:
        """Rebuilds the file that failed a thread when it is damaged (once a run), else uses it no longer."""
        with self._lock:
            if file is not self._file:  # another thread was here before
                return
            self._file = None
            try:
                file.close()
                if not isinstance(error, DamagedStoreError) or self._rebuilt:
                    raise error
                self._rebuild(file.path, error)
            except StoreError as second:
                self._give_up(second)

    def _open_database(self, path: Path) -> ScoreDatabase:
        return ScoreDatabase(path, max_bytes=self._max_bytes, busy_seconds=self._busy_seconds)

    def _rebuild(self, path: Path, error: StoreError) -> None:
        """Sets a damaged file aside and starts a new one, unless another process has done so meanwhile."""
        self._rebuilt = True
        try:
            file = self._open_database(path)
            if file.is_sound():
                self._file = file
                return
            file.close()
        except DamagedStoreError:
            pass
        kept = set_aside(path)
        self._file = self._open_database(path)
        self._say(f"the score store was damaged and is begun anew ({error}); the old one is kept as {kept.name}")

    def _give_up(self, error: StoreError) -> None:
        self.reason = str(error)
        self._file = None
        self._forget_pending()
        self._say(f"the score store is not used: {error}")

    def _forget_pending(self) -> None:
        if not self.keeps:
            for table, pictures in self._pending_pictures.items():
                self._keep(self._pending, table, pictures)
        self._pending = {}
        self._pending_pictures = {table: {} for table in PICTURE_TABLES}

    def _say(self, line: str) -> None:
        if self._log is not None:
            self._log(line)


class ScoreView:
    """A store's scores of one model with one preprocessing. Every method may be called from any thread."""

    def __init__(self, store: ScoreStore, identity: Identity, labels: Labels) -> None:
        self._store = store
        self._identity = identity
        self._ratings = rating_mask(labels)

    def is_empty(self) -> bool:
        """Whether there are no scores at all, as far as can be told at once: then every picture needs the model."""
        return not self._store._ask(lambda file: file.knows(self._identity), False)

    def get(self, picture: bytes) -> FloatArray | None:
        """Scores of a picture, (T,) float32 as `floor` gives them, or None when the store has none."""
        return self.get_many([picture]).get(picture)

    def get_many(self, pictures: Iterable[bytes]) -> dict[bytes, FloatArray]:
        """As `get`, by the sha256 of each picture; those without scores are left out."""
        number, tags, pending = self._identity.id, self._identity.tags, self._store._pending
        return self._store._of_many(
            pictures,
            lambda picture: pending.get((picture, number)),
            lambda file, rest: file.read_scores(rest, number),
            lambda packed, picture: unpack(packed, picture, tags),
        )

    def put(self, rows: Iterable[tuple[bytes, FloatArray]]) -> None:
        """Keeps scores: (sha256 of the encoded picture, (T,) float32) each, floored or not.

        They reach the file in batches; `get` finds them at once.

        Raises:
            ScoringError: a row's scores are not T finite numbers; no row of this call is kept.
        """
        number, tags = self._identity.id, self._identity.tags
        packed: dict[tuple[bytes, int], bytes] = {}
        for picture, scores in rows:
            check(scores, tags)
            packed[picture, number] = pack(scores, picture, kept(scores, self._ratings))
        self._store._keep(packed)
