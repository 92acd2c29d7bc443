"""The plan as a table that a person reads, in a terminal of 100 columns or in a log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from wd14.curation.evidence import percent
from wd14.curation.plan import LEAVES_OUT, Decision, Plan
from wd14.text import WIDTH, count, listed, printable, wrapped

#: Longest column of tags or names; longer ones are cut.
_LONGEST_TAG = 34
#: Rows of a table, and pictures.
_MOST_ROWS = 20
_MOST_PICTURES = 10


def plan_lines(plan: Plan) -> Iterator[str]:
    """The lines: what goes, what a person may decide on, the pictures that differ, the notes."""
    trigger = f", trigger word {', '.join(plan.trigger_words)}" if plan.trigger_words else ""
    purpose = "Plan without a purpose" if plan.purpose == "none" else f"Plan for the purpose {plan.purpose}"
    yield from wrapped(printable(f"{purpose}{trigger}: {count(plan.pictures, 'picture')}."))
    everywhere = [entry for entry in plan.decisions if entry.beside is None]
    tables = (
        ("Folded: left out, the trigger word stands for them", [e for e in everywhere if e.decision == "folded"]),
        ("Dropped: left out", [e for e in everywhere if e.decision == "dropped"]),
        (
            "Contradictions: left out of these pictures only",
            [e for e in plan.decisions if e.beside is not None and e.decision in LEAVES_OUT],
        ),
        ("Ask: they stay; fold_tags, or the edited plan, folds them", [e for e in everywhere if e.decision == "ask"]),
        (
            "Ask: only one of the two can be right",
            [e for e in plan.decisions if e.beside is not None and e.decision == "ask"],
        ),
        ("Kept", [e for e in plan.decisions if e.decision == "kept"]),
    )
    if not plan.decisions:
        yield "Nothing is left out."
    for heading, entries in tables:
        if entries:
            yield ""
            yield f"{heading} ({len(entries):,})"
            yield from _table(entries)
    if any(entry.lift is not None for entry in plan.decisions):
        yield ""
        yield "lift = how many times as often as in all pictures that the model learned from"
    yield from _differing(plan)
    for note in plan.notes:
        yield ""
        yield from wrapped(f"Note: {printable(note)}")


def _table(entries: Sequence[Decision]) -> Iterator[str]:
    ordered = sorted(entries, key=lambda entry: -(entry.rows or 0))
    rows = [("tag", "family", "pictures", "share", "lift", "why"), *map(_row, ordered[:_MOST_ROWS])]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    for tag, family, pictures, share, lift, why in rows:
        line = (
            f"  {tag:{widths[0]}}  {family:{widths[1]}}  {pictures:>{widths[2]}}"
            f"  {share:>{widths[3]}}  {lift:>{widths[4]}}  "
        )
        yield (line + _cut(why, WIDTH - len(line))).rstrip()
    if len(entries) > _MOST_ROWS:
        yield f"  … {len(entries) - _MOST_ROWS:,} more in plan.json"


def _row(entry: Decision) -> tuple[str, ...]:
    everywhere = entry.beside is None
    return (
        _cut(printable(entry.tag), _LONGEST_TAG),
        _cut(printable(entry.family or ""), 12),
        "" if entry.rows is None else f"{entry.rows:,}",
        percent(entry.frequency) if entry.frequency is not None and everywhere else "",
        f"{entry.lift:.3g}" if entry.lift is not None and everywhere else "",
        printable(_why(entry)),
    )


def _why(entry: Decision) -> str:
    """The end of a reason: its numbers are in the other columns."""
    numbers, colon, why = entry.reason.partition(": ")
    return why if colon and numbers.startswith("on ") else entry.reason


def _differing(plan: Plan) -> Iterator[str]:
    if not plan.differing:
        return
    number = max(plan.differing_in_all, len(plan.differing))
    yield ""
    yield f"Pictures that differ from the set ({number:,}); the first ones are often the wrong pictures"
    shown = plan.differing[:_MOST_PICTURES]
    names = [_cut(printable(each.name), _LONGEST_TAG) for each in shown]
    width = max(map(len, names))
    for name, each in zip(names, shown, strict=True):
        has = f"; has {', '.join(each.instead[:3])}" if each.instead else ""
        yield _cut(f"  {name:{width}}  lacks {printable(listed(each.lacks, 3) + has)}", WIDTH)
    if number > len(shown):
        yield f"  … {number - len(shown):,} more; plan.json lists {len(plan.differing):,}"


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: room - 1]}…"
