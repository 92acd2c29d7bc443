"""A finding: what a check says about a dataset, for a program and for a person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any, Literal

from wd14.text import count, printable, wrapped

#: error = the training stops, or the picture is lost to it; warning = it learns something wrong; info = worth a look.
Severity = Literal["error", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")
_HEADINGS: Mapping[Severity, str] = {"error": "Errors", "warning": "Warnings", "info": "Worth a look"}

#: What a person is shown: names of a finding, findings of a rule.
_MOST_NAMES = 5
_MOST_OF_A_RULE = 8
#: Where the text of a finding begins, behind how many pictures it has.
_INDENT = 20


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule found in one or more pictures, or in the dataset as a whole."""

    rule: str  #: its name in the table of rules: "contradicting-tags"
    severity: Severity
    reason: str  #: what is wrong: "blue_eyes beside red_eyes"
    advice: str  #: what to do
    pictures: tuple[str, ...] = ()  #: names, in the dataset's order; empty = it is about the dataset as a whole
    rows: tuple[int, ...] = ()  #: the same pictures, as the checker counted its rows from 0

    def as_json(self) -> dict[str, Any]:
        """All but the rows, as JSON can hold it."""
        fields = asdict(self) | {"pictures": list(self.pictures)}
        del fields["rows"]
        return fields


def number_by_severity(findings: Iterable[Finding]) -> dict[Severity, int]:
    """How many findings there are of each severity."""
    numbers = dict.fromkeys(SEVERITIES, 0)
    for finding in findings:
        numbers[finding.severity] += 1
    return numbers


def numbers_in_words(findings: Iterable[Finding]) -> str:
    """`2 errors, 1 warning, 3 notes`; `nothing found`."""
    numbers = number_by_severity(findings)
    nouns: Mapping[Severity, str] = {"error": "error", "warning": "warning", "info": "note"}
    return (
        ", ".join(count(number, nouns[severity]) for severity, number in numbers.items() if number) or "nothing found"
    )


def findings_lines(findings: Sequence[Finding]) -> Iterator[str]:
    """The findings for a person: by severity, what a rule found together, with what to do about it.

    Args:
        findings: in the order of `Checker.findings`.
    """
    for severity in SEVERITIES:
        chosen = [finding for finding in findings if finding.severity == severity]
        if chosen:
            yield ""
            yield _HEADINGS[severity]
        for _, group in groupby(chosen, key=lambda finding: (finding.rule, finding.advice)):
            yield from _rule_lines(list(group))


def _rule_lines(findings: Sequence[Finding]) -> Iterator[str]:
    for finding in findings[:_MOST_OF_A_RULE]:
        number = count(len(finding.pictures), "picture") if finding.pictures else "dataset"
        yield from _wrapped(f"{number:>{_INDENT - 2}}  ", finding.reason)
        if finding.pictures:
            more = ", …" if len(finding.pictures) > _MOST_NAMES else ""
            yield from _wrapped("", ", ".join(finding.pictures[:_MOST_NAMES]) + more)
    if (left := len(findings) - _MOST_OF_A_RULE) > 0:
        yield from _wrapped("", f"… and {left:,} more of this kind; --json has them all")
    yield from _wrapped("", f"-> {findings[0].advice}")


def _wrapped(opening: str, text: str) -> list[str]:
    indent = " " * _INDENT
    return wrapped(printable(text), first=opening or indent, then=indent)
