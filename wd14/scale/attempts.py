"""The attempts at a shard since a start of the run, noted before they begin: one that kills its process counts too."""

from __future__ import annotations

import json
import time
from typing import Any

from wd14.places import Place
from wd14.scale.output import Output, number

#: Attempts at a shard, after which it is set aside.
MOST_ATTEMPTS = 2
#: The reason of one that nothing was noted of.
KILLED = "its process ended without a word: it was killed, or had not enough memory"


class Attempts:
    """The attempts at one shard.

    Args:
        output: of the run.
        start: names the start of the run.
        shard: the shard's number.

    Raises (in every method):
        OSError: the output cannot be read or written.
        PlaceError: the same, on an object store.
    """

    def __init__(self, output: Output, start: str, shard: int) -> None:
        self._folder = output.attempts(start)
        self._shard = number(shard)
        self._reasons: list[str] = []
        for attempt in range(1, MOST_ATTEMPTS + 1):
            try:
                noted: dict[str, Any] = json.loads(self._place(attempt).read())
            except FileNotFoundError:
                break
            except ValueError:
                noted = {}
            self._reasons.append(str(noted.get("reason") or KILLED))

    @property
    def is_last_over(self) -> bool:
        """Whether there is to be no other."""
        return len(self._reasons) >= MOST_ATTEMPTS

    @property
    def reason(self) -> str:
        """Why the last one failed."""
        return self._reasons[-1]

    def begin(self) -> None:
        """Notes that one begins."""
        self._reasons.append(KILLED)
        self._write(None)

    def failed(self, reason: str) -> None:
        """Notes why the one that was begun failed."""
        self._reasons[-1] = reason
        self._write(reason)

    def note_reason(self) -> None:
        """Notes why the last one failed, where it could not do so itself: it was killed."""
        if self.reason == KILLED:
            self.failed(KILLED)

    def forget_last(self) -> None:
        """Forgets the last one."""
        self._place(len(self._reasons)).remove()
        self._reasons.pop()

    def forget_all(self) -> None:
        """Forgets them, the last one first."""
        while self._reasons:
            self.forget_last()

    def _write(self, reason: str | None) -> None:
        noted = {"at": round(time.time(), 3)} | ({} if reason is None else {"reason": reason})
        self._place(len(self._reasons)).write(json.dumps(noted).encode() + b"\n")

    def _place(self, attempt: int) -> Place:
        return self._folder / f"{self._shard}-{attempt}.json"
