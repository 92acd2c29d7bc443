"""Looks at the rows of a captioned dataset: their captions, and what is known of their pictures.

    rows ─▶ threads: read, hash, stored facts and scores, or the picture opened ─▶ rows with what is known, in order

Pictures whose facts are stored are not decoded. The model is never run.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from wd14.config import CaptionConfig
from wd14.curation.checks.rule import CheckedRow
from wd14.data.caption_files import caption_file
from wd14.data.reader import Source
from wd14.data.sources.input_rows import CAPTION_COLUMNS
from wd14.data.sources.splits import split_of_folder
from wd14.decoding import PictureLimits
from wd14.errors import ImageTooLargeError, RowError
from wd14.images.facts import facts_of
from wd14.images.opening import PictureFile
from wd14.images.reading import read_picture
from wd14.model.score_store.store import ScoreStore, ScoreView
from wd14.regular_files import mode_of
from wd14.text import printable
from wd14.threads import OrderedMap
from wd14.types import InputRow, PictureFacts


@dataclass(slots=True)
class LookedRow:
    """A row whose picture was looked at."""

    row: InputRow
    checked: CheckedRow
    is_fresh: bool = False  #: whether its facts are new


class Looking:
    """Rows with what is known of their pictures, in order; threads work ahead. A context manager, which ends them."""

    def __init__(
        self, dataset: str, source: Source, config: CaptionConfig, store: ScoreStore, scores: ScoreView | None
    ) -> None:
        self._root = _root(dataset)
        self._config = config
        self._store = store
        self._scores = scores
        self._has_column = bool({config.caption_column, *CAPTION_COLUMNS} & set(source.columns))
        self._limits = PictureLimits(config)
        workers = max(1, self._limits.workers)
        self._threads: OrderedMap[InputRow, LookedRow] = OrderedMap(
            self._look,
            source,
            workers=workers,
            window=8 + 4 * workers,
            name="wd14-look",
            weigh=_bytes_in_memory,
            most_bytes=self._limits.most_bytes,
        )

    def take(self, timeout: float) -> LookedRow:
        """The next row; raises as `OrderedMap.take`."""
        return self._threads.take(timeout)

    def __enter__(self) -> Looking:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.close()

    def _look(self, row: InputRow) -> LookedRow:
        name, folder = self._place(row)
        looked = LookedRow(replace(row, data=None), CheckedRow(name, self._caption(row), folder))
        try:
            with self._limits.reading(row):
                data = read_picture(row)
                digest = hashlib.sha256(data).digest()
                facts = self._store.facts(digest)
                if facts is None:
                    facts = self._facts(data)
                    looked.is_fresh = True
        except RowError as error:
            looked.checked = replace(looked.checked, error=str(error))
        except MemoryError:
            looked.checked = replace(looked.checked, error=str(ImageTooLargeError("there is not enough memory for it")))
        else:
            scores = self._scores.get(digest) if self._scores is not None else None
            looked.checked = replace(looked.checked, facts=facts, digest=digest, scores=scores)
        return looked

    def _facts(self, data: bytes) -> PictureFacts:
        picture = PictureFile(data, max_pixels=self._limits.max_pixels)
        with self._limits.opening(picture):
            return facts_of(picture.rgb(upright=True))

    def _caption(self, row: InputRow) -> str | None:
        """The caption; "" = there is one, and it is empty."""
        if row.caption is not None or row.path is None:
            return row.caption if row.caption is not None or not self._has_column else ""
        there = self._has_column or mode_of(Path(caption_file(row.path, self._config.caption_extension)))
        return "" if there else None

    def _place(self, row: InputRow) -> tuple[str, str]:
        """A row's name, as short as it is clear, and the folder of its picture below the dataset's and the split's."""
        if row.path is None:
            return row.label, ""
        path = os.path.realpath(row.path)
        if not path.startswith(self._root + os.sep):
            return row.label, ""
        relative = printable(Path(path).relative_to(self._root).as_posix())
        parts = PurePosixPath(relative).parts[:-1]
        return relative, "/".join(parts[1:] if parts and split_of_folder(parts[0]) else parts)


def _root(dataset: str) -> str:
    try:
        path = Path(dataset).expanduser()
    except RuntimeError:
        return dataset
    return os.path.realpath(path if path.is_dir() else path.parent)


def _bytes_in_memory(row: InputRow | LookedRow) -> int:
    return len(row.data) if isinstance(row, InputRow) and row.data is not None else 0
