"""`provenance.json`: how a dataset was made, and with what."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import pytest

import wd14
from wd14.config import CaptionConfig
from wd14.data import provenance as module
from wd14.data.provenance import provenance
from wd14.types import Summary

SUMMARY = Summary(9, 4, 2, 1, 1.23456, "x", device="cpu", precision="fast", rejected=2)


def test_everything_that_it_takes_to_make_the_dataset_again() -> None:
    made = provenance(
        CaptionConfig(thresh=0.4), SUMMARY, source="photos", command="a b", model={"id": "a/b", "identity": "123"}
    )
    assert made["made_by"] == f"wd14-captioner {wd14.__version__}"
    assert made["source"] == "photos"
    assert made["model"] == {"id": "a/b", "identity": "123", "device": "cpu", "precision": "fast"}
    assert made["command"] == "a b"
    assert made["parameters"]["thresh"] == 0.4
    assert made["given"] == ["thresh"]
    assert set(made["parameters"]) == set(CaptionConfig.model_fields), "defaults too"
    assert made["counts"] == {"rows": 9, "captioned": 4, "captioned_from_scores": 2, "rejected": 2, "failed": 1}
    assert made["seconds"] == 1.235
    assert made["packages"]["numpy"] == version("numpy")


def test_packages_under_other_names_or_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def fake(name: str) -> str:
        if name != "onnxruntime-gpu":
            raise PackageNotFoundError(name)
        return "1.2.3"

    monkeypatch.setattr(module, "version", fake)
    monkeypatch.setattr(module, "_version", module._version.__wrapped__)  # without what it remembers
    assert provenance(CaptionConfig(), SUMMARY, source="x", command="", model={})["packages"] == {
        "onnxruntime": "1.2.3"
    }
