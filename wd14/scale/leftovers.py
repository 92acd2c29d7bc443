"""Removes what killed writers left half-written in an output."""

from __future__ import annotations

import contextlib
import re
import time

from wd14.scale.output import Output

#: Folders that only workers write to.
_OF_WORKERS = ("shards", "summaries", "done", "captioned")
#: What `Place.writing` names a file of the merge that is being written, on a disk.
_OF_A_MERGE = re.compile(r"\.[\w.]+\.[0-9a-f]{8}\.partial")
#: Seconds after which such a file is nobody's: another part of the same run may be merging as well.
_OLD = 600.0


def clear_half_written(output: Output) -> None:
    """Removes half-written files, once all shards are done: a worker that still writes one writes what is there.

    Raises:
        PlaceError: a folder cannot be looked through.
    """
    for name in _OF_WORKERS:
        (output.root / name).clear_partial()
    if output.root.is_local:
        for path in output.root.local.iterdir():
            if _OF_A_MERGE.fullmatch(path.name):
                with contextlib.suppress(OSError):  # it is gone, or not ours to remove
                    if time.time() - path.lstat().st_mtime >= _OLD:
                        path.unlink()
