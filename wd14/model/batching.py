"""Which rows go through the model together."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator

from wd14.types import DecodedRow, ScoringResult

#: Rows that need no model travel in groups of this many: waking a thread for each would cost most of the time.
_GROUP = 16
#: Rows back in which the same picture is recognised before its scores have reached the store.
_REMEMBERED = 256


def batches(rows: Iterable[DecodedRow], batch_size: Callable[[], int]) -> Iterator[list[DecodedRow]]:
    """Groups of rows, in order, each with one batch for the model at most.

    A picture that another recent row holds too is scored once: both rows share the result.

    Args:
        rows: decoded, ready for the model or not.
        batch_size: how many rows go through the model at once; asked for when a row needs the model.
    """
    group: list[DecodedRow] = []
    for_model = 0
    recent: OrderedDict[bytes, ScoringResult] = OrderedDict()
    for row in rows:
        group.append(row)
        if row.pixels is not None and (known := recent.get(row.digest)) is not None:
            row.result, row.pixels, row.from_scores = known, None, True
        if row.pixels is not None:
            for_model += 1
            recent[row.digest] = row.result
            if len(recent) > _REMEMBERED:
                recent.popitem(last=False)
        if len(group) - for_model >= _GROUP or (for_model and for_model >= batch_size()):
            yield group
            group, for_model = [], 0
    if group:
        yield group
