"""How many pictures a GPU takes at once: found by trying, since neither its memory nor its speed can be foretold."""

from __future__ import annotations

from collections.abc import Callable

#: Larger batches gain nothing on today's GPUs, and the user would see pictures come in fits and starts.
LARGEST = 64

#: A batch twice as large must be faster by this: the smaller one leaves memory to others.
_GAIN = 1.03


def best_batch(rate: Callable[[int], float]) -> tuple[int, float]:
    """The number of pictures that go through fastest at once, and the pictures a second that it reaches.

    Tries 1, 2, 4 and so on, each once, for as long as that gains something: what a slow GPU needs a minute for is not
    tried.

    Args:
        rate: measures a batch of so many pictures: pictures a second. Raises MemoryError where it does not fit.

    Raises:
        MemoryError: not even one picture fits.
        Exception: whatever else `rate` raises.
    """
    best, fastest = 1, rate(1)
    while best * 2 <= LARGEST:
        try:
            speed = rate(best * 2)
        except MemoryError:
            break
        if speed < _GAIN * fastest:
            break
        best, fastest = best * 2, speed
    return best, fastest
