"""A new file whose sha256 is known when it is complete: shards are too large to be read again for it."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class HashedFile(io.RawIOBase):
    """A new file, written from its beginning to its end.

    Args:
        path: where it is made.

    Raises (in every method):
        OSError: it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._file = path.open("xb", buffering=1 << 20)
        self._sha256 = hashlib.sha256()
        self._is_over = False
        self.size = 0  #: bytes so far

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, data: ReadableBuffer, /) -> int:
        """Adds bytes; returns how many."""
        if self._is_over:
            return memoryview(data).nbytes
        self._sha256.update(data)
        with self._named():
            written = self._file.write(data)
        self.size += written
        return written

    def ignore_more(self) -> None:
        """From now on nothing is written: the file will not be complete."""
        self._is_over = True

    def tell(self) -> int:
        """How many bytes there are."""
        return self.size

    def flush(self) -> None:
        """Hands to the system what waits in memory."""
        if not self._file.closed:
            with self._named():
                self._file.flush()

    def close(self) -> None:
        """Completes the file; once it is closed nothing happens."""
        try:
            with self._named():
                self._file.close()
        finally:
            super().close()

    @contextmanager
    def _named(self) -> Iterator[None]:
        """The system's errors, with the file's name."""
        try:
            yield
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self._path)) from error

    @property
    def sha256(self) -> str:
        """Of all bytes, in hexadecimal digits."""
        return self._sha256.hexdigest()
