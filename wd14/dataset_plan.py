"""From the study of a dataset to its plan, with some captions before and after for the person who reads it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from wd14.caption.captioner import Captioner
from wd14.config import CaptionConfig
from wd14.curation.applying import curation_of
from wd14.curation.plan import Plan
from wd14.curation.plan_lines import plan_lines
from wd14.curation.planning import make_plan
from wd14.curation.study import Sample, Study
from wd14.messages import AND
from wd14.model.files.find import ModelFiles
from wd14.tagging import models_of
from wd14.types import Curation, TokenCounter

#: Pictures whose captions are shown before and after.
_MOST_SHOWN = 3


@dataclass(frozen=True)
class DatasetPlan:
    """What a study led to.

    Attributes:
        plan: what becomes of each tag, and why.
        curation: the plan as the captioner needs it.
    """

    plan: Plan
    curation: Curation
    _examples: tuple[tuple[str, str, str], ...]

    def lines(self) -> Iterator[str]:
        """The plan as a table, and some captions before and after."""
        yield from plan_lines(self.plan)
        yield ""
        for name, before, after in self._examples:
            yield f"Caption of {name}"
            yield f"  before: {before}"
            yield f"  after:  {after}"


def plan_dataset(
    study: Study,
    model: ModelFiles,
    config: CaptionConfig,
    *,
    dataset: str,
    given: Plan | None,
    tokens: TokenCounter | None,
    notes: Sequence[str] = (),
) -> DatasetPlan:
    """Makes the plan of a dataset; 4 seconds for 10^6 pictures.

    Args:
        study: of all pictures.
        model: the tagger's labels and thresholds.
        config: the parameters.
        dataset: its name.
        given: the plan that the user gave.
        tokens: counts the tokens of the captions that are shown, as of those that will be written.
        notes: what a person should know beside the plan's own notes.

    Raises:
        ConfigError: the plan does not fit the dataset, or would leave no tag in any caption.
    """
    plan = make_plan(
        study,
        dataset=dataset,
        model=AND.join(models_of(config)),
        purpose=config.purpose,
        trigger_words=config.trigger_words,
        fold_tags=config.fold_tags,
        keep_tags=config.keep_tags,
        given=given,
    )
    plan = plan.model_copy(update={"notes": (*notes, *plan.notes)})
    curation = curation_of(plan, model.labels)
    return DatasetPlan(plan, curation, tuple(_examples(study.samples, model, config, curation, tokens)))


def _examples(
    samples: Sequence[Sample],
    model: ModelFiles,
    config: CaptionConfig,
    curation: Curation,
    tokens: TokenCounter | None,
) -> Iterator[tuple[str, str, str]]:
    """Pictures with their captions before and after, spread over the dataset."""
    before = Captioner(model.labels, config, published=model.thresholds, tokens=tokens)
    after = Captioner(model.labels, config, published=model.thresholds, curation=curation, tokens=tokens)
    step = max(1, len(samples) // _MOST_SHOWN)
    for sample in samples[::step][:_MOST_SHOWN]:
        yield sample.name, before(sample.scores).text, after(sample.scores).text
