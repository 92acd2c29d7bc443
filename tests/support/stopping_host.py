"""A host of the shell that asks for a stop when a test says so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from wd14.hosts.local import LocalHost
from wd14.types import Progress


class StoppingHost(LocalHost):
    """Asks for a stop at the first progress at which `stops` is true.

    Args:
        source: the dataset to read.
        values: the parameters.
        output: folder of the result.
        stops: looked at with every progress, about twice a second.
        say: takes the lines for the person who watches.
    """

    def __init__(
        self,
        source: Path,
        values: dict[str, Any],
        output: Path,
        *,
        stops: Callable[[Progress], bool],
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        super().__init__(source, values, output, say=say)
        self._stops = stops

    def progress(self, progress: Progress) -> None:
        if self._stops(progress):
            self.stop.request()
