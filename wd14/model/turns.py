"""Runs of a model that share the memory of its device: side by side, or one at a time once that is too much."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Turn:
    """One run.

    Attributes:
        shared: whether another one was under way meanwhile.
    """

    shared = False


class Turns:
    """The runs of one model, in any number of threads."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._under_way: list[Turn] = []
        self._one_at_a_time = False

    @contextmanager
    def taking(self) -> Iterator[Turn]:
        """A run: waits until those under way are over, where they go one at a time."""
        turn = Turn()
        with self._condition:
            self._condition.wait_for(lambda: not (self._one_at_a_time and self._under_way))
            self._under_way.append(turn)
            if len(self._under_way) > 1:
                for each in self._under_way:
                    each.shared = True
        try:
            yield turn
        finally:
            with self._condition:
                self._under_way.remove(turn)
                self._condition.notify_all()

    def one_at_a_time(self) -> bool:
        """From now on runs go one at a time; returns whether they did not so far."""
        with self._condition:
            before, self._one_at_a_time = self._one_at_a_time, True
        return not before
