"""`labels.json`: with it captions need none of the model's files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from wd14.errors import ScaleError
from wd14.model.files.find import find_model
from wd14.places import Place
from wd14.published import Published
from wd14.scale.model_labels import read_labels, write_labels
from wd14.scale.output import Output


@pytest.mark.parametrize(
    "published",
    [Published(), Published({"all": 0.5}), Published({"general": 0.4}, {0: 0.35, 7: 0.123456789}, is_preferred=True)],
)
def test_a_models_own_thresholds_come_back(tmp_path: Path, published: Published) -> None:
    output = Output(Place(str(tmp_path)))
    model = replace(find_model("builtin/colours"), thresholds=published)
    write_labels(output, model)
    found = read_labels(output.labels)
    assert (found.labels, found.thresholds, found.identity) == (model.labels, published, model.identity)


def test_a_threshold_of_no_tag_is_refused(tmp_path: Path) -> None:
    output = Output(Place(str(tmp_path)))
    write_labels(output, find_model("builtin/colours"))
    value = json.loads(output.labels.read())
    output.labels.write(json.dumps(value | {"tag_thresholds": {"5000": 0.5}}).encode())
    with pytest.raises(ScaleError, match="a threshold is that of no tag"):
        read_labels(output.labels)
