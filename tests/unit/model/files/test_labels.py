from __future__ import annotations

import codecs
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wd14.errors import LabelsError, ModelNotFoundError
from wd14.model.files.labels import read_labels
from wd14.types import UNUSED

HEADER = "tag_id,name,category,count"


def csv_file(folder: Path, text: str | bytes, name: str = "selected_tags.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def json_file(folder: Path, content: object) -> Path:
    path = folder / "tag_mapping.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_names_and_categories_in_the_order_of_the_rows(tmp_path: Path) -> None:
    path = csv_file(tmp_path, f"{HEADER}\n1,general,9,5\n2,1girl,0,4\n3,hatsune_miku,4,3\n4,solo,0,2\n")
    labels = read_labels(path)
    assert labels.names == ("general", "1girl", "hatsune_miku", "solo")
    assert labels.categories == ("rating", "general", "character", "general")
    assert labels.order == "model"


def test_tags_with_signs_of_their_own(tmp_path: Path) -> None:
    rows = '1,"don\'t_say_""lazy""",0,1\n2,;d,0,1\n3,\\m/,0,1\n4,"a,b",0,1\n5,null,0,1\n6,nan,0,1\n'
    assert read_labels(csv_file(tmp_path, f"{HEADER}\n{rows}")).names == (
        'don\'t_say_"lazy"',
        ";d",
        "\\m/",
        "a,b",
        "null",
        "nan",
    )


def test_columns_count_by_name_and_not_by_place(tmp_path: Path) -> None:
    text = "id,category,ips,tag_id,Name ,count\r\n0,4,\"['fate']\",7,saber,1\r\n1,0,[],8,smile,2\r\n"
    labels = read_labels(csv_file(tmp_path, text))
    assert (labels.names, labels.categories) == (("saber", "smile"), ("character", "general"))


@pytest.mark.parametrize(
    "encoded",
    [
        codecs.BOM_UTF8 + "name,category\nété,0\n".encode(),
        f"{HEADER}\n1,été,0,1\n".encode("utf-16"),
        codecs.BOM_UTF16_BE + f"{HEADER}\n1,été,0,1\n".encode("utf-16-be"),
        f"{HEADER}\r1,été,0,1\r".encode(),
        f"{HEADER}\n1,été,0,1\n\n\n".encode(),
    ],
    ids=["bom", "utf-16-le", "utf-16-be", "old-mac-lines", "blank-lines"],
)
def test_encodings_that_say_what_they_are(tmp_path: Path, encoded: bytes) -> None:
    assert read_labels(csv_file(tmp_path, encoded)).names == ("été",)


def test_another_encoding_is_refused_with_its_place(tmp_path: Path) -> None:
    path = csv_file(tmp_path, f"{HEADER}\n1,a,0,1\n2,été,0,1\n".encode("latin-1"))
    with pytest.raises(LabelsError, match=r"not UTF-8 text \(byte 37, line 3\); save it as UTF-8"):
        read_labels(path)


def test_numbers_that_danbooru_does_not_have_get_a_name_of_their_own(tmp_path: Path) -> None:
    rows = "1,wolf,7,1\n2,solo,0,1\n3,artist_x,1,1\n4,cat,Species,1\n5, dog ,,1\n"
    labels = read_labels(csv_file(tmp_path, f"{HEADER}\n{rows}"))
    assert labels.categories == ("category_7", "general", "artist", "species", "general")
    assert labels.names[4] == "dog"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "tag_id,category,count\n1,0,2\n",
            r"no column 'name'; expected .*tag_id,name,category,count, found 'tag",
        ),
        ("1girl\nsolo\n", r"no column 'name' and no column 'category'"),
        (f"{HEADER}\n", "holds a header and no tags"),
        (f"{HEADER}\n1,solo,0,1\n2,,0,1\n", r"line 3: expected a name and a category, found '2,,0,1'"),
        (f"{HEADER}\n1,solo\n", r"line 2: expected a name and a category"),
        ("", "is empty"),
        ("  \n", "is empty"),
        ("\n <!DOCTYPE html><html>", "is a web page"),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "Git LFS pointer"),
        (b"\x00\x01\x02\x03\xff\xfe", "not UTF-8"),
        (f'{HEADER}\n1,"' + "x" * 200_000 + '",0,1\n', "not a CSV file"),
    ],
)
def test_what_is_no_list_of_tags_is_refused(tmp_path: Path, text: str | bytes, message: str) -> None:
    path = csv_file(tmp_path, text)
    with pytest.raises(LabelsError, match=message) as caught:
        read_labels(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="there is no label file"):
        read_labels(tmp_path / "selected_tags.csv")
    with pytest.raises(LabelsError, match="cannot be read"):
        read_labels(tmp_path)


def test_a_tag_mapping_is_in_the_order_of_its_indices(tmp_path: Path) -> None:
    content = {
        "10": {"tag": "k", "category": "Quality"},
        "2": {"tag": "c", "category": "Character"},
        **{str(index): {"tag": chr(97 + index), "category": "General"} for index in (9, 0, 1, 3, 4, 5, 6, 7, 8)},
    }
    labels = read_labels(json_file(tmp_path, content))
    assert labels.names == tuple("abcdefghijk")
    assert labels.categories == ("general", "general", "character", *["general"] * 7, "quality")
    assert labels.order == "score"


def test_indices_that_a_mapping_leaves_out_keep_their_place(tmp_path: Path) -> None:
    labels = read_labels(
        json_file(tmp_path, {"0": {"tag": "a", "category": "General"}, "2": {"tag": "b", "category": "Meta"}})
    )
    assert labels.names == ("a", "unused_1", "b")
    assert labels.categories == ("general", UNUSED, "meta")
    assert len(read_labels(json_file(tmp_path, {"249999": {"tag": "a", "category": "General"}})).names) == 250_000


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "tag_mapping.json",
            '{"9999999": {"tag": "a", "category": "General"}}',
            "position 9999999 is not below 250,000",
        ),
        ("tag_mapping.json", '{"0": {"tag": "%s", "category": "General"}}' % ("a" * 300), "has 300 characters"),
        ("selected_tags.csv", "name,category\n" + "a,0\n" * 250_001, "more than 250,000 tags"),
        ("selected_tags.csv", f"name,category\n{'a_' * 2000},0\n", "has 4,000 characters"),
        ("selected_tags.csv", f"name,category\na,{'9' * 5000}\n", "has 5,000 characters"),
        ("selected_tags.csv", "name,category\n" + "".join(f"a,{n}\n" for n in range(200)), "has 200 categories"),
    ],
)
def test_more_than_a_tagger_has_is_refused(tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(LabelsError, match=message):
        read_labels(csv_file(tmp_path, text, name))


@pytest.mark.parametrize("name", ["selected_tags.csv", "tag_mapping.json"])
def test_a_hole_and_a_pipe_are_not_read(tmp_path: Path, name: str) -> None:
    with (tmp_path / name).open("wb") as file:
        file.truncate(6 << 30)
    with pytest.raises(LabelsError, match="the file has 6,442,450,944 bytes; the limit is 33,554,432"):
        read_labels(tmp_path / name)
    (tmp_path / name).unlink()
    os.mkfifo(tmp_path / name)
    with pytest.raises(LabelsError, match="it is a pipe"):
        read_labels(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("9" * 5000, "is not JSON"),
        ({"9" * 5000: {"tag": "x", "category": "General"}}, "position 9+… is not below"),
        ({"²": {"tag": "x", "category": "General"}}, "found '²'"),
        ({"0": {"tag": "x", "category": " "}}, "index 0: expected"),
        ([], "expected"),
        ({}, "expected"),
        (["1girl", 5], "idx_to_tag 1: expected a tag, found '5'"),
        ({"a": {"tag": "x", "category": "General"}}, "expected the position of an output as key, found 'a'"),
        ({"-1": {"tag": "x", "category": "General"}}, "found '-1'"),
        ({"99999999999": {"tag": "x", "category": "General"}}, "position 99999999999 is not below"),
        ({"0": 5}, r"index 0: expected .* found '5'"),
        ({"0": {"tag": "x"}}, "index 0: expected"),
        ({"0": {"tag": 5, "category": "General"}}, "index 0: expected"),
        ({"1": {"tag": "x", "category": "General"}, "01": {"tag": "y", "category": "General"}}, "1 occurs twice"),
    ],
)
def test_what_is_no_tag_mapping_is_refused(tmp_path: Path, content: object, message: str) -> None:
    with pytest.raises(LabelsError, match=message):
        read_labels(json_file(tmp_path, content))


@given(st.binary(max_size=200), st.sampled_from(["selected_tags.csv", "tag_mapping.json"]))
def test_no_file_ends_in_another_error(tmp_path_factory: pytest.TempPathFactory, data: bytes, name: str) -> None:
    path = tmp_path_factory.mktemp("any") / name
    path.write_bytes(data)
    try:
        labels = read_labels(path)
    except LabelsError:
        return
    assert len(labels.names) == len(labels.categories) > 0
