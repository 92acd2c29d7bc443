from __future__ import annotations

import json
from pathlib import Path

import pytest

from wd14.errors import LabelsError, ModelNotFoundError
from wd14.model.files.description import LabelsDescription
from wd14.model.files.threshold_file import hashed_thresholds
from wd14.published import Published
from wd14.types import UNUSED, Labels

LABELS = Labels(("<PAD>", "1girl", "solo", "wlop", "miku"), (UNUSED, "general", "general", "style", "character"))


def read(folder: Path, content: object, labels: Labels = LABELS) -> Published:
    is_text = isinstance(content, str)
    path = folder / ("thresholds.csv" if is_text else "thresholds.json")
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return hashed_thresholds(path, labels, LabelsDescription("", categories={"1": "style"}))[0]


def point(threshold: float) -> dict[str, float]:
    return {"threshold": threshold, "precision": 0.6, "recall": 0.6, "f1": 0.6}


ORACLE = {
    "val_samples": 30_000,
    "micro": {"pr_breakeven": point(0.79)},
    "macro_single_threshold": {
        "support_ge_0": {"pr_breakeven": point(0.7)},
        "support_ge_1": {"pr_breakeven": point(0.753), "f1_optimal": point(0.805)},
    },
    "per_tag": {"min_support": 5, "pr_summary": {"mean": 0.5}},
}


@pytest.mark.parametrize(
    ("content", "by_category", "by_tag"),
    [
        ("category,name,threshold\n0,general,0.3\n4,character,0.85\n", {"general": 0.3, "character": 0.85}, {}),
        (
            "category,name,alpha,threshold,f1\r\n0,general,1.0,0.39,0.6\r\n0,general,2.0,0.5,0.6\r\n1,artist,1,.15,0\r\n",
            {"general": 0.39, "style": 0.15},
            {},
        ),
        ("name,threshold\nGeneral,0.4\nmeta,\n", {"general": 0.4}, {}),
        ("tag,category,threshold\nsolo,general,0.6\n<PAD>,general,0.1\nnobody,general,0.2\n", {}, {2: 0.6}),
        (ORACLE, {"all": 0.753}, {}),
        (
            {**ORACLE, "per_tag": {"per_tag": {"solo": {"support": 9, "pr_threshold": 0.66, "f1_threshold": 0.5}}}},
            {"all": 0.753},
            {2: 0.66},
        ),
        (
            {"overall": {"balanced": {"threshold": 0.26}}, "artist": {"balanced": {"threshold": 0.2}, "micro_opt": {}}},
            {"all": 0.26, "artist": 0.2},
            {},
        ),
        (
            {
                "category_best_threshold": {"general": 0.17, "style": 0.15},
                "tags_best_threshold": [0.9, None, 0.4, 0, 1],
            },
            {"general": 0.17, "style": 0.15},
            {2: 0.4, 3: 0.0, 4: 1.0},
        ),
        ({"tags_best_threshold": {"miku": 0.5, "solo": None}}, {}, {4: 0.5}),
    ],
    ids=["deepghs", "animetimm", "names", "tags", "oracle", "oracle-by-tag", "camie", "pixai", "pixai-names"],
)
def test_files_as_families_write_them(
    tmp_path: Path, content: object, by_category: dict[str, float], by_tag: dict[int, float]
) -> None:
    assert read(tmp_path, content) == Published(by_category, by_tag)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "category,name\n0,general\n",
            "with threshold and tag, category or name, found 'category,name'",
        ),
        ("category,threshold\n0\n", "line 2: expected category and threshold, found '0'"),
        ("category,threshold\n0,much\n", "line 2, threshold: expected a threshold between 0 and 1, found 'much'"),
        ('category,threshold\n0,"' + "x" * 200_000, "not a CSV file"),
        ("tag,threshold\nother,0.5\n", "of the model's tags or categories, found those of 1 tags that the model does"),
        ("tag,threshold\n", "expected thresholds of the model's tags or categories, found none"),
        ({"general": 0.3}, "expected category_best_threshold"),
        ([], "expected category_best_threshold"),
        ({"per_tag": 3}, "found neither"),
        ({"category_best_threshold": [1]}, "category_best_threshold: expected an object"),
        ({"category_best_threshold": {"general": 35}}, "category_best_threshold general: .* found 35"),
        ({"category_best_threshold": {"general": True}}, "found True"),
        ({"tags_best_threshold": [0.1]}, "thresholds for 1 outputs, and the model has 5 tags"),
        ({"overall": {"balanced": {"threshold": "a"}}}, "overall balanced threshold"),
    ],
)
def test_what_is_no_file_of_thresholds_is_refused(tmp_path: Path, content: object, message: str) -> None:
    with pytest.raises(LabelsError, match=message):
        read(tmp_path, content)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="there is no file of thresholds"):
        hashed_thresholds(tmp_path / "thresholds.csv", LABELS)
