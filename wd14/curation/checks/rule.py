"""What a rule is: a name, how grave its findings are, what to do about them, and a function that looks for them.

A rule about one caption or one picture says so in words, and the checker gathers the pictures of which it said the
same. A rule about the whole dataset sees all that was gathered, when the last row was added.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from wd14.curation.checks.captions import ReadCaption
from wd14.curation.checks.expected import Expected
from wd14.curation.checks.finding import Severity
from wd14.curation.checks.gathered import Gathered
from wd14.curation.checks.words import Words
from wd14.types import FloatArray, PictureFacts


@dataclass(frozen=True, slots=True)
class CheckedRow:
    """A row of the dataset that is checked."""

    name: str  #: for a person, and for a program that looks for the picture
    caption: str | None = None  #: None = there is none; "" = it is empty
    folder: str = ""  #: below the dataset's own, without the split's: "10_alice"; "" = none
    facts: PictureFacts | None = None
    scores: FloatArray | None = None  #: the model's, (T,) float32; None = none are stored
    digest: bytes = b""  #: sha256 of the encoded picture; b"" = not known
    error: str | None = None  #: why the picture cannot be opened


@dataclass(frozen=True, slots=True)
class Seen:
    """A row as rules see it."""

    row: CheckedRow
    caption: ReadCaption | None  #: None where the row has none
    words: Words

    @property
    def expected(self) -> Expected:
        """What is known of the dataset."""
        return self.words.expected


@dataclass(frozen=True, slots=True)
class Hit:
    """What a rule says of the dataset. `severity` and `advice` stand for the rule's own, where they differ."""

    reason: str
    rows: Sequence[int] = ()  #: numbers, ascending; empty = the dataset as a whole
    severity: Severity | None = None
    advice: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule, as docs/checks.md describes it."""

    name: str
    severity: Severity
    when: str  #: what it finds, in a sentence for the docs
    advice: str


@dataclass(frozen=True, slots=True)
class RowRule(Rule):
    """A rule about one caption or one picture: what is wrong with it, in words; once for each wrong thing."""

    find: Callable[[Seen], Iterable[str]] = field(default=lambda _: ())
    #: The severity of this dataset's findings, where it depends on what is expected.
    graded: Callable[[Expected], Severity] | None = None


@dataclass(frozen=True, slots=True)
class SetRule(Rule):
    """A rule about the dataset as a whole."""

    find: Callable[[Gathered], Iterator[Hit]] = field(default=lambda _: iter(()))
