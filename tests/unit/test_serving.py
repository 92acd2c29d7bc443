"""What the review server hands out of a dataset's folder: its pictures, and nothing that a link leads out to."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wd14 import serving


@dataclass
class Dataset:
    """A dataset whose rows name any files."""

    folder: Path
    files: list[Path]
    is_ours: bool = True
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def data(self) -> Mapping[str, Any]:
        return {"status": [0] * len(self.files)}

    def picture(self, row: int) -> Path | None:
        return self.files[row]

    def thumbnail(self, row: int) -> Path | None:
        return self.files[row]


def test_only_files_inside_the_dataset_are_handed_out(tmp_path: Path) -> None:
    folder, outside = tmp_path / "set", tmp_path / "set-2" / "secret.png"
    for path in (folder / "a.png", outside):
        path.parent.mkdir()
        path.write_bytes(path.name.encode())
    (folder / "link.png").symlink_to(outside)
    (folder / "inner.png").symlink_to("a.png")
    os.mkfifo(folder / "pipe.png")
    names = ["a.png", "inner.png", "link.png", "../set-2/secret.png", "pipe.png", "gone.png", "."]
    dataset = Dataset(folder, [folder / name for name in names])
    found = [serving._picture(dataset, folder, row, dataset.thumbnail) for row in range(len(names) + 1)]
    assert found == [b"a.png", b"a.png", None, None, None, None, None, None]
