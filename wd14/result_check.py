"""Checks the dataset that a run writes, as `wd14-captioner check` does, from what the run knows already."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any

from wd14.check_settings import CheckSettings
from wd14.config import CaptionConfig
from wd14.curation.checks.checker import Checker, in_order
from wd14.curation.checks.finding import Finding, numbers_in_words
from wd14.curation.checks.gathered import similar_pictures
from wd14.curation.checks.rule import CheckedRow
from wd14.published import Published
from wd14.types import FinishedRow, Labels, TokenCounter


class ResultCheck:
    """Takes the rows of a run; a row takes 0.1 ms.

    Args:
        config: the parameters.
        labels: the model's tags.
        published: the model's own thresholds.
        tokens: counts tokens.
        planned: tags that the plan leaves out.
        similar: whether pictures that look alike are searched for, which can take a while.
    """

    def __init__(
        self,
        config: CaptionConfig,
        labels: Labels,
        published: Published,
        tokens: TokenCounter | None,
        *,
        planned: Collection[str] = (),
        similar: bool = True,
    ) -> None:
        settings = CheckSettings(config, is_ours=True, planned=tuple(planned))
        expected = replace(settings.expected(labels, published), count_tokens=tokens)
        self._checker = Checker(expected, similar_pictures if similar else lambda _: [])

    def add(self, finished: FinishedRow) -> None:
        """Takes a row, if it was written."""
        row, report = finished.row, finished.report
        if report.name is None:
            return
        concept = row.input.folder.partition("/")[2]
        self.take(
            CheckedRow(
                report.name, report.caption, concept, facts=row.facts, scores=row.result.scores, digest=row.digest
            )
        )

    def take(self, row: CheckedRow) -> None:
        """Takes a row of the result."""
        self._checker.add(row)

    def conclude(self, more: Iterable[Finding] = ()) -> tuple[dict[str, Any], str]:
        """The findings, as JSON can hold them, and a line that counts them.

        Args:
            more: what is known beside the rows that were taken; it stands for what the same rules found in those.
        """
        more = list(more)
        known = {finding.rule for finding in more}
        findings = in_order([*more, *(each for each in self._checker.findings() if each.rule not in known)])
        line = f"Check of the captions and pictures: {numbers_in_words(findings)}."
        return {"findings": [finding.as_json() for finding in findings]}, line
