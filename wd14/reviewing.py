"""Makes the review page of a captioned dataset that lies there. The dataset stays as it is, and no model is run.

    source ─▶ DatasetCheck ─▶ rows with facts, thumbnails and stored scores, and findings ─▶ the page

A picture costs what it costs a check, and 2 ms for its thumbnail where that is not stored.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from wd14.base_captions import BaseCaptions, KeptCaptions, ReportedCaptions, without_model
from wd14.check_settings import CheckSettings, settings_for
from wd14.checking import CheckReport, DatasetCheck, Known, stored_run
from wd14.config import CaptionConfig
from wd14.curation.applying import curation_of
from wd14.data.report import ReportedRow
from wd14.disagreement_pass import StoredDisagreement
from wd14.errors import ConfigError, SourceError
from wd14.evaluation.kept import kept_with
from wd14.looking import LookedRow, root_of
from wd14.messages import AND, command_in_words
from wd14.page_model import PageModel, about_dataset
from wd14.published import Published
from wd14.regular_files import mode_of
from wd14.reported_rows import ReportedRows
from wd14.review.candidates import Candidates
from wd14.review.edits import read_edits
from wd14.review.edits_by_picture import Edits
from wd14.review.page_data import PageContents, Words, page_data
from wd14.review.page_rows import PageRow, PageRows
from wd14.review.place import PagePlace
from wd14.spelling import folded, with_spaces
from wd14.stop import StopToken
from wd14.tagging import Tagging, models_of
from wd14.text import count
from wd14.types import Labels, Log, Progress, Status


@dataclass(frozen=True)
class DatasetReview:
    """A dataset as its page shows it.

    Attributes:
        source: as the caller named it.
        page: the file that was written.
        folder: of the dataset, without links; None = it is no folder.
        data: the page's.
        parameters: of a job that makes the dataset again: those of the run that made it, else those with which its
            pictures keep their captions.
        is_ours: whether a run of this program made it.
        check: what its check found.
    """

    source: str
    page: Path
    folder: Path | None
    data: Mapping[str, Any]
    parameters: Mapping[str, Any]
    is_ours: bool
    check: CheckReport
    _place: PagePlace

    def picture(self, row: int) -> Path | None:
        """The file of a row's picture, inside the dataset's folder; None = it has none."""
        name = self.data["names"][row]
        return None if self.folder is None or name is None else self.folder / name

    def thumbnail(self, row: int) -> Path:
        """Where the thumbnail of a row lies, if it has one."""
        return self._place.thumbnail(row)


def review_dataset(
    source: str | Path,
    parameters: Mapping[str, Any] | None = None,
    *,
    output: Path | None = None,
    log: Log = lambda _: None,
    progress: Callable[[Progress], None] = lambda _: None,
    stop: StopToken | None = None,
) -> DatasetReview:
    """Makes the page of a captioned dataset, in its `.wd14`. A page of an earlier call is replaced.

    Args:
        source: anything that can be captioned, with its captions.
        parameters: as `checking.check_source` takes them.
        output: one file that is to hold all, thumbnails included, instead.
        log: is told what is left out while reading, and why.
        progress: is shown where the work stands.
        stop: ends it.

    Raises:
        SourceError: the dataset cannot be read.
        ConfigError: a parameter cannot have this value.
        ModelError: the model that the caller names cannot be used.
        OutputError: the page cannot be written.
        JobStoppedError: a stop was asked for.
    """
    if stored_run(str(source)) is not None:
        raise SourceError(
            f"{source} was written by `scale`: its shards hold captions and scores, and the page wants pictures. Review"
            f" some of them: `wd14-captioner caption` on a part of the source. `wd14-captioner check {source}` works"
        )
    settings = settings_for(source, parameters or {})
    folder = _folder(source)
    with PagePlace(folder, output) as place:
        watcher = _PageMaker(str(source), folder, settings, place)
        check = DatasetCheck(str(source), settings, log, progress, StopToken(stop), watcher=watcher).run()
        data = watcher.data(check)
        place.finish(data)
    if place.left_out:
        watcher.remarks.append(f"{count(place.left_out, 'thumbnail')}, for which one file has no room")
    check = CheckReport(check.dataset, check.pictures, check.findings, (*check.remarks, *watcher.remarks))
    return DatasetReview(str(source), place.page, folder, data, watcher.parameters, settings.is_ours, check, place)


def _folder(source: str | Path) -> Path | None:
    try:
        path = Path(source).expanduser()
        return Path(root_of(str(source))) if path.is_dir() else None
    except (RuntimeError, OSError, ValueError):
        return None


class _PageMaker:
    """Watches a check, and makes the page's data of the same rows.

    Attributes:
        remarks: lines about what the page does not show.
        parameters: see `DatasetReview`.
    """

    def __init__(self, source: str, folder: Path | None, settings: CheckSettings, place: PagePlace) -> None:
        self.remarks: list[str] = []
        self.parameters: Mapping[str, Any] = {}
        self._source = source
        self._settings = settings
        self._place = place
        self._report = ReportedRows(folder if settings.is_ours else None, self.remarks)
        self._edits = _read_edits(folder, self.remarks)
        self._evaluation = kept_with(folder, self.remarks)
        self._checked = array("I")  # the row of each picture that the check counted
        self._without_thumbnail: list[int] = []
        self.original = self._report.original

    def begin(self, known: Known) -> None:
        """See `Watcher`."""
        self._known = known
        tagging = known.tagging
        self._labels = tagging.model.labels if isinstance(tagging, Tagging) else tagging
        self._disagreement = StoredDisagreement(tagging, known.scores)
        run, problem = self._run()
        several = {"split"} if len(known.source.splits) > 1 else set()
        self.parameters = without_model(self._settings.config, {*self._settings.given, *several})
        self._captions: BaseCaptions = KeptCaptions(self.parameters)
        self._model: PageModel | None = None
        self._why_no_rules = problem
        if run is not None:
            self.parameters = run.model_dump(mode="json", exclude_unset=True)
            self._know_run(run)
        candidates = None
        if known.scores is not None and self._labels is not None:
            candidates = Candidates(self._labels) if self._model is None else self._model.candidates()
        texts = () if self._model is None else self._model.texts
        self._rows = PageRows(self._settings.config.caption_separator, texts, candidates)

    def _run(self) -> tuple[CaptionConfig | None, str]:
        """The parameters of the run that made the dataset, or why its captions do not follow from any."""
        if not self._settings.is_ours:
            return None, "No run of this program made these captions."
        try:
            run = self._settings.run
        except ConfigError as error:
            return None, f"It is not known how the captions were made: {error}"
        return run, "" if run is not None else "It is not known how the captions were made."

    def _know_run(self, run: CaptionConfig) -> None:
        """What follows from the parameters of the run, where its model is here."""
        known, labels = self._known, self._labels
        # Without the model it is not known how the tags are written that edits name.
        self._captions = ReportedCaptions(without_edits=bool(self._edits) and run.adds_no_tags)
        if run.adds_no_tags:
            self._why_no_rules = "No model made these captions."
            return
        models = models_of(run)
        if labels is None or models_of(self._settings.config) != models:
            which = "A model" if len(models) > 1 else "The model"
            self._why_no_rules = f"{which} of the run, {AND.join(models)}, is not on this machine."
            return
        plan = self._settings.plan
        try:
            curation = None if plan is None else curation_of(plan, labels)
            published = known.tagging.model.thresholds if isinstance(known.tagging, Tagging) else Published()
            self._model = PageModel(labels, run, published, curation, known.tokens)
            self._disagreement.leave_out(run, curation)
            if known.scores is None:
                self._why_no_rules = "There are no stored scores of these pictures on this machine."
            self._captions = ReportedCaptions(without_edits=bool(self._edits))
        except ConfigError as error:
            self._why_no_rules = f"The captions cannot be made again: {error}"

    def add(self, looked: LookedRow) -> None:
        """See `Watcher`."""
        for missing in self._report.missing_before(looked.path):
            self._add_missing(missing)
        checked = looked.checked
        reported = self._report.of(looked.path, checked.digest)
        digest = reported.digest if reported is not None and reported.digest else looked.original
        row = len(self._rows)
        self._checked.append(row)
        self._put_thumbnail(row, looked.thumbnail)
        caption = "" if checked.error else self._captions(looked.row.caption, reported)
        if checked.scores is not None:
            self._disagreement.add(row, looked.row.label, looked.original)
        self._rows.add(
            PageRow(
                source=looked.row.label if reported is None else reported.label,
                status=_status(reported, checked.error),
                name=_reachable(looked.path),
                digest=digest,
                caption=caption,
                before=looked.row.caption if reported is None and looked.row.caption != caption else None,
                reason=checked.error,
                notes=() if reported is None else reported.notes,
                scores=checked.scores,
                size=None if checked.facts is None else (checked.facts.width, checked.facts.height),
            )
        )

    def _add_missing(self, reported: ReportedRow) -> None:
        """A picture that the run did not write: it failed, or a person rejected it."""
        scores = thumbnail = facts = None
        is_rejected = reported.status is Status.REJECTED
        if is_rejected and reported.digest:
            store, view = self._known.store, self._known.scores
            scores = None if view is None else view.get(reported.digest)
            thumbnail, facts = store.thumbnail(reported.digest), store.facts(reported.digest)
        self._put_thumbnail(len(self._rows), thumbnail)
        self._rows.add(
            PageRow(
                source=reported.label,
                status=Status.REJECTED if is_rejected else Status.FAILED,
                digest=reported.digest,
                caption=self._captions.unedited(reported),
                reason=reported.reason,
                notes=reported.notes,
                scores=scores,
                size=None if facts is None else (facts.width, facts.height),
            )
        )

    def end(self) -> None:
        """See `Watcher`."""
        for missing in self._report.missing_behind():
            self._add_missing(missing)

    def _put_thumbnail(self, row: int, thumbnail: bytes | None) -> None:
        if thumbnail is None:
            self._without_thumbnail.append(row)
        else:
            self._place.put_thumbnail(row, thumbnail)

    def data(self, check: CheckReport) -> dict[str, Any]:
        """The page's data, when every row was added."""
        rows, model, plan = self._rows, self._model, self._settings.plan
        rules = None if model is None or self._why_no_rules else model.rules(rows)
        dataset = self._dataset()
        found = [{**each.as_json(), "rows": [self._checked[row] for row in each.rows]} for each in check.findings]
        contents = PageContents(
            dataset=dataset,
            mark=dataset["made_at"] or self._known.source.name,
            separator=self._settings.config.caption_separator,
            triggers=() if model is None else model.triggers,
            words=self._words(),
            rules=None if rules is None else rules.tables,
            rules_missing=self._why_no_rules if rules is None else rules.missing,
            plan=None if plan is None else plan.to_json(),
            findings=[*self._disagreement.findings(), *found],
            edits=self._edits.as_json(),
            originals=self._report.originals,
            thumbnails=self._without_thumbnail,
            tokens=None if rules is None else rules.tokens,
            evaluation=self._evaluation,
        )
        return page_data(rows, contents)

    def _words(self) -> Words | None:
        if self._model is not None:
            return self._model.words
        # Their texts are left out: without the run's model, an edit is replayed as it was typed.
        return None if self._labels is None else Words(self._spelled(self._labels), [()] * len(self._labels))

    def _spelled(self, labels: Labels) -> Labels:
        """Labels with spaces in their names where the captions have them: they are what a person is offered to add."""
        known = {folded(name) for name in labels.names}
        tags = [text for text in self._rows.texts() if folded(text) in known]
        if sum(" " in tag for tag in tags) <= sum("_" in tag for tag in tags):
            return labels
        return replace(labels, names=tuple(map(with_spaces, labels.names)))

    def _dataset(self) -> dict[str, Any]:
        name, folder = self._known.source.name, self._place.way_to_pictures
        config = CaptionConfig.from_values(self.parameters)
        about = about_dataset(name, self._settings.made, config, folder=folder)
        if self._settings.is_ours and not config.adds_no_tags:
            return about
        command = command_in_words(self._source, config)
        return {**about, "model": "", "options": "", "command": command, "max_tokens": 0}


def _status(reported: ReportedRow | None, error: str | None) -> Status:
    if error is not None:
        return Status.FAILED
    return Status.CAPTIONED if reported is None else reported.status


def _reachable(path: str | None) -> str | None:
    """A path as an address can have it; None for names that are no text."""
    try:
        return None if path is None else path.encode().decode()
    except UnicodeEncodeError:
        return None


def _read_edits(folder: Path | None, remarks: list[str]) -> Edits:
    """The edits that lie with the dataset."""
    path = None if folder is None else folder / ".wd14" / "edits.json"
    if path is not None and mode_of(path):
        try:
            return read_edits(path)
        except ConfigError as error:
            remarks.append(f"the edits in {path}: {error}")
    return Edits()
