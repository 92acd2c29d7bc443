"""Datasets on disk for the reader's tests: real photographs, small, and the reader run over them."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image
from sklearn.datasets import load_sample_images

from wd14.config import CaptionConfig
from wd14.data.reader import open_source
from wd14.types import InputRow


@cache
def photo(kind: str = "JPEG", number: int = 0) -> bytes:
    """An encoded photograph of 64x43; each number is a different one."""
    whole = Image.fromarray(load_sample_images().images[number % 2])
    tile = whole.resize((64, 43)).rotate(7 * number) if number > 1 else whole.resize((64, 43))
    file = io.BytesIO()
    tile.save(file, kind)
    return file.getvalue()


def put(path: Path, number: int = 0) -> Path:
    """A photograph in a file, in the format that its ending tells."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kinds = {".png": "PNG", ".webp": "WEBP", ".gif": "GIF", ".bmp": "BMP", ".tif": "TIFF"}
    path.write_bytes(photo(kinds.get(path.suffix.lower(), "JPEG"), number))
    return path


@dataclass
class Seen:
    """What reading a source gave."""

    name: str
    total: int | None
    columns: tuple[str, ...]
    rows: list[InputRow] = field(default_factory=list)
    log: list[str] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        return [row.name for row in self.rows]

    @property
    def sources(self) -> list[str]:
        return [row.source for row in self.rows]

    @property
    def captions(self) -> list[str | None]:
        return [row.caption for row in self.rows]

    @property
    def failed(self) -> dict[str, str]:
        return {s.source: f"{type(s.error).__name__}: {s.error}" for s in self.rows if s.error is not None}


def read(source: str | Path, **settings: Any) -> Seen:
    """Reads a source to its end, twice, and holds that both say the same."""
    log: list[str] = []
    config = CaptionConfig.from_values(settings)
    with open_source(source, config, log=log.append) as opened:
        seen = Seen(opened.name, opened.total, opened.columns, list(opened), log)
        again = list(opened)
    assert [row.index for row in seen.rows] == list(range(len(seen.rows)))
    assert seen.total in (None, len(seen.rows))
    assert [(s.name, s.path, s.data, s.caption) for s in again] == [
        (s.name, s.path, s.data, s.caption) for s in seen.rows
    ]
    return seen
