"""A person's thresholds for single tags: a list, or a CSV file with many."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from wd14.caption.given_csv import csv_rows, read_csv_text
from wd14.errors import ConfigError
from wd14.parsing import TagThreshold, names_csv, parse_tag_thresholds, tag_threshold
from wd14.spelling import Spellings, folded
from wd14.types import Labels

#: Bytes that a file may have: one with 100,000 tags has about 5 MB.
LARGEST_FILE = 64 << 20

#: How the column of tags may be named.
_TAG_COLUMNS = ("tag", "name")
#: How many tags that a model does not have are named.
_NAMED = 5


@dataclass(frozen=True)
class OwnThresholds:
    """What a person set for a model's tags; a tag is in one of the two at most.

    Attributes:
        absolute: position -> threshold, 0..1 or above for "off".
        relative: position -> what is added to the tag's usual threshold, -1..1.
        remarks: lines for the log on entries that no tag of the model matches.
    """

    absolute: dict[int, float] = field(default_factory=dict)
    relative: dict[int, float] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.absolute) + len(self.relative)


def own_thresholds(labels: Labels, given: str, without: Collection[str] = ()) -> OwnThresholds:
    """A person's thresholds for a model's tags; for 10,000 tags 15 ms, with a file of as many entries 50 ms.

    Entries of a list may have wildcards; a tag that is named wins over them. Of several that match alike the last wins.

    Args:
        labels: the model's tags.
        given: the parameter: a list, or the name of a CSV file.
        without: categories whose tags have no threshold each.

    Raises:
        ConfigError: the file cannot be read; the message names the line.
    """
    if not given:
        return OwnThresholds()
    entries, is_file = given_tag_thresholds(given), names_csv(given)
    kinds = {tag: category for tag, category in enumerate(labels.categories) if category in without}
    spellings = Spellings((name, tag) for tag, name in enumerate(labels.names) if tag not in kinds)
    by_name = [(entry, spellings.find(entry.tag)) for entry in entries]
    others = (
        [] if is_file else [entry for entry, found in by_name if not found and ("*" in entry.tag or "?" in entry.tag)]
    )
    by_wildcard = [(entry, spellings.match(entry.tag)) for entry in others]
    own = OwnThresholds()
    for entry, found in (*by_wildcard, *by_name):
        chosen, other = (own.relative, own.absolute) if entry.is_relative else (own.absolute, own.relative)
        for tag in found:
            chosen[tag] = entry.value
            other.pop(tag, None)
    matched = {entry.tag for entry, found in (*by_wildcard, *by_name) if found}
    unmatched = [entry.tag for entry in entries if entry.tag not in matched]
    without_one = {folded(labels.names[tag]): category for tag, category in kinds.items()}
    remarks = _remarks_on_file(unmatched, len(entries), without_one) if is_file else _remarks(unmatched, without_one)
    return OwnThresholds(own.absolute, own.relative, tuple(remarks))


def given_by_name(labels: Labels, given: str, without: Collection[str] = ()) -> dict[str, str]:
    """A person's thresholds by the names of tags, as a CSV file has them: `0.6`, `+0.1`, `off`.

    Args, and errors that are raised: as `own_thresholds`.
    """
    own = own_thresholds(labels, given, without)
    texts = {tag: "off" if value > 1 else f"{value}" for tag, value in own.absolute.items()}
    texts |= {tag: f"{value:+}" for tag, value in own.relative.items()}
    return {labels.names[tag]: texts[tag] for tag in sorted(texts)}


def given_tag_thresholds(given: str) -> Sequence[TagThreshold]:
    """The entries of a list or a CSV file, in order.

    Raises:
        ConfigError: the file cannot be read; the message names the line.
    """
    return list(_read_file(given)) if names_csv(given) else parse_tag_thresholds(given)


def _remarks(unmatched: Iterable[str], without: Mapping[str, str]) -> Iterator[str]:
    for tag in unmatched:
        if category := without.get(folded(tag)):
            yield (
                f"Thresholds by Tag: {tag!r} is one of the category {category!r}, of which the best is written: give"
                f" that a threshold by Thresholds by Category ({category}=…)"
            )
        else:
            yield f"Thresholds by Tag: no tag of this model is {tag!r}"


def _remarks_on_file(unmatched: Iterable[str], number: int, without: Mapping[str, str]) -> Iterator[str]:
    """In one line, as the file may be another model's."""
    if unknown := [tag for tag in unmatched if folded(tag) not in without]:
        named = ", ".join(unknown[:_NAMED]) + (", …" if len(unknown) > _NAMED else "")
        yield f"Thresholds by Tag: this model lacks {len(unknown):,} of the file's {number:,} tags: {named}"


def _read_file(name: str) -> Iterator[TagThreshold]:
    where = f"Thresholds by Tag (tag_thresholds): {name}"
    text = read_csv_text(Path(name).expanduser(), LARGEST_FILE, where)
    # Where a comma divides 0 from 5, spreadsheets divide columns by semicolons.
    head = text.partition("\n")[0]
    divider = ";" if ";" in head and "," not in head else ","
    rows = csv_rows(text, where, divider=divider)
    header = [column.strip().lower() for column in next(rows, ("", []))[1]]
    tag_at, threshold_at = _column(header, _TAG_COLUMNS, where), _column(header, ("threshold",), where)
    for place, row in rows:
        if not any(column.strip() for column in row):
            continue
        if len(row) <= max(tag_at, threshold_at) or not row[tag_at].strip():
            raise ConfigError(f"{place}: expected a tag and a threshold, got {','.join(row)!r}")
        try:
            threshold = row[threshold_at].replace(",", ".") if divider == ";" else row[threshold_at]
            yield tag_threshold(row[tag_at].strip(), threshold)
        except ValueError as error:
            raise ConfigError(f"{place}: {error}") from error


def _column(header: Sequence[str], names: Iterable[str], where: str) -> int:
    found = next((header.index(name) for name in names if name in header), None)
    if found is None:
        raise ConfigError(
            f"{where}: expected a first line with the columns 'tag' (or 'name') and 'threshold', got"
            f" {','.join(header)[:200]!r}"
        )
    return found
