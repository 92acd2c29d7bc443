"""How captions follow from scores, as tables: the review page works out from them what another threshold would give.

The steps are those of `Captioner`, and the tables are its own. `page/captions.js` reads them; docs/review.md has the
fields.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from wd14.caption.ordering import TagOrder
from wd14.caption.render import append, is_list
from wd14.caption.styles import SINGLE_CATEGORIES, styled
from wd14.caption.thresholds import KOHYA_CATEGORIES, TagThresholds, single_threshold
from wd14.caption.token_budget import droppable_texts
from wd14.caption.vocabulary import Vocabulary
from wd14.config import CaptionConfig
from wd14.published import Published, uses_own_unasked
from wd14.types import Curation, Labels, TokenCounter

#: A threshold that no score reaches.
_OFF = 2
#: Digits of a threshold in the page.
_STEPS = 10_000
_NO_RANK = 1e9


@dataclass(frozen=True)
class Rules:
    """The rules of a page.

    Attributes:
        tables: as JSON can hold them; None = captions cannot be worked out from them.
        missing: why not, as a sentence.
        tokens: what each text counts; None = the tokens of a caption are not the sum of those of its texts.
    """

    tables: Mapping[str, Any] | None
    missing: str = ""
    tokens: Mapping[str, Any] | None = None


def page_rules(
    labels: Labels,
    config: CaptionConfig,
    texts: Sequence[str],
    *,
    published: Published,
    curation: Curation | None,
    counter: TokenCounter,
    before: Mapping[int, str],
) -> Rules:
    """The rules for one model under one config; a second for 10,000 tags with an exact counter, else a tenth.

    Args:
        labels: the model's tags.
        config: the options.
        texts: all texts of the page; those of the model's tags, as `page_texts` gives them, are among them.
        published: thresholds that the model's author published.
        curation: what the plan does.
        counter: counts tokens.
        before: the captions that pictures had, by row.
    """
    vocabulary = Vocabulary(labels, config, curation or Curation())
    tokens = _tokens(texts, vocabulary.triggers, config.caption_separator, counter)
    if missing := _why_none(config, published, has_tokens=tokens is not None):
        return Rules(None, missing, tokens)
    ids = {text: number for number, text in enumerate(texts)}
    own = [ids[text] for text in vocabulary.texts]
    tables = _tag_tables(labels, config, vocabulary, own)
    tables |= _threshold_tables(labels, styled(config), published)
    tables |= _refine_tables(curation)
    if config.max_tokens and tokens is not None:
        droppable = sorted(own[text] for text in droppable_texts(labels, vocabulary))
        tables["tokens"] = {**tokens, "limit": config.max_tokens, "droppable": droppable}
    else:
        tables["tokens"] = None
    if config.tag_order == "alphabetical":
        tables["alphabet"] = _ranks_of(texts)
    tables |= _existing(config, vocabulary, before)
    return Rules(tables, tokens=tokens)


def _why_none(config: CaptionConfig, published: Published, *, has_tokens: bool) -> str:
    """Why captions cannot be worked out from tables, as a sentence; "" = they can."""
    if published.is_final:
        return "Several models chose the tags, each at its own thresholds: there is none to move for all of them."
    if config.threshold_mode == "mcut":
        return "The thresholds were cut for each picture by itself (MCut): there is none to move."
    if config.max_tokens and not has_tokens:
        return (
            "The captions were fitted into a number of tokens, which this page can only count when the separator ends"
            " in a blank and has no other."
        )
    return ""


def page_texts(labels: Labels, config: CaptionConfig, curation: Curation | None, whole: Vocabulary) -> list[str]:
    """The texts of all tags: as a person may want them (`whole`), and behind them what only a plan writes."""
    own = Vocabulary(labels, config, curation or Curation())
    return list(dict.fromkeys([*whole.texts, *own.texts]))


def _tag_tables(labels: Labels, config: CaptionConfig, vocabulary: Vocabulary, own: Sequence[int]) -> dict[str, Any]:
    options = styled(config)
    order = TagOrder(labels, options, vocabulary)
    ranks: dict[int, float] | None = None
    if vocabulary.ranks:
        pairs = zip(own, vocabulary.ranks, strict=True)
        ranks = {text: rank if math.isfinite(rank) else _NO_RANK for text, rank in pairs}
    return {
        "order": order.order,
        "groups": order.groups.tolist(),
        "characters_first": options.character_tags_first,
        "max_tags": options.max_tags,
        "written": [[own[text] for text in ids] for ids in vocabulary.written],
        "unwanted": list(vocabulary.unwanted),
        "implied": {}
        if order.implications is None
        else {tag: own for tag, own in order.implications.table.items() if own},
        "trigger_ids": sorted(own[text] for text in vocabulary.trigger_ids),
        "ranks": ranks,
        "alphabet": None,
    }


def _threshold_tables(labels: Labels, options: CaptionConfig, published: Published) -> dict[str, Any]:
    first = [each for each in SINGLE_CATEGORIES if getattr(options, each) == "first"]
    last = [each for each in reversed(SINGLE_CATEGORIES) if getattr(options, each) == "last"]
    table = TagThresholds(labels, options, published)
    thresholds, by_tag = _shown_thresholds(labels, table)
    return {
        "thresholds": thresholds,
        "tag_thresholds": by_tag,
        "own": dict.fromkeys(table.own.absolute) | table.own.relative,
        "prefers_own": uses_own_unasked(options, published),
        "category_thresholds": dict(options.category_thresholds),
        "single": {each: _single(each, labels, options, list(thresholds)) for each in SINGLE_CATEGORIES},
        "first": first,
        "last": last,
    }


def _shown_thresholds(labels: Labels, table: TagThresholds) -> tuple[dict[str, float], dict[int, float]]:
    """A threshold for each category, and those of single tags that have another one.

    Where all tags of a category have their own, the category's is the middle one: what a slider starts at.
    """
    names = np.array(labels.categories)
    of_category: dict[str, float] = {}
    by_tag: dict[int, float] = {}
    for category, threshold in table.by_category.items():
        where = np.flatnonzero(names == category)
        usual = table.usual[where]
        if (usual != threshold).all():
            threshold = float(np.sort(usual)[usual.size // 2])
        of_category[category] = _four_digits(threshold)
        limits = {int(tag): _four_digits(float(table.in_use[tag])) for tag in where[table.in_use[where] != threshold]}
        by_tag |= {tag: limit for tag, limit in limits.items() if limit != of_category[category]}
    return of_category, by_tag


def _single(category: str, labels: Labels, options: CaptionConfig, sliders: Sequence[str]) -> dict[str, Any]:
    """The threshold of the best rating or quality tag; with kohya's other models the lowest one of all."""
    found: dict[str, Any] = {"skip": labels.order == "score", "lowest": None}
    if labels.order == "score" and category not in options.category_thresholds:
        base = [options.thresh, *(options.threshold_for(each) for each in KOHYA_CATEGORIES if each not in sliders)]
        own = {each: _four_digits(options.threshold_for(each)) for each in KOHYA_CATEGORIES if each in sliders}
        return {**found, "threshold": None, "lowest": {"base": _four_digits(min(base)), "own": own}}
    return {**found, "threshold": _four_digits(single_threshold(category, labels, options))}


def _refine_tables(curation: Curation | None) -> dict[str, Any]:
    refine = None if curation is None else curation.refine
    if refine is None:
        return {"refine": None, "weights": None}
    tables = refine.tables()
    return {
        "refine": {
            "order": tables.order,
            "winners": {loser: sorted(own) for loser, own in tables.winners.items()},
            "mixers": {f"{loser} {winner}": sorted(own) for (loser, winner), own in tables.mixers.items()},
        },
        "weights": tables.weights,
    }


def _existing(config: CaptionConfig, vocabulary: Vocabulary, before: Mapping[int, str]) -> dict[str, Any]:
    """What stands before the tags where a picture had a caption; where that depends on the tags, the row is fixed."""
    if not config.append_tags or not before:
        return {"append": None, "fixed_rows": []}
    separator, triggers = config.caption_separator, vocabulary.triggers
    depends = is_list(separator, triggers) and not is_list(separator, vocabulary.texts)
    if vocabulary.has_slots or config.max_tokens or depends:
        return {"append": None, "fixed_rows": sorted(before)}
    heads = {row: append(caption, [], triggers, separator) for row, caption in before.items()}
    return {"append": {"heads": heads}, "fixed_rows": []}


def _tokens(
    texts: Sequence[str], triggers: Iterable[str], separator: str, counter: TokenCounter
) -> dict[str, Any] | None:
    """The tokens of each text, with the separator behind it and without; None where they do not add up.

    Tokens are counted from blank to blank, so a caption has those of its texts where the separator ends in a blank.
    """
    if not separator.endswith(" ") or " " in separator[:-1]:
        return None

    def counts(words: Iterable[str]) -> dict[str, list[int]]:
        chosen = list(words)
        return {
            "counts": [counter(word + separator[:-1]) for word in chosen],
            "last": [counter(word) for word in chosen],
        }

    return {"exact": counter.is_exact, **counts(texts), "triggers": counts(triggers)}


def _ranks_of(texts: Sequence[str]) -> list[int]:
    ranks = [0] * len(texts)
    for rank, number in enumerate(sorted(range(len(texts)), key=texts.__getitem__)):
        ranks[number] = rank
    return ranks


def _four_digits(threshold: float) -> float:
    """A threshold as the page has it: the next one of 4 digits, for which the same scores of 4 digits are enough."""
    return _OFF if threshold > 1 else math.ceil(round(threshold * _STEPS, 6)) / _STEPS
