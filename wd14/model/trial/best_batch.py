"""How many pictures a GPU takes at once: found by trying, since neither its memory nor its speed can be foretold."""

from __future__ import annotations

from collections.abc import Callable

#: What is tried first, and halved from there. Larger batches gain nothing on today's GPUs, and the pictures would come
#: to the user in fits and starts.
LARGEST = 64

#: A batch that is slower by no more than this is as good: the smaller of two such leaves memory to others.
_AS_GOOD = 0.97
#: Once a batch is slower than this, halving it again gains nothing.
_HOPELESS = 0.9


def best_batch(rate: Callable[[int], float], largest: int = LARGEST) -> tuple[int, float]:
    """The number of pictures that go through fastest at once, and the pictures a second that it reaches.

    Tries `largest`, half of it and so on, for as long as that gains something; each is measured once.

    Args:
        rate: measures a batch of so many pictures: pictures a second. Raises MemoryError where it does not fit.
        largest: what is tried first.

    Raises:
        MemoryError: not even one picture fits.
        Exception: whatever else `rate` raises.
    """
    measured: dict[int, float] = {}
    batch = largest
    while batch >= 1:
        try:
            measured[batch] = rate(batch)
        except MemoryError:
            if batch == 1:
                raise
        else:
            if measured[batch] < _HOPELESS * max(measured.values()):
                break
        batch //= 2
    fastest = max(measured.values())
    best = min(batch for batch, speed in measured.items() if speed >= _AS_GOOD * fastest)
    return best, measured[best]
