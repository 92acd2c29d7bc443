"""A person's edits in a job: read before anything else, looked up for each picture, and accounted for at its end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from wd14.caption.editing import Editor, whole_vocabulary
from wd14.config import CaptionConfig
from wd14.data.report import read_report
from wd14.errors import ConfigError, SourceError
from wd14.types import DecodedRow, FinishedRow, Labels, PictureEdits, Status

if TYPE_CHECKING:
    from wd14.review.edits_by_picture import Edits

_NONE = PictureEdits()


class JobEdits:
    """The edits of one job.

    Attributes:
        all: all of them; None = the job has none, and nothing here costs anything.

    Args:
        config: the parameters.
        source: the dataset, as the host names it. Of one of ours, pictures are also known by their originals.

    Raises:
        ConfigError: the edits cannot be read.
    """

    def __init__(self, config: CaptionConfig, source: str | Path) -> None:
        self._config = config
        self.all: Edits | None = None
        self._first_rows: dict[bytes, int] = {}  # by the sha256 of pictures of which the first one stays
        if config.edits:
            from wd14.review.edits import read_edits

            if edits := read_edits(Path(config.edits).expanduser()):
                self.all = edits
                self._know_originals(edits, source)

    @staticmethod
    def _know_originals(edits: Edits, source: str | Path) -> None:
        """Takes from the report of a dataset of ours which pictures were changed when they were saved, and from what.

        A report of 1,000,000 rows takes 5 seconds.
        """
        try:
            rows = read_report(Path(source).expanduser() / ".wd14" / "report.json")
            edits.know_originals({row.saved: row.digest for row in rows if row.saved and edits.names(row.digest)})
        except (SourceError, RuntimeError):
            return  # no dataset of ours, or no report that says it: pictures are known by their own bytes only

    def editor(self, labels: Labels) -> Editor | None:
        """What makes the edits in captions of a model's tags; None where there are no edits.

        Raises:
            ConfigError: a tag that somebody typed cannot be written with the captions' separator.
        """
        if self.all is None:
            return None
        from wd14.review.edits import TITLE

        editor = Editor(whole_vocabulary(labels, self._config), self._config.caption_separator)
        for number, (edit, _) in enumerate(self.all.entries, 1):
            for tag in (edit.tag if edit.op == "add" else "", edit.replacement):
                if tag and editor.cuts(tag):
                    raise ConfigError(
                        f"{TITLE}: entry {number:,}: {tag!r} holds the captions' separator"
                        f" {self._config.caption_separator!r}, which would cut it: name one tag, or set the caption"
                    )
        return editor

    def of(self, row: DecodedRow) -> PictureEdits:
        """The edits of a row's picture. Rows are asked for in the order of the source, in each pass."""
        if self.all is None:
            return _NONE
        found = self.all.of(row.digest)
        if found.keeps_first and row.digest:  # pictures that could not be read are nobody's copies
            first = self._first_rows.setdefault(row.digest, row.input.index)
            found = found._replace(rejected=first != row.input.index)
        return found

    def note(self, finished: FinishedRow) -> None:
        """Counts what became of a row's edits."""
        if self.all is not None:
            row, rejected = finished.row, finished.report.status is Status.REJECTED
            self.all.note(row.digest, finished.applied, rejected=rejected)

    def closing_lines(self) -> Iterator[str]:
        """What the edits did, and which do not apply any more."""
        return iter(()) if self.all is None else self.all.closing_lines()
