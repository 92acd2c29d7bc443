"""The built-in model's files: the interface of a WD14 tagger, the README, the script that makes them."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import onnx
import onnxruntime
import pytest

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "wd14" / "model" / "builtin"


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    with (FOLDER / "selected_tags.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_has_the_interface_of_a_wd14_tagger(rows: list[dict[str, str]]) -> None:
    session = onnxruntime.InferenceSession(str(FOLDER / "model.onnx"), providers=["CPUExecutionProvider"])
    (input_,), (output,) = session.get_inputs(), session.get_outputs()
    assert (input_.type, output.type) == ("tensor(float)", "tensor(float)")
    assert input_.shape == ["batch", 448, 448, 3]
    assert output.shape == ["batch", len(rows)]
    assert list(rows[0]) == ["tag_id", "name", "category", "count"]
    assert [row["name"] for row in rows[:4]] == ["general", "sensitive", "questionable", "explicit"]
    assert [row["category"] for row in rows] == ["9"] * 4 + ["0"] * (len(rows) - 4)
    assert len({row["name"] for row in rows}) == len({row["tag_id"] for row in rows}) == len(rows)


def test_is_small_plain_and_self_contained() -> None:
    path = FOLDER / "model.onnx"
    assert path.stat().st_size < 300_000
    model = onnx.load(str(path), load_external_data=False)
    assert model.ir_version <= 10
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 18)]
    assert not any(tensor.external_data for tensor in model.graph.initializer)
    assert not model.functions


def test_the_readme_names_every_tag(rows: list[dict[str, str]]) -> None:
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    for row in rows:
        name = row["name"]
        assert name in readme or name.endswith(("_theme", "_background")), name
    assert f"(batch, {len(rows)})" in readme


def test_the_script_makes_the_same_file_to_the_byte(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "scripts.builtin_model", "--output", str(tmp_path)], cwd=ROOT, check=True, timeout=120
    )
    assert (tmp_path / "model.onnx").read_bytes() == (FOLDER / "model.onnx").read_bytes()
