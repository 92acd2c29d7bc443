"""The rules by which a purpose decides on tags: what the trigger word stands for, what no caption should teach."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from wd14.curation import tables
from wd14.curation.contradictions import find_contradictions
from wd14.curation.evidence import ASK_FROM, FOLD_FROM, Evidence
from wd14.curation.families import family_of, groups_of, is_negative, is_outfit_part
from wd14.curation.plan import LEAVES_OUT, Decision, Verdict
from wd14.spelling import folded
from wd14.text import count

#: With fewer pictures, being in all of them says nothing.
FEWEST_PICTURES = 5
#: Traits that are rarer are listed where they stand out: on so many of the pictures, so many times as often as usual.
_STANDS_OUT = (0.1, 10.0)
#: Character names that are listed, the most frequent ones.
_MOST_NAMES = 100

#: With purpose "style" no caption has tags of these categories, nor general tags of the family "style". The family
#: "meta" (comic, speech_bubble, censored) is content, and not Danbooru's category of that name.
_STYLE_CATEGORIES = frozenset({"artist", "style", "meta", "quality", "rating", "model", "year"})


def decide(
    evidence: Evidence, purpose: str, *, has_trigger: bool, kept_by_hand: Collection[int] = ()
) -> Iterator[Decision]:
    """The decisions of a purpose: at most one for each tag, and one for each contradiction.

    Args:
        evidence: the numbers.
        purpose: "none" (nothing is decided), "character", "outfit" or "style".
        has_trigger: whether a trigger word opens the captions.
        kept_by_hand: positions of tags that a person keeps: their siblings are not folded because of them.
    """
    if purpose == "none":
        return
    by_tag: dict[str, Decision] = {}
    for decision in _by_tag(evidence, purpose, has_trigger=has_trigger, kept_by_hand=kept_by_hand):
        by_tag.setdefault(decision.tag, decision)
    yield from by_tag.values()
    left_out = {tag for tag, decision in by_tag.items() if decision.decision in LEAVES_OUT}
    yield from _contradictions(evidence, purpose, left_out)


def _by_tag(
    evidence: Evidence, purpose: str, *, has_trigger: bool, kept_by_hand: Collection[int]
) -> Iterator[Decision]:
    yield from _negatives(evidence)
    if purpose == "style":
        yield from _words_of_style(evidence)
        return
    candidates = dict.fromkeys(evidence.traits, "identity")
    if purpose == "outfit":
        candidates |= {tag: "outfit" for tag in evidence.of_category("general") if is_outfit_part(evidence.names[tag])}
    yield from _by_frequency(evidence, candidates, kept_by_hand)
    if has_trigger:
        yield from _names(evidence)


def _negatives(evidence: Evidence) -> Iterator[Decision]:
    for tag in evidence.present:
        if evidence.categories[tag] != "character" and is_negative(evidence.names[tag]):
            yield evidence.decision("negative", tag, "dropped", "no caption should teach it")


def _words_of_style(evidence: Evidence) -> Iterator[Decision]:
    for tag in evidence.present:
        category, name = evidence.categories[tag], evidence.names[tag]
        of_style = category == "general" and family_of(name) == "style" and not is_negative(name)
        if of_style or category in _STYLE_CATEGORIES:
            yield evidence.decision("style", tag, "dropped", "the style is to come without a word for it")


def _by_frequency(evidence: Evidence, candidates: dict[int, str], kept_by_hand: Collection[int]) -> Iterator[Decision]:
    """Folds and asks; what is rarer is named where it stands out, or comes back to the others by a sibling rule."""
    often = {tag for tag in candidates if evidence.frequency[tag] >= FOLD_FROM}
    if evidence.pictures < FEWEST_PICTURES:
        for tag in sorted(often, key=evidence.present.index):
            yield evidence.decision(candidates[tag], tag, "ask", "too few pictures to tell what identifies; it stays")
        return
    pulling = [tag for tag in evidence.present if tag in often and tag not in kept_by_hand]
    for tag, rule in candidates.items():
        frequency, lift = evidence.frequency[tag], evidence.lift(tag)
        if tag in often:
            yield evidence.decision(rule, tag, "folded", "the trigger word stands for it")
        elif (sibling := _says_the_same(evidence, tag, pulling)) is not None:
            of, what = sibling
            why = f"the same {what} as {evidence.names[of]}"
            yield evidence.decision("siblings", tag, "folded", why)
        elif frequency >= ASK_FROM:
            yield evidence.decision(rule, tag, "ask", "not on nearly all; it stays unless you fold it")
        elif frequency >= _STANDS_OUT[0] and lift is not None and lift >= _STANDS_OUT[1]:
            yield evidence.decision(rule, tag, "kept", "it stands out, but most pictures lack it")


def _says_the_same(evidence: Evidence, tag: int, others: Collection[int]) -> tuple[int, str] | None:
    """The tag among others that this one would bring back, and what both are about: light_blue_hair -> hair colour.

    It has at least the other's values: colored_skin would bring blue_skin back, green_skin would not colored_skin.
    """
    own = folded(evidence.names[tag])
    for name in groups_of(own):
        values = tables.groups()[name].values
        for other in others:
            if values.get(folded(evidence.names[other]), {""}) <= values[own]:
                return other, name.replace("_", " ")
    return None


def _names(evidence: Evidence) -> Iterator[Decision]:
    """Names of characters: the trigger word is the name of the one that the set shows. Their series stay."""
    for tag in evidence.of_category("character")[:_MOST_NAMES]:
        if evidence.frequency[tag] < ASK_FROM:
            why = "another character, or a wrong guess; it stays"
            yield evidence.decision("name", tag, "ask", why)
        elif evidence.pictures < FEWEST_PICTURES:
            yield evidence.decision("name", tag, "ask", "too few pictures to tell whose name it is; it stays")
        else:
            yield evidence.decision("name", tag, "dropped", "the trigger word names it, the series stays")


def _contradictions(evidence: Evidence, purpose: str, left_out: Collection[str]) -> Iterator[Decision]:
    for each in find_contradictions(evidence):
        if evidence.names[each.loser] in left_out:
            continue
        winner = f"{evidence.names[each.winner]} (on {evidence.counts[each.winner]:,})"
        # A style's pictures show many characters: which value is more frequent says little about one of them.
        says_little = purpose == "style" or evidence.pictures < FEWEST_PICTURES
        verdict: Verdict = "ask" if says_little else "dropped"
        why = f"it contradicts {winner}"
        yield evidence.decision("contradiction", each.loser, verdict, why, beside=each.winner, rows=each.rows)


def notes_of(evidence: Evidence, purpose: str, *, has_trigger: bool) -> Iterator[str]:
    """What a person should know of how these rules came to decide."""
    names = evidence.of_category("character")
    if purpose in ("character", "outfit") and evidence.pictures < FEWEST_PICTURES:
        yield (
            f"{count(evidence.pictures, 'picture')}: too few to tell what identifies the {purpose}, so"
            f" nothing is folded. Give at least {FEWEST_PICTURES} pictures, or name the tags (fold_tags)."
        )
    if purpose in ("character", "outfit") and has_trigger and len(names) > _MOST_NAMES:
        yield f"{len(names):,} character names were found; the {_MOST_NAMES} most frequent are in the plan."
