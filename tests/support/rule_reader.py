"""Reads the rules of a review page, as its scripts do: the caption of a picture under any thresholds."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from wd14.spelling import folded, split_caption

OFF = 2.0


class RuleReader:
    """The rules of a page's data, decoded from JSON."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._data = data
        self._rules: Mapping[str, Any] = data["rules"]
        words = data["vocabulary"]
        self._category = [words["category_names"][number] for number in words["categories"]]
        self._texts: list[str] = data["texts"]
        encoded = data["candidates"]
        tags = np.frombuffer(base64.b64decode(encoded["tags"]), "<u4" if encoded.get("wide") else "<u2").tolist()
        steps = np.frombuffer(base64.b64decode(encoded["scores"]), "<u2").tolist()
        ends = [0, *np.frombuffer(base64.b64decode(encoded["ends"]), "<u4").tolist()]
        self._rows = [list(zip(tags[start:end], steps[start:end], strict=True)) for start, end in pairwise(ends)]
        self._ties = {tuple(pair) for pair in encoded["ties"]}
        ids = np.frombuffer(base64.b64decode(data["captions"]["ids"]), "<u4").tolist()
        ends = [0, *np.frombuffer(base64.b64decode(data["captions"]["ends"]), "<u4").tolist()]
        self._base = [[self._texts[i] for i in ids[start:end]] for start, end in pairwise(ends)]

    def shas(self) -> list[bytes]:
        """The sha256 of each row's picture."""
        found = base64.b64decode(self._data["sha"])
        return [found[place : place + 32] for place in range(0, len(found), 32)]

    def candidates(self, row: int) -> list[tuple[int, int]]:
        """(tag, score in steps of 0.0001), best first."""
        return self._rows[row]

    def base(self, row: int) -> str:
        """The caption as the run wrote it."""
        raw: str | None = self._data["raw"].get(str(row))
        return self._data["separator"].join(self._base[row]) if raw is None else raw

    def caption(self, row: int, moved: Mapping[str, float] | None = None) -> str:
        """The caption under other thresholds of some categories."""
        rules = self._rules
        thresholds = {**rules["thresholds"], **(moved or {})}
        place = {tag: number for number, (tag, _) in enumerate(self._rows[row])}
        kept = [
            tag
            for tag, step in sorted(self._rows[row])
            if tag not in rules["unwanted"] and step >= _steps(self._threshold(tag, thresholds))
        ]
        kept = self._without_implied(self._refined(kept))
        # Of equal scores the number of the first: all of a tie count the same.
        rank = self._ranks_of(row)
        written = self._ordered(kept, place, {tag: rank[number] for tag, number in place.items()})
        first, last = (self._singles(row, rules[key], thresholds, moved or {}) for key in ("first", "last"))
        scored = {tag: rank[place[tag]] for tag in place}
        texts = _best([*self._pairs(first, scored), *written.items(), *self._pairs(last, scored)])
        ranks = rules["ranks"]
        order = sorted(texts, key=lambda text: ranks[str(text)]) if ranks is not None else list(texts)
        return self._text(row, self._fitted(order, texts))

    def _threshold(self, tag: int, thresholds: Mapping[str, float]) -> float:
        rules, category = self._rules, self._category[tag]
        if category not in thresholds:
            return OFF
        threshold: float = thresholds[category]
        of_run: float = rules["tag_thresholds"].get(str(tag), rules["thresholds"][category])
        difference = rules["own"].get(str(tag), 0)
        if difference is None or threshold == rules["thresholds"][category]:
            return of_run
        return threshold if threshold > 1 else math.ceil(round((threshold + difference) * 10_000, 6)) / 10_000

    def _ranks_of(self, row: int) -> list[int]:
        ranks: list[int] = []
        for number in range(len(self._rows[row])):
            ranks.append(ranks[-1] if (row, number) in self._ties else number)
        return ranks

    def _refined(self, kept: list[int]) -> list[int]:
        tables = self._rules["refine"]
        if tables is None:
            return kept
        total = sum(self._rules["weights"][tag] for tag in kept)
        there = [tag for tag in tables["order"] if tag in kept]
        if len(there) < 2 or not (total == 1 or 100 <= total < 10_000):
            return kept
        right: list[int] = []
        for tag in there:
            winners = tables["winners"].get(str(tag), [])
            if not any(
                winner in right and not set(tables["mixers"][f"{tag} {winner}"]) & set(kept) for winner in winners
            ):
                right.append(tag)
        return [tag for tag in kept if tag not in there or tag in right]

    def _without_implied(self, kept: list[int]) -> list[int]:
        gone = {implied for tag in kept for implied in self._rules["implied"].get(str(tag), ())}
        return [tag for tag in kept if tag not in gone]

    def _ordered(self, kept: list[int], place: Mapping[int, int], rank: Mapping[int, int]) -> dict[int, int]:
        rules = self._rules
        ordered = sorted(kept, key=lambda tag: (rules["groups"][tag], tag))
        if rules["order"] == "score":
            ordered = sorted(kept, key=place.__getitem__)
        lists = [ordered]
        if rules["characters_first"]:
            characters = [tag for tag in ordered if self._category[tag] == "character"]
            lists.insert(0, characters[::-1] if rules["order"] == "model" else characters)
        pairs: list[tuple[int, int]] = []
        for tags in lists:
            own = list(self._pairs(tags, rank))
            pairs += sorted(own, key=lambda pair: rules["alphabet"][pair[0]]) if rules["alphabet"] else own
        texts = _best(pairs)
        if 0 < rules["max_tags"] < len(texts):
            stays = set(sorted(texts, key=texts.__getitem__)[: rules["max_tags"]])
            texts = {text: number for text, number in texts.items() if text in stays}
        return texts

    def _pairs(self, tags: list[int], rank: Mapping[int, int]) -> Iterator[tuple[int, int]]:
        for tag in tags:
            for text in self._rules["written"][tag]:
                yield text, rank[tag]

    def _singles(
        self, row: int, categories: list[str], thresholds: Mapping[str, float], moved: Mapping[str, float]
    ) -> list[int]:
        found = []
        for category in categories:
            single = self._rules["single"][category]
            threshold = single["threshold"]
            if threshold is None:
                own = single["lowest"]["own"]
                others = (thresholds[each] if each in moved else value for each, value in own.items())
                threshold = min(single["lowest"]["base"], *others)
            unwanted = self._rules["unwanted"]
            tags = [pair for pair in self._rows[row] if self._category[pair[0]] == category]
            if single["skip"]:
                tags = [pair for pair in tags if pair[0] not in unwanted]
            if tags and tags[0][0] not in unwanted and tags[0][1] >= _steps(threshold):
                found.append(tags[0][0])
        return found

    def _fitted(self, order: list[int], score: Mapping[int, int]) -> list[int]:
        tokens = self._rules["tokens"]
        if tokens is None:
            return order
        droppable = (text for text in reversed(order) if text in tokens["droppable"])
        worst = sorted(droppable, key=lambda text: -score[text])
        for text in worst:
            if self._tokens(order) <= tokens["limit"]:
                break
            order = [each for each in order if each != text]
        return order

    def _tokens(self, order: list[int]) -> int:
        tokens = self._rules["tokens"]
        written = [text for text in order if text not in self._rules["trigger_ids"]]
        triggers = tokens["triggers"]
        counts = [*triggers["counts"], *(tokens["counts"][text] for text in written)]
        last = [*triggers["last"], *(tokens["last"][text] for text in written)]
        return sum(counts[:-1]) + last[-1] if last else 0

    def _text(self, row: int, order: list[int]) -> str:
        separator, triggers = self._data["separator"], self._data["triggers"]
        tags = [self._texts[text] for text in order if text not in self._rules["trigger_ids"]]
        heads = (self._rules["append"] or {"heads": {}})["heads"]
        text: str | None = heads.get(str(row))
        if text is None:
            joined: str = separator.join([*triggers, *tags])
            return joined
        while True:
            there = set(map(folded, split_caption(text, separator)))
            bounded = f"{separator}{text}{separator}"
            new = [tag for tag in tags if folded(tag) not in there and f"{separator}{tag}{separator}" not in bounded]
            if not new:
                return text
            text = separator.join(filter(None, [text, *new]))


def _best(pairs: list[tuple[int, int]]) -> dict[int, int]:
    best: dict[int, int] = {}
    for text, number in pairs:
        if number < best.get(text, 1 << 60):
            best[text] = number
    return best


def _steps(threshold: float) -> int:
    return round(threshold * 10_000)
