"""What the review server hands out of a dataset's folder: its pictures, and nothing that a link leads out to."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wd14 import serving
from wd14.stop import StopToken


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


def test_moved_thresholds_leave_a_model_its_own_for_the_other_categories(tmp_path: Path) -> None:
    class Moved(Dataset):
        @property
        def data(self) -> Mapping[str, Any]:
            return {"rules": {"prefers_own": True}}

    parameters = {"category_thresholds": {"meta": 2.0}, "tag_thresholds": "smile=0.5"}
    job = serving.ApplyJob(
        Moved(tmp_path, [], parameters=parameters), tmp_path, None, tmp_path / "none", say=print, stop=StopToken()
    )
    values = job._values({"general": 0.5})
    assert values["category_thresholds"] == {"meta": 2.0, "general": 0.5}
    assert (values["threshold_mode"], values["tag_thresholds"]) == ("model", "smile=0.5")
    assert "threshold_mode" not in job._values({})


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
