"""The worker: one in each process, with one model; it does shards, one after the other."""

from __future__ import annotations

from wd14.scale.task import Outcome, Task


class Worker:
    """Does shards. Its model is found when it is made, and opened when the first picture needs it.

    A shard that is done already is not done again. One that fails is tried a second time; then it is set aside. An
    attempt is noted before it begins, so a shard that kills its process counts as well.

    Args:
        task: what is to be done.
    """

    def __init__(self, task: Task) -> None:
        raise NotImplementedError

    def __call__(self, shard: int) -> Outcome:
        """Does a shard. Never raises: what went wrong is in the outcome."""
        raise NotImplementedError

    def stop(self, reason: str) -> None:
        """Ends the shard under way, from any thread."""
        raise NotImplementedError
