"""Tags that another tag of the same picture implies: `long_hair` beside `very_long_hair`.

A tag implies what its own last words name: `white_shirt` a `shirt`. Letters do not count (`cathedral` and `cat`), nor
do its first words (`hair_bow` and `hair`), nor tags of another category. A table can add more.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from wd14.caption.given_csv import csv_rows, read_csv_text
from wd14.errors import ConfigError
from wd14.implied_tags import implied_by_words
from wd14.spelling import folded
from wd14.types import IndexArray, Labels

#: Bytes that a table may have: Danbooru's own, with all its implications, has about 2 MB.
LARGEST_TABLE = 16 << 20


class Implications:
    """Which tags of a model imply which others.

    Args:
        labels: the model's tags.
        by_words: whether a tag implies what its last words name.
        table: CSV file of more implications, a line each, `tag,implied tag`, in any spelling. They are followed over
            several steps, also over tags that the model does not have; so a heading does no harm. "" = none.

    Attributes:
        table: for the position of a tag those of the tags that leave beside it.

    Raises:
        ConfigError: the table cannot be read; the message names the line.
    """

    def __init__(self, labels: Labels, *, by_words: bool, table: str = "") -> None:
        positions: dict[str, list[int]] = {}
        for tag, name in enumerate(labels.names):
            positions.setdefault(folded(name), []).append(tag)
        graph: dict[str, set[str]] = {}
        for name, implied in [*(_by_words(labels) if by_words else ()), *(_read_table(Path(table)) if table else ())]:
            graph.setdefault(folded(name), set()).add(folded(implied))
        reachable = {key: _reachable(graph, key) for key in graph}
        self.table = {
            tag: [i for other in found if key not in reachable.get(other, ()) for i in positions.get(other, ())]
            for key, found in reachable.items()
            for tag in positions.get(key, ())
        }

    def without_implied(self, kept: IndexArray) -> IndexArray:
        """The kept tags without those that another one of them implies; tags that imply each other all stay."""
        tags: list[int] = kept.tolist()
        dropped = {implied for tag in tags for implied in self.table.get(tag, ())}
        return kept[[tag not in dropped for tag in tags]] if dropped else kept


def _by_words(labels: Labels) -> Iterator[tuple[str, str]]:
    """Pairs (tag, tag that its last words name) of one category."""
    tags = set(zip(labels.names, labels.categories, strict=True))
    for name, category in tags:
        for implied in implied_by_words(name):
            if (implied, category) in tags:
                yield name, implied


def _reachable(graph: dict[str, set[str]], start: str) -> set[str]:
    """Everything that `start` implies over any number of steps, except itself."""
    found: set[str] = set()
    todo = [start]
    while todo:
        new = graph.get(todo.pop(), set()) - found - {start}
        found |= new
        todo += new
    return found


def _read_table(path: Path) -> Iterator[tuple[str, str]]:
    where = f"Implication Table (implications): {path}"
    for place, row in csv_rows(read_csv_text(path, LARGEST_TABLE, where), where):
        columns = [column.strip() for column in row]
        if not any(columns):
            continue
        if len(columns) != 2 or not all(columns):
            raise ConfigError(f"{place}: expected 'tag,implied tag', got {','.join(row)!r}")
        yield columns[0], columns[1]
