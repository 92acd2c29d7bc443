"""Names in the output: safe on every system, never the same twice, predictable."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator
from pathlib import PurePosixPath

#: Filesystems take names of so many bytes.
LONGEST_NAME = 255

#: Names of the dataset's own files.
_RESERVED = ("metadata.jsonl", "metadata.csv", "index.json")


class OutputNames:
    """Gives each picture of a dataset a name of its own.

    Names that differ only by case, or in how their accents are written, count as the same.

    Args:
        caption_extension: of a text file beside each picture; None = there are none.
    """

    def __init__(self, caption_extension: str | None) -> None:
        self._caption_extension = caption_extension
        self._taken = {_key(name) for name in _RESERVED}

    def take(self, name: str, *, as_png: bool) -> tuple[str, str | None]:
        """The picture's file name and that of its text file: the name asked for, or `stem-2.ext` and so on.

        Args:
            name: the name that the picture would like to have.
            as_png: whether its extension becomes `.png`.
        """
        wanted, extension = _split_extension(name)
        extension = ".png" if as_png else extension
        longest = max(len(each.encode("utf-8", "surrogatepass")) for each in (extension, self._caption_extension or ""))
        stems = candidate_names(wanted, LONGEST_NAME - longest)
        picture, text = next(names for names in self._pairs(stems, extension) if self._taken.isdisjoint(_keys(names)))
        self._taken |= _keys((picture, text))
        return picture, text

    def _pairs(self, stems: Iterator[str], extension: str) -> Iterator[tuple[str, str | None]]:
        for stem in stems:
            yield stem + extension, None if self._caption_extension is None else stem + self._caption_extension


def _keys(names: tuple[str, str | None]) -> set[int]:
    """Of a picture and its text file: `a.jpg` and `a.png` would share `a.txt`."""
    return {_key(name) for name in names if name is not None}


def _split_extension(name: str) -> tuple[str, str]:
    """Stem and extension, as `Path.stem` and `Path.suffix`."""
    dot = name.rfind(".")
    return (name[:dot], name[dot:]) if 0 < dot < len(name) - 1 else (name, "")


def _key(name: str) -> int:
    """A hash of 64 bits for a name, whatever its case: a million of them take less memory than the names."""
    folded = unicodedata.normalize("NFC", name).casefold().encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(folded, digest_size=8).digest(), "big")


def candidate_names(name: str, room: int = LONGEST_NAME) -> Iterator[str]:
    """`name`, `name-2`, `name-3`, …, each cut so that it has `room` bytes at most."""
    yield shortened(name, room)
    number = 2
    while True:
        ending = f"-{number}"
        yield shortened(name, room - len(ending)) + ending
        number += 1


def shortened(name: str, room: int) -> str:
    """The beginning of a name that fits into `room` bytes, no sign cut in two."""
    while len(name.encode("utf-8", "surrogatepass")) > room:
        name = name[:-1]
    return name


#: No file on Windows, NTFS and exFAT disks may hold these.
_HOSTILE = re.compile(r'[<>:"/\\|?*]')
_DEVICES = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\.|$)", re.IGNORECASE)
#: Names that are safe as they are, as far as devices and length go.
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_ ()-]*(?:\.[A-Za-z0-9_()-]+)*")


def safe_name(text: str) -> str:
    """The base name of a path as a file name for every system: signs that some system refuses become `_`.

    Letters of every script and blanks inside stay. Empty when nothing is left to name a file by.
    """
    if _PLAIN.fullmatch(text) and len(text) <= LONGEST_NAME and not _DEVICES.match(text):
        return text  # as nearly all are
    base = PurePosixPath(text).name if "\\" not in text else re.split(r"[/\\]", text)[-1]
    # Cc control, Cs surrogates (bytes that are no text), Zl/Zp line ends; bidi overrides make a name read as another.
    base = "".join("_" if _is_unprintable(sign) else sign for sign in base)
    base = _HOSTILE.sub("_", base).strip(" ").rstrip(". ")
    if base.startswith("."):
        base = "_" + base[1:]
    if _DEVICES.match(base):
        base = "_" + base
    if len(base.encode()) > LONGEST_NAME:
        suffix = PurePosixPath(base).suffix
        suffix = suffix if len(suffix.encode()) <= 16 else ""
        stem = base.removesuffix(suffix)
        base = stem.encode()[: LONGEST_NAME - len(suffix.encode())].decode(errors="ignore") + suffix
    return base if base.strip("_. ") else ""


_BIDI_OVERRIDES = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def _is_unprintable(sign: str) -> bool:
    return unicodedata.category(sign) in {"Cc", "Cs", "Zl", "Zp"} or sign in _BIDI_OVERRIDES
