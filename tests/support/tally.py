"""Counts of what the suites did, printed at the end of a run: files fuzzed, faults injected, losses."""

from __future__ import annotations

_counts: dict[str, int] = {}


def tally(what: str, number: int = 1) -> None:
    """Adds to a count."""
    _counts[what] = _counts.get(what, 0) + number


def tally_most(what: str, number: int) -> None:
    """Notes the largest number so far."""
    _counts[what] = max(_counts.get(what, 0), number)


def counts() -> dict[str, int]:
    """All counts, by what was counted."""
    return dict(_counts)
