"""Label files as the families write them, and what a description adds to them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wd14.errors import LabelsError
from wd14.model.files.description import LabelsDescription
from wd14.model.files.labels import hashed_labels
from wd14.model.files.threshold_file import hashed_thresholds
from wd14.types import UNUSED, Labels


def file(folder: Path, name: str, content: object) -> Path:
    path = folder / name
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    path.write_bytes(text.encode())
    return path


def pairs(path: Path, description: LabelsDescription | None = None) -> list[tuple[str, str]]:
    labels, _, _ = hashed_labels(path, description)
    return list(zip(labels.names, labels.categories, strict=True))


def test_a_csv_with_thresholds_of_its_tags(tmp_path: Path) -> None:
    rows = "3,general,9,5,0.3\r\n4,1girl,0,9,0.41\r\n5,null,0,3,\r\n6,saber,4,2,nan\r\n7,miku,4,1,.875\r\n"
    path = file(tmp_path, "selected_tags.csv", f"tag_id,name,category,count,best_threshold\r\n{rows}")
    labels, _, thresholds = hashed_labels(path)
    assert labels.names == ("general", "1girl", "null", "saber", "miku")
    assert thresholds == {0: 0.3, 1: 0.41, 4: 0.875}


def test_a_csv_without_counts_whose_first_outputs_are_no_tags(tmp_path: Path) -> None:
    path = file(
        tmp_path,
        "selected_tags.csv",
        "tag_id,name,category\r\n0,<PAD>,0\r\n1,<UNK>,0\r\n2,\\m/,0\r\n3,rating:general,0\r\n4,<UNK>,0\r\n",
    )
    description = LabelsDescription(
        path.name, form="csv", skip=(0, "<UNK>"), tags={"rating:general": ("general", "rating")}
    )
    assert pairs(path, description) == [
        ("<PAD>", UNUSED),
        ("<UNK>", UNUSED),
        ("\\m/", "general"),
        ("general", "rating"),
        ("<UNK>", UNUSED),
    ]


def test_one_tag_a_line(tmp_path: Path) -> None:
    path = file(tmp_path, "top_tags.txt", "<o>_<o>\n1girl\r\n\nkamina_(ttgl)")
    assert pairs(path) == [("<o>_<o>", "general"), ("1girl", "general"), ("kamina_(ttgl)", "general")]


NESTED = {
    "model_info": {"img_size": 512},
    "dataset_info": {
        "total_tags": 3,
        "tag_mapping": {
            "idx_to_tag": {"2": "year_2020", "0": "1girl", "1": "rating_general"},
            "tag_to_category": {"1girl": "general", "rating_general": "rating", "year_2020": "year"},
        },
    },
}
FLAT = {
    "tag_to_idx": {"1girl": 0, "best quality": 1},
    "idx_to_tag": ["1girl", "best quality", "miku"],
    "tag_to_category": {"1girl": "General", "best quality": "Quality", "miku": 4},
}
BY_INDEX = {"index_to_tag": {"0": "<PAD>", "3": "touhou"}, "idx_to_category": {"0": "general", "3": "Copyright"}}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (NESTED, [("1girl", "general"), ("general", "rating"), ("year_2020", "year")]),
        (FLAT, [("1girl", "general"), ("best quality", "quality"), ("miku", "character")]),
        (BY_INDEX, [("<PAD>", "general"), ("unused_1", UNUSED), ("unused_2", UNUSED), ("touhou", "copyright")]),
        ({"idx_to_tag": ["solo"]}, [("solo", "general")]),
        (["solo", "miku"], [("solo", "general"), ("miku", "general")]),
        ({"1": "miku", "0": "solo"}, [("solo", "general"), ("miku", "general")]),
    ],
    ids=["nested", "list", "by-index", "no-categories", "bare-list", "bare-index"],
)
def test_an_index_of_tags(tmp_path: Path, content: object, expected: object) -> None:
    path = file(tmp_path, "vocabulary.json", content)
    assert pairs(path) == pairs(path, LabelsDescription(path.name, form="idx_to_tag")) == expected
    assert hashed_labels(path)[0].order == "model"


SPLIT = {"tags": ["1girl", "solo", "miku", "rating:s"], "tags_split": [["general", 2], ["character", 1], ["rating", 1]]}
BLOCKS = {
    "num_classes": 4,
    "categories": [
        {"name": "general", "offset": 0, "count": 2, "tags": ["1girl", "solo"]},
        {"name": "character", "offset": 2, "count": 1, "tags": ["miku"]},
        {"name": "rating", "tags": ["rating:s"]},
    ],
}


@pytest.mark.parametrize("content", [SPLIT, BLOCKS], ids=["split", "categories"])
def test_blocks_of_tags(tmp_path: Path, content: object) -> None:
    path = file(tmp_path, "tags.json", content)
    described = LabelsDescription(path.name, form="tags_split", tags={"rating:s": ("sensitive", "rating")})
    assert pairs(path)[:3] == [("1girl", "general"), ("solo", "general"), ("miku", "character")]
    assert pairs(path)[3] == pairs(path, described)[3] == ("sensitive", "rating")


def test_categories_in_our_words(tmp_path: Path) -> None:
    path = file(tmp_path, "selected_tags.csv", "name,category\nwlop,1\nwolf,5\nmiku,Char\n")
    described = LabelsDescription(path.name, categories={"1": "style", "5": "species", "char": "character"})
    assert [category for _, category in pairs(path, described)] == ["style", "species", "character"]


@pytest.mark.parametrize(
    ("form", "content", "message"),
    [
        ("csv", "name,category,best_threshold\na,0,high\n", r"line 2, best_threshold: .* 0 and 1, found 'high'"),
        ("csv", "name,category,best_threshold\na,0,1.5\n", "found '1.5'"),
        ("idx_to_tag", r'{"idx_to_tag": ["a", "b\ud800"]}', r"'b\\ud800' holds half of a character"),
        ("idx_to_tag", {"tags": ["a"]}, "expected an object with idx_to_tag"),
        ("idx_to_tag", {"idx_to_tag": {"a": "b"}}, "idx_to_tag: expected the position of an output as key, found 'a'"),
        ("idx_to_tag", {"idx_to_tag": []}, "idx_to_tag: expected a list or an object"),
        ("idx_to_tag", {"idx_to_tag": ["a", 5]}, "idx_to_tag 1: expected a tag, found '5'"),
        ("idx_to_tag", {"idx_to_tag": ["a"], "tag_to_category": ["b"]}, "tag_to_category: expected"),
        ("idx_to_tag", {"idx_to_tag": ["a"], "tag_to_category": {"a": []}}, "expected a category for 'a'"),
        ("tags_split", {"0": {"tag": "a", "category": "b"}}, "expected an object with tags and tags_split"),
        ("tags_split", {**SPLIT, "tags_split": [["general", 5]]}, "tags_split counts 5 tags, and tags has 4"),
        ("tags_split", {**SPLIT, "tags_split": [["general", True]]}, r"tags_split 0: expected \[category, number\]"),
        ("tags_split", {"tags": "a", "tags_split": []}, "tags: expected a list, found 'a'"),
        ("tags_split", {"tags": [], "tags_split": []}, "its blocks hold 0 tags"),
        ("tags_split", {**BLOCKS, "num_classes": 5}, "its blocks hold 4 tags, and it says that there are 5"),
        ("tags_split", {"categories": [{"name": "a", "offset": 1, "tags": ["b"]}]}, "offset is 1"),
        ("tags_split", {"categories": [{"name": "a"}]}, 'categories 0: expected {"name", "tags"}'),
        ("lines", "a\n" * 250_001, "more than 250,000 tags"),
    ],
)
def test_what_is_not_of_its_form_is_refused(tmp_path: Path, form: Any, content: object, message: str) -> None:
    path = file(tmp_path, "labels", content)
    with pytest.raises(LabelsError, match=message) as caught:
        hashed_labels(path, LabelsDescription(path.name, form=form))
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("more", "missing"),
    [
        ({"skip": ("<PAD>",)}, "<PAD>"),
        ({"skip": (3,)}, "3"),
        ({"tags": {"rating:x": ("explicit", "rating")}}, "rating:x"),
    ],
)
def test_a_description_of_another_file_is_refused(tmp_path: Path, more: Any, missing: str) -> None:
    path = file(tmp_path, "tags.txt", "a\nb\nc")
    with pytest.raises(LabelsError, match=f"has no '{missing}' among its 3 tags, which labels.{next(iter(more))} of"):
        hashed_labels(path, LabelsDescription(path.name, **more))


def test_a_description_that_skips_everything_is_refused(tmp_path: Path) -> None:
    path = file(tmp_path, "tags.txt", "a\nb")
    with pytest.raises(LabelsError, match=r"tags.txt: labels.skip or .* leave none of its tags"):
        hashed_labels(path, LabelsDescription(path.name, skip=(0, "b")))


def test_categories_as_programs_write_whole_numbers(tmp_path: Path) -> None:
    path = file(tmp_path, "tags.csv", "name,category\nmiku,4.0\nsolo,0.0\n")
    assert pairs(path) == [("miku", "character"), ("solo", "general")]


KEYS = st.sampled_from(
    [
        "idx_to_tag",
        "tag_to_category",
        "idx_to_category",
        "tags",
        "tags_split",
        "categories",
        "name",
        "offset",
        "count",
        "num_classes",
        "0",
        "1",
        "category_best_threshold",
        "tags_best_threshold",
        "per_tag",
        "macro_single_threshold",
        "overall",
        "balanced",
        "threshold",
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["a", "general", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(KEYS, VALUES, max_size=4), st.sampled_from([None, "tag_mapping", "idx_to_tag", "tags_split"]))
def test_no_json_ends_in_another_error(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, object], form: Any
) -> None:
    path = file(tmp_path_factory.mktemp("any"), "any.json", content)
    try:
        labels, _, _ = hashed_labels(path, LabelsDescription(path.name, form=form))
        assert len(labels.names) == len(labels.categories) > 0
    except LabelsError:
        pass
    try:
        published, _ = hashed_thresholds(path, Labels(("a",), ("general",)))
        assert all(0 <= value <= 1 for value in (*published.by_category.values(), *published.by_tag.values()))
    except LabelsError:
        pass
