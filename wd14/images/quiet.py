"""Keeps Pillow's warnings from failing pictures, in any number of threads."""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

_SILENCE = ("ignore", None, Warning, re.compile(r"PIL\."), 0)


class _Inside:
    """How many threads are inside, and the list of filters that the silence was put into."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.count = 0
        self.filters: list[Any] = []


_inside = _Inside()


@contextmanager
def without_pillow_warnings() -> Iterator[None]:
    """Pillow warns about odd files (EXIF, palettes, many pixels); under `-W error` that would fail them.

    `warnings.catch_warnings` swaps the process's filters as a whole, which goes wrong with threads. This is one filter
    of our own, which is there while any thread is inside.
    """
    with _inside.lock:
        _inside.count += 1
        if _SILENCE not in warnings.filters:
            _inside.filters = cast("list[Any]", warnings.filters)
            _inside.filters.insert(0, _SILENCE)
    try:
        yield
    finally:
        with _inside.lock:
            _inside.count -= 1
            if _inside.count == 0:
                # Someone may have swapped the list meanwhile: out of both.
                for filters in (_inside.filters, cast("list[Any]", warnings.filters)):
                    while _SILENCE in filters:
                        filters.remove(_SILENCE)
