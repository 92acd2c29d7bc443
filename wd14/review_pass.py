"""The review page of a run: its rows are collected, and `.wd14/review.html` is written before the folder moves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wd14.config import CaptionConfig
from wd14.model.files.find import ModelFiles
from wd14.page_model import PageModel, about_dataset
from wd14.result_check import ResultCheck
from wd14.review.edits_by_picture import Edits
from wd14.review.page import write_page
from wd14.review.page_data import PAGE, THUMBNAILS, PageContents, page_data
from wd14.review.page_rows import PageRow, PageRows
from wd14.thumbnail_folder import ThumbnailFolder
from wd14.types import Curation, FinishedRow, Status, TokenCounter

if TYPE_CHECKING:
    from wd14.disagreement import Disagreement

#: Pictures of a page that is written by itself: with more, it opens slowly.
MOST_PICTURES = 30_000


def thumbnails_ahead(total: int | None) -> ThumbnailFolder | None:
    """Makes thumbnails in a pass before the one that writes them; None where there will be no page.

    Args:
        total: how many pictures there are, where that is known.
    """
    return ThumbnailFolder(None, MOST_PICTURES) if _is_small(total) else None


def _is_small(total: int | None) -> bool:
    return total is None or total <= MOST_PICTURES


class ReviewPass:
    """Listens to a run's rows. A picture takes about 1 KB; from `MOST_PICTURES` on nothing is kept any more.

    Args:
        folder: the hidden folder of the dataset that is being built.
        name: of the dataset.
        total: how many pictures there are, where that is known.

    Attributes:
        thumbnails: takes the pictures' thumbnails; None = there will be no page.
    """

    def __init__(self, folder: Path, name: str, total: int | None) -> None:
        self._folder = folder
        self._name = name
        self._rows: PageRows | None = None
        self._without_thumbnail: list[int] = []
        self._model: PageModel | None = None
        self._check: ResultCheck | None = None
        self.thumbnails = ThumbnailFolder(folder / THUMBNAILS, MOST_PICTURES) if _is_small(total) else None

    def begin(
        self, model: ModelFiles, config: CaptionConfig, curation: Curation | None, tokens: TokenCounter | None
    ) -> None:
        """Says how captions are made, before the first row comes. A run without a plan is checked for the page only."""
        self._config = config
        if self.thumbnails is not None:
            if curation is None:
                self._check = ResultCheck(config, model.labels, model.thresholds, tokens, similar=False)
            page = self._model = PageModel(model.labels, config, model.thresholds, curation, tokens)
            self._rows = PageRows(config.caption_separator, page.texts, page.candidates())

    def add(self, finished: FinishedRow) -> None:
        """Takes a row."""
        if self._rows is None:
            return
        if len(self._rows) >= MOST_PICTURES:
            self._give_up()
            return
        if self._check is not None:
            self._check.add(finished)
        row, report = finished.row, finished.report
        if not row.has_thumbnail:
            self._without_thumbnail.append(len(self._rows))
        self._rows.add(
            PageRow(
                source=row.input.label,
                status=report.status,
                name=report.name,
                digest=row.digest,
                caption=finished.unedited,
                before=row.input.caption,
                written=report.caption if self._config.max_tokens and report.unedited is not None else None,
                reason=report.reason,
                notes=report.notes,
                scores=None if report.status is Status.FAILED else row.result.scores,
                size=None if row.facts is None else (row.facts.width, row.facts.height),
            )
        )

    def _give_up(self) -> None:
        self._rows = None
        self._without_thumbnail.clear()
        self._model = self._check = None
        if self.thumbnails is not None:
            self.thumbnails.stop()

    def write(
        self,
        provenance: Mapping[str, Any],
        notes: Mapping[str, Any],
        edits: Edits | None,
        disagreement: Disagreement | None = None,
    ) -> Iterable[str]:
        """Writes the page; returns what a person should know.

        Args:
            provenance: how the dataset was made.
            notes: the plan and the findings, where there are some.
            edits: those of the run, if it has some.
            disagreement: of the models, where there are several.
        """
        rows, model = self._rows, self._model
        if rows is None or model is None:
            self._give_up()
            return [f"The review page is made for up to {MOST_PICTURES:,} pictures; for more: wd14-captioner review."]
        rules = model.rules(rows)
        found = notes.get("findings", {"findings": []}) if self._check is None else self._check.conclude()[0]
        contents = PageContents(
            dataset=about_dataset(self._name, provenance, self._config, folder="../"),
            mark=str(provenance["made_at"]),
            separator=self._config.caption_separator,
            triggers=model.triggers,
            words=model.words,
            rules=rules.tables,
            rules_missing=rules.missing,
            plan=notes.get("plan"),
            findings=[*(() if disagreement is None else disagreement.findings()), *found["findings"]],
            edits=() if edits is None else edits.as_json(),
            originals={} if edits is None else edits.originals,
            thumbnails=self._without_thumbnail,
            tokens=rules.tokens,
        )
        try:
            write_page(self._folder / PAGE, page_data(rows, contents))
        except OSError as error:  # the dataset is worth more than its page
            self._give_up()
            return [f"The review page could not be written: {error.strerror or error}"]
        return []
