"""Tries again what an object store refuses for the moment, ever more seldom, for two minutes."""

from __future__ import annotations

import itertools
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from wd14.errors import UnreachablePlaceError
from wd14.place_errors import busy_in_words, is_transient
from wd14.stop import StopToken
from wd14.text import count, duration
from wd14.types import Log

R = TypeVar("R")

#: Seconds after which an object store is given up.
GIVE_UP_AFTER = 120.0
#: Seconds of the first wait and of the longest; each is twice as long as the one before, and varies by half.
FIRST_WAIT = 0.5
LONGEST_WAIT = 20.0
#: Seconds in which a store's refusals are said once: they come to all threads at the same time.
SAID_ONCE_IN = 60.0


class _Watch:
    """Who hears of waits in this process, and what ends them."""

    def __init__(self) -> None:
        self.say: Log = logging.getLogger("wd14").warning
        self.stop = StopToken()
        self._said: dict[str, float] = {}  # store: when, on the monotonic clock
        self._lock = threading.Lock()

    def tell(self, url: str, error: BaseException, wait: float) -> None:
        store = "/".join(url.split("/")[:3])
        with self._lock:
            now = time.monotonic()
            if now - self._said.get(store, -SAID_ONCE_IN) < SAID_ONCE_IN:
                return
            self._said[store] = now
        limit = duration(GIVE_UP_AFTER)
        self.say(f"{store} {busy_in_words(error)}. Trying again in {duration(wait)}, for {limit} at most.")


_watch = _Watch()


@contextmanager
def waits_watched(say: Log, stop: StopToken) -> Iterator[None]:
    """While the block lasts, this process's waits for object stores are said here, and end with the stop.

    Elsewhere they go to the logger `wd14`.
    """
    before = _watch.say, _watch.stop
    _watch.say, _watch.stop = say, stop
    try:
        yield
    finally:
        _watch.say, _watch.stop = before


def patiently(url: str, call: Callable[[], R]) -> R:
    """What `call` gives, which is called again while the store is busy or cannot be reached.

    Args:
        url: the place, for a person.
        call: a request that can be repeated.

    Raises:
        UnreachablePlaceError: it did not succeed in two minutes.
        JobStoppedError: a stop was asked for meanwhile.
        Exception: whatever `call` raised that another try would not change.
    """
    began = time.monotonic()
    for tries in itertools.count(1):
        try:
            return call()
        except Exception as error:
            if not is_transient(error):
                raise
            wait = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(tries - 1, 30)) * random.uniform(0.5, 1.5)  # noqa: S311
            if time.monotonic() - began + wait > GIVE_UP_AFTER:
                raise UnreachablePlaceError(
                    f"{url} cannot be reached: it {busy_in_words(error)}; it was asked {count(tries, 'time')} in "
                    f"{duration(time.monotonic() - began)}. Run again when it answers: what is done stays done"
                ) from error
            _watch.tell(url, error, wait)
            if _watch.stop.wait(wait):
                _watch.stop.check()
    raise AssertionError("the loop ends by itself")
