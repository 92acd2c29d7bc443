"""Tags that another tag of the same picture implies: `long_hair` beside `very_long_hair`.

A tag implies what its own last words name, `white_shirt` a `shirt`; never mere letters (`cathedral` no `cat`), nor
its first words (`hair_bow` no `hair`), nor a tag of another category. More can come from a table.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

from wd14.caption.spelling import canonical
from wd14.caption.thresholds import IndexArray
from wd14.errors import ConfigError
from wd14.types import Labels

#: A word before a noun that takes it back (`no_humans`), or speaks of it without its being there (`unworn_hat`).
_TAKES_BACK = frozenset(
    [
        *("no", "not", "non", "without", "unworn", "removed", "missing", "invisible", "hidden", "covered", "covering"),
        *("imminent", "implied", "incoming", "after", "before", "simulated", "fake", "faux", "mock", "blowing"),
        *("stuffed", "toy", "spoken", "alternate", "adapted", "looking", "cropped", "print"),
    ]
)

#: What stands behind one of these is where or with what, and need not be in the picture: `cutout_above_navel`.
_PREPOSITIONS = frozenset(
    [
        *("above", "across", "against", "and", "around", "as", "at", "behind", "between", "by", "for", "from", "in"),
        *("into", "like", "of", "off", "on", "onto", "or", "out", "over", "past", "the", "through", "to", "towards"),
        *("under", "with", "vs"),
    ]
)

#: Things that are not what their last word names. Gathered from all 3,663 pairs of wd-v3's general tags.
_OTHER_THINGS = frozenset(
    [
        *("adam's_apple", "boy_sandwich", "girl_sandwich", "breast_curtains", "bunny_day", "butt_crack"),
        *("candy_cane", "cat_day", "champagne_flute", "chat_log", "crotch_plate", "cum_pool", "cum_string"),
        *("diffraction_spikes", "dollar_sign", "dust_cloud", "dynamax_band", "eighth_note", "ferris_wheel"),
        *("finger_gun", "heart_lock", "hot_dog", "ice_cream", "koishi_day", "license_plate", "m_legs"),
        *("magnifying_glass", "maid_day", "miku_day", "mobile_suit", "monster_energy", "musical_note"),
        *("nose_bubble", "ok_sign", "paper_airplane", "pectoral_cleavage", "pocky_day", "prone_bone"),
        *("pussy_juice", "quarter_note", "red_panda", "sand_castle", "scoop_neck", "shotgun_shell"),
        *("sixteenth_note", "skin_fang", "skin_fangs", "snow_rabbit", "speech_bubble", "stained_glass"),
        *("swim_ring", "team_rocket", "teddy_bear", "thought_bubble", "toe_cleavage", "twintails_day"),
        *("vaulting_horse", "water_gun", "white_day", "wrestling_ring"),
    ]
)

_HEADERS = (("tag", "implied"), ("tag", "implied tag"), ("antecedent_name", "consequent_name"))

_Graph = dict[str, set[str]]


class Implications:
    """Which tags imply which, among those of one model.

    Args:
        labels: the model's tags.
        by_words: whether a tag implies what its last words name.
        table: CSV file of more implications, a line each, `tag,implied tag`, in any spelling; it is followed over
            several steps, also over tags that the model has not. "" = none.

    Raises:
        ConfigError: the table cannot be read; the message names the line.
    """

    def __init__(self, labels: Labels, *, by_words: bool, table: str = "") -> None:
        keys = [canonical(name).casefold() for name in labels.names]
        where: dict[str, list[int]] = {}
        for i, key in enumerate(keys):
            where.setdefault(key, []).append(i)
        graph: _Graph = {}
        if by_words:
            for tag, implied in _by_words(labels):
                graph.setdefault(keys[tag], set()).add(keys[implied])
        for name, implied_name in _read_table(Path(table)) if table else ():
            graph.setdefault(name, set()).add(implied_name)
        reach = {key: _reachable(graph, key) for key in graph}
        self._implied: Mapping[int, tuple[int, ...]] = {
            tag: tuple(i for other in found if key not in reach.get(other, ()) for i in where.get(other, ()))
            for key, found in reach.items()
            for tag in where.get(key, ())
        }

    def without_implied(self, kept: IndexArray) -> IndexArray:
        """The kept tags without those that another one of them implies."""
        tags: list[int] = kept.tolist()
        dropped = {implied for tag in tags for implied in self._implied.get(tag, ())}
        return kept[[tag not in dropped for tag in tags]] if dropped else kept


def _by_words(labels: Labels) -> Iterator[tuple[int, int]]:
    """Pairs (tag, tag that its last words name) of one category."""
    tags = list(zip(labels.names, labels.categories, strict=True))
    where = {tag: i for i, tag in enumerate(tags)}
    for i, (name, category) in enumerate(tags):
        words = name.split("_")
        for cut in range(1, len(words)):
            implied = "_".join(words[cut:])
            found = where.get((implied, category))
            if found is not None and _names_the_same(words, cut):
                yield i, found


def _names_the_same(words: list[str], cut: int) -> bool:
    """Whether a tag of these words is a kind of what its words from `cut` on name."""
    if any(w in _TAKES_BACK or w in _PREPOSITIONS or w.startswith(("non-", "un-")) for w in words[:cut]):
        return False
    return not any("_".join(words[start:]) in _OTHER_THINGS for start in range(cut))


def _reachable(graph: _Graph, start: str) -> set[str]:
    """Everything that `start` implies over any number of steps, itself left out."""
    found: set[str] = set()
    todo = [start]
    while todo:
        for key in graph.get(todo.pop(), ()):
            if key not in found and key != start:
                found.add(key)
                todo.append(key)
    return found


def _read_table(path: Path) -> Iterator[tuple[str, str]]:
    where = f"Implication Table (implications): {path}"
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, strict=True)
            for row in rows:
                cells = [cell.strip() for cell in row]
                if not any(cells) or (rows.line_num == 1 and tuple(map(str.lower, cells)) in _HEADERS):
                    continue
                if len(cells) != 2 or not all(cells):
                    raise ConfigError(
                        f"{where}, line {rows.line_num}: expected 'tag,implied tag', got {','.join(row)!r}"
                    )
                yield canonical(cells[0]).casefold(), canonical(cells[1]).casefold()
    except OSError as error:
        raise ConfigError(f"{where} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{where} is not UTF-8 text") from error
    except csv.Error as error:
        raise ConfigError(f"{where}, line {rows.line_num}: {error}") from error
