"""Rules about the dataset as a whole: its words and its folders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import chain

from wd14.concepts import concept_folder, repeats_in
from wd14.curation import families
from wd14.curation.checks.gathered import Gathered
from wd14.curation.checks.rule import Hit
from wd14.curation.checks.suggestions import Suggestions
from wd14.curation.checks.words import Word
from wd14.curation.evidence import FOLD_FROM
from wd14.curation.trainers.training_set import balanced
from wd14.text import count, listed

#: Captions from which on shares of them say something.
_FEWEST_FOR_IDENTITY = 10
_FEWEST_FOR_RARE = 50
#: Share of captions from which on a word that opens them is the trigger.
OPENS = 0.8
#: Share of captions below which a tag is too rare to be learned.
RARE = 0.02
#: Share of captions below which rating words are remains.
_RATED = 0.5
#: How many times as often one folder may be seen as another.
OUT_OF_BALANCE = 2
_MOST_LISTED = 20


def guessed_trigger(gathered: Gathered) -> Word | None:
    """The word that opens nearly all captions and is no tag; None where the trigger is known, or there is none."""
    if gathered.expected.trigger_words or gathered.captioned < _FEWEST_FOR_IDENTITY:
        return None
    openings: dict[Word, int] = {}
    for word in gathered.openings:
        if word is not None:
            openings[word] = openings.get(word, 0) + 1
    word = max(openings, key=openings.__getitem__, default=None)
    if word is None or openings[word] < OPENS * gathered.captioned or word.is_known or word.groups:
        return None
    return word if families.family_of(word.folded) is None else None


def unclear_trigger(gathered: Gathered) -> Iterator[Hit]:
    """Captions that do not begin as nearly all others do."""
    trigger = guessed_trigger(gathered)
    if trigger is not None:
        rows = [row for row, word in enumerate(gathered.openings) if word is not trigger and gathered.text(row)]
        if rows:
            yield Hit(f"the caption does not begin with {trigger.text}, as {OPENS:.0%} or more do", rows)


def identifying_tags(gathered: Gathered) -> Iterator[Hit]:
    """Tags that nearly all captions have, of the families that a trigger word is to stand for."""
    expected, total = gathered.expected, gathered.captioned
    if total < _FEWEST_FOR_IDENTITY or expected.purpose == "style":
        return
    is_sure = expected.purpose in ("character", "outfit") or (expected.purpose is None and expected.trigger_words)
    for word in gathered.words:
        if word.captions < FOLD_FROM * total or word.is_kept:
            continue
        if families.is_outfit_part(word.folded) if expected.purpose == "outfit" else families.is_trait(word.folded):
            reason = f"{word.folded} is in {word.captions / total:.0%} of the captions"
            yield Hit(reason, severity="warning" if is_sure else "info")


def rare_tags(gathered: Gathered) -> Iterator[Hit]:
    """Tags in too few captions to be learned."""
    total = gathered.captioned
    if total < _FEWEST_FOR_RARE:
        return
    rare = sorted(
        (word for word in gathered.words if 0 < word.captions < RARE * total),
        key=lambda word: (-word.captions, word.folded),
    )
    if rare:
        names = listed([f"{word.folded} {word.captions:,}" for word in rare], _MOST_LISTED)
        yield Hit(f"{count(len(rare), 'tag')} in fewer than {RARE:.0%} of the captions: {names}")


def left_over_ratings(gathered: Gathered) -> Iterator[Hit]:
    """Rating words where captions are to have none, or where only some have one."""
    expected = gathered.expected
    if expected.has_ratings:
        return
    rated = [word for word in gathered.words if word.is_rating and word.captions and not word.is_kept]
    if expected.has_ratings is None and sum(word.captions for word in rated) >= _RATED * gathered.captioned:
        return
    for word in rated:
        yield Hit(f"the rating word {word.folded}", word.rows)


def unknown_words(gathered: Gathered) -> Iterator[Hit]:
    """Words that the model has no tag for: those that look misspelled one by one, the others together."""
    if gathered.expected.labels is None:
        return
    trigger = guessed_trigger(gathered)
    unknown = [
        word for word in gathered.words if word.captions and not (word.is_known or word.is_negative or word is trigger)
    ]
    unknown.sort(key=lambda word: (-word.captions, word.folded))
    suggestions = Suggestions(gathered.words.names()) if unknown else None
    others: list[Word] = []
    for word in unknown:
        meant = suggestions.for_word(word.folded) if suggestions else None
        if meant is None:
            others.append(word)
        else:
            yield Hit(f"{word.folded} is no tag of the model; did you mean {meant}?", word.rows)
    if others:
        names = listed([word.folded for word in others], _MOST_LISTED)
        rows = sorted(set(chain.from_iterable(word.rows for word in others)))
        advice = "If they are your own words, all is well; the base model may not know them."
        noun = count(len(others), "word")
        yield Hit(f"{noun} that the model has no tag for: {names}", rows, "info", advice)


def unbalanced_folders(gathered: Gathered) -> Iterator[Hit]:
    """Folders that the training sees far less often than the largest, repeats of `10_name` counted."""
    pictures: Counter[str] = Counter()
    for folder, number in gathered.folders.items():
        pictures[concept_folder(folder)] += number
    if len(pictures) < 2:
        return
    if gathered.expected.has_repeats:
        repeats = balanced(pictures)
    else:
        repeats = {folder: repeats_in(folder) or 1 for folder in pictures}
    seen = {folder: number * repeats[folder] for folder, number in pictures.items()}
    largest = max(seen, key=lambda folder: (seen[folder], folder))
    for folder, number in sorted(seen.items()):
        if seen[largest] >= OUT_OF_BALANCE * max(1, number):
            wanted = max(1, round(repeats[folder] * seen[largest] / max(1, number)))
            yield Hit(
                f"{folder or '.'}: {pictures[folder]:,} x {repeats[folder]:,} = {number:,} pictures a pass,"
                f" {largest or '.'} has {seen[largest]:,}; {wanted:,} repeats would balance it"
            )
