"""The scores of a job that goes over its dataset several times: a later pass finds what an earlier one gave.

Where scores are not to be stored, or the score store takes none, a temporary folder has them until the job's end.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from typing import Self

from wd14.config import CaptionConfig
from wd14.errors import OutputError
from wd14.model.score_store.store import ScoreStore
from wd14.run_folder import temporary_folder

#: Bytes of scores that a job keeps for itself: what the disk holds.
_NO_LIMIT = 1 << 60


class JobScores:
    """Keeps scores for the passes of one job; a context manager, whose end removes them.

    Args:
        config: says whether scores are stored, and where.
        several: whether there are several passes; else nothing is kept here, and nothing costs anything.
        needed: whether a later pass cannot make the scores of an earlier one again.

    Attributes:
        spare: takes what the score store does not; None = there is no such store.

    Raises:
        OutputError: scores are kept nowhere else, and no temporary folder can be made.
    """

    def __init__(self, config: CaptionConfig, *, several: bool = True, needed: bool = False) -> None:
        self.spare: ScoreStore | None = None
        self._on_exit = ExitStack()
        if not several:
            return
        try:
            folder = self._on_exit.enter_context(temporary_folder())
        except OSError as error:
            if config.cache and (not needed or _keeps(config)):
                return  # what the score store does not take is scored twice
            raise OutputError(f"cannot keep scores in {tempfile.gettempdir()}: {error.strerror or error}") from error
        self.spare = self._on_exit.enter_context(ScoreStore.open(folder.path, max_bytes=_NO_LIMIT))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._on_exit.close()


def _keeps(config: CaptionConfig) -> bool:
    with ScoreStore.open(config.cache_path) as store:
        store.flush(even_nothing=True)
        return store.keeps
