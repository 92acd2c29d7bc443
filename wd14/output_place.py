"""Where the rows of a job go: into a new dataset, or into text files beside the source's pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from wd14.config import CaptionConfig
from wd14.data.sidecar import SidecarWriter
from wd14.data.writer import DatasetWriter, Sink
from wd14.hosts.base import Host
from wd14.types import Destination, Log


def open_sink(
    host: Host,
    config: CaptionConfig,
    source_name: str,
    added_to: Callable[[Destination], Destination] | None,
    *,
    log: Log,
    tick: Callable[[], None],
) -> tuple[Sink, str | None]:
    """What takes the rows, and the place that was asked for, if it is a dataset.

    Args:
        host: says where the dataset is to appear.
        config: the parameters.
        source_name: of the dataset that is read.
        added_to: adds a trainer's files to the destination.
        log: as `DatasetWriter`.
        tick: as `DatasetWriter`.

    Raises:
        ConfigError: a name or an extension cannot be used.
        OutputError: the place cannot be written to.
    """
    if config.in_place:
        sidecar = SidecarWriter(
            Path(host.source(config)).expanduser(),
            extension=config.caption_extension,
            append=config.append_tags,
            follow_symlinks=config.follow_symlinks,
        )
        return sidecar, None
    destination = host.destination(config, source_name)
    wanted = str(destination.parent / destination.name)
    writer = DatasetWriter(
        destination if added_to is None else added_to(destination),
        caption_column=config.caption_column,
        caption_files=config.text_files,
        log=log,
        tick=tick,
    )
    return writer, wanted
