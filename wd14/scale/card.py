"""The dataset card: `README.md`, which the hub shows, and which says to `datasets` where the shards are."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping

from wd14.data.provenance import MADE_BY
from wd14.messages import made_with
from wd14.scale.manifest import Manifest
from wd14.text import count, printable, share
from wd14.types import Summary

#: The hub's words for sizes: below so many rows.
_SIZES: Mapping[int, str] = {
    1_000: "n<1K",
    10_000: "1K<n<10K",
    100_000: "10K<n<100K",
    1_000_000: "100K<n<1M",
    10_000_000: "1M<n<10M",
    100_000_000: "10M<n<100M",
    1_000_000_000: "100M<n<1B",
    10_000_000_000: "1B<n<10B",
    100_000_000_000: "10B<n<100B",
    1_000_000_000_000: "100B<n<1T",
}
#: What the columns are.
_COLUMNS: Mapping[str, str] = {
    "id": "path of the picture in its source, or where else it is there",
    "sha256": "of the encoded picture, in hexadecimal; empty where it could not be read",
    "size": "bytes of the encoded picture",
    "width, height": "pixels",
    "status": "`captioned`, `captioned-from-scores`, `rejected` (by a person's edit) or `failed`",
    "reason": "why it failed",
    "caption": "the caption",
    "tags": "the tags in the caption, as it has them",
    "scores": "tags as the model names them, with their scores from 0.01 on, in the model's order",
    "sharpness": "of the hardest edges, 0 to 1020; blurred: below 20",
    "thumbnail": "16 x 16 grey values",
    "columns": "other columns of the source, as JSON",
    "existing": "the caption that the picture came with",
}
#: `datasets` makes columns of the first pictures' formats only, and leaves the others empty, unless it is told of all.
_PICTURES = (
    "",
    "# Of the columns jpg, png, … each row has the one of its picture's format.",
    'text = Value("string")',
    'facts = {"id": text, "sha256": text, "width": Value("int64"), "height": Value("int64"), "tags": [text]}',
    'formats = ("jpg", "png", "webp", "gif", "bmp", "tif")  # add what else there is: avif, jxl, ...',
    "features = Features({",
    '    **dict.fromkeys(formats, Image()), "json": facts, "txt": text, "__key__": text, "__url__": text',
    "})",
    "pictures = load_dataset(",
    '    "webdataset", data_files="shards/*.tar", split="train", streaming=True, features=features',
    ")",
)


def card(
    manifest: Manifest,
    summary: Summary,
    *,
    without: Collection[str],
    set_aside: int,
    superfluous: int,
    command: str,
) -> str:
    """The text of the card.

    Args:
        manifest: of the run.
        summary: its counts, the most frequent tags, the model and the thresholds.
        without: columns that the shards do not have.
        set_aside: shards that are missing.
        superfluous: pictures that are there already.
        command: the command line that makes the dataset again.
    """
    return "\n".join([*_header(manifest, summary), *_body(manifest, summary, without, set_aside, superfluous, command)])


def size_category(rows: int) -> str:
    """The hub's word for the size of a dataset."""
    return next((word for limit, word in _SIZES.items() if rows < limit), "n>1T")


def _header(manifest: Manifest, summary: Summary) -> Iterator[str]:
    yield "---"
    yield f"pretty_name: {_yaml(manifest.source_name)}"
    yield "task_categories:"
    yield "- image-to-text"
    yield "size_categories:"
    yield f"- {size_category(summary.total)}"
    yield "tags:"
    yield from (f"- {tag}" for tag in ("wd14", "danbooru", "image-captions", MADE_BY))
    yield "configs:"
    yield "- config_name: default"
    yield "  data_files:"
    yield "  - split: train"
    yield "    path: shards/*.parquet"
    yield "---"
    yield ""


def _body(
    manifest: Manifest, summary: Summary, without: Collection[str], set_aside: int, superfluous: int, command: str
) -> Iterator[str]:
    yield f"# Captions of {_plain(manifest.source_name)}"
    yield ""
    yield f"Tags and captions of {count(summary.total, 'picture')}, made by {MADE_BY} with {_code(made_with(summary))}."
    if manifest.format == "webdataset":
        yield "The pictures with their captions are in `shards/*.tar`, in the webdataset format."
    else:
        yield "The pictures are not part of it: `id` and `sha256` name them."
    yield ""
    yield "No licence is stated: that of the pictures is yours to know. Add `license:` to the lines at the top."
    yield ""
    yield from _numbers(summary, set_aside, superfluous)
    yield from _loading(manifest)
    yield "## Columns"
    yield ""
    yield "| column | what it is |"
    yield "|---|---|"
    yield from (f"| {name} | {words} |" for name, words in _COLUMNS.items() if name not in without)
    yield ""
    yield "## How it was made"
    yield ""
    yield "```bash"
    yield printable(command).replace("```", "'''")
    yield "```"
    yield ""
    yield (
        "`provenance.json` has the parameters and versions, `report.json` what became of each shard, `findings.json`"
        " what a training might suffer from, `tags.csv` the frequency of every tag, `index.parquet` a row for each"
        " shard."
    )
    yield ""


def _numbers(summary: Summary, set_aside: int, superfluous: int) -> Iterator[str]:
    rows: list[tuple[str, int]] = [
        ("captioned", summary.succeeded),
        ("failed", summary.failed),
        ("rejected by a person's edits", summary.rejected),
        ("captions without any tag", summary.without_tags),
        ("copies: the same to the byte as an earlier picture", superfluous),
        ("shards that could not be done, and are missing", set_aside),
    ]
    yield "| | |"
    yield "|---|---:|"
    yield f"| pictures | {summary.total:,} |"
    yield from (f"| {words} | {number:,} |" for words, number in rows if number)
    yield ""
    if summary.frequent_tags:
        yield "Most frequent tags: " + ", ".join(
            f"{_code(tag)} {share(number, summary.succeeded, 'picture').partition(' of ')[0]}"
            for tag, number in summary.frequent_tags
        )
        yield ""


def _loading(manifest: Manifest) -> Iterator[str]:
    yield "## How to load it"
    yield ""
    yield "```python"
    more = "Features, Image, Value, " if manifest.format == "webdataset" else ""
    yield f"from datasets import {more}load_dataset"
    yield ""
    yield 'rows = load_dataset("parquet", data_files="shards/*.parquet", split="train", streaming=True)'
    yield 'captioned = rows.filter(lambda row: row["caption"] is not None)'
    if manifest.format == "webdataset":
        yield from _PICTURES
    yield "```"
    yield ""


def _yaml(text: str) -> str:
    """A text as YAML has it in double quotes, which JSON's are."""
    return json.dumps(printable(text))


def _plain(text: str) -> str:
    """A text in which Markdown and HTML see nothing of theirs."""
    return "".join(f"\\{char}" if char in r"\`*_{}[]()<>#+-!|~&" else char for char in printable(text))


def _code(text: str) -> str:
    """A text as code on one line."""
    return "`" + printable(text).replace("`", "'") + "`"
