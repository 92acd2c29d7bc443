"""The first pass over a dataset that is studied: every picture's scores, and from them the plan."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from wd14.caption.captioner import Captioner
from wd14.config import NO_MODEL, CaptionConfig
from wd14.curation.plan import Plan, plan_text, read_plan
from wd14.curation.study import Study
from wd14.dataset_plan import DatasetPlan, plan_dataset
from wd14.errors import ConfigError, OutputError
from wd14.model.files.find import ModelFiles
from wd14.result_check import ResultCheck
from wd14.types import Curation, DecodedRow, TokenCounter


@dataclass(frozen=True)
class Studied:
    """What a study found.

    Attributes:
        config: the parameters.
    """

    config: CaptionConfig
    _made: DatasetPlan
    _saved_as: Path | None

    @property
    def plan(self) -> Plan:
        """What becomes of each tag, and why."""
        return self._made.plan

    @property
    def curation(self) -> Curation:
        """The plan as the captioner needs it."""
        return self._made.curation

    def check(self, model: ModelFiles, tokens: TokenCounter | None) -> ResultCheck:
        """What checks the captions that are written."""
        return ResultCheck(self.config, model.labels, model.thresholds, tokens, planned=self.plan.left_out)

    def lines(self) -> Iterator[str]:
        """The plan as a table, and some captions before and after."""
        yield from self._made.lines()
        if self._saved_as is not None:
            yield f"The plan is in {self._saved_as}: edit it, and give it back as Plan (--plan)."


class StudyPass:
    """Takes scored rows and makes the plan.

    Args:
        model: the tagger's files.
        config: the parameters.
        source: the dataset, as the host names it.
        save_as: a new file that the plan is written to; None = none.

    Raises:
        ConfigError: the plan that is given cannot be read, or the model has no tags to be planned.
        OutputError: `save_as` is there already or in no folder.
    """

    def __init__(
        self, model: ModelFiles, config: CaptionConfig, source: str | Path, *, save_as: Path | None = None
    ) -> None:
        if config.adds_no_tags:
            raise ConfigError(f"{NO_MODEL} adds no tag: there is no plan to show (--dry-run) or to save (--save-plan)")
        if save_as is not None and os.path.lexists(save_as):
            raise OutputError(f"{save_as} is there already: choose another file for the plan")
        if save_as is not None and not save_as.parent.is_dir():
            raise OutputError(f"the plan cannot be written to {save_as}: {save_as.parent} is no folder")
        self.model = model
        self.config = config
        self._save_as = save_as
        self._given = _given_plan(Path(config.plan).expanduser(), source) if config.plan else None
        self._study = Study(model.labels)
        self._captioner = Captioner(model.labels, config, published=model.thresholds)

    def add(self, row: DecodedRow) -> None:
        """Takes a row.

        Raises:
            RowError: it has no scores.
        """
        scores = row.result.require_scores()
        self._study.add(self._captioner.kept(scores), scores, name=row.input.label, digest=row.digest)

    def conclude(self, dataset: str, tokens: TokenCounter | None = None) -> Studied:
        """The plan of the dataset.

        Args:
            dataset: its name.
            tokens: counts the tokens of the captions that are shown, as of those that will be written.

        Raises:
            ConfigError: the plan does not fit the dataset, or would leave no tag in any caption.
            OutputError: the plan cannot be written.
        """
        made = plan_dataset(self._study, self.model, self.config, dataset=dataset, given=self._given, tokens=tokens)
        if self._save_as is not None:
            _save(made.plan, self._save_as)
        return Studied(self.config, made, self._save_as)


def _given_plan(path: Path, source: str | Path) -> Plan:
    """The plan in a file. A dataset's own fits it, though its pictures may have been flattened since."""
    plan = read_plan(path)
    own = Path(os.path.expanduser(source), ".wd14", "plan.json")  # noqa: PTH111 - never fails, also for a hub's id
    is_own = os.path.realpath(path) == os.path.realpath(own)
    return plan.model_copy(update={"sample": ()}) if is_own else plan


def _save(plan: Plan, path: Path) -> None:
    try:
        with path.open("x", encoding="utf-8", errors="replace") as file:
            file.write(plan_text(plan))
    except OSError as error:
        raise OutputError(f"the plan cannot be written to {path}: {error.strerror or error}") from error
