"""What an open model runs on, and why, for a person."""

from __future__ import annotations

from collections.abc import Iterator

from wd14.model.runtimes.session import Precision, Session
from wd14.model.trial.candidates import Verdict
from wd14.model.trial.choosing import Choice

#: Other speeds that a line has.
_MOST_OTHERS = 3


def lines(session: Session, choice: Choice, asked: Precision) -> Iterator[str]:
    """One line on what the model runs on, and more where 16 bits were asked for.

    Args:
        session: the open model.
        choice: what it was opened by.
        asked: the precision that was asked for.
    """
    runs_on, measured, difference = session.device, "", None
    if choice.verdicts and _is_of(choice.verdicts[0], session):
        first, *others = choice.verdicts
        beside = ", ".join(map(str, others[:_MOST_OTHERS]))
        measured = f": {first.speed_in_words} pictures/s{beside and '; ' + beside} (measured)"
        runs_on, difference = str(first.candidate), first.difference
    if session.precision == "fast":
        bits = "bfloat16" if session.device == "openvino" else "16 bits"
        far = "a little" if difference is None else f"by up to {difference:.2g}"
        yield f"The model runs on {session.device} in {bits}{measured}."
        yield f"Its scores differ {far} from exact ones, and are stored apart from them."
        return
    yield f"The model runs on {runs_on}{measured}."
    if asked == "fast":
        why = choice.why_exact or "what computes in 16 bits does not work"
        yield f"Precision fast was asked for, and the model runs exact: {why}."


def _is_of(verdict: Verdict, session: Session) -> bool:
    return (verdict.candidate.device, verdict.candidate.precision) == (session.device, session.precision)
