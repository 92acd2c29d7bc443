"""Names of files in the output: safe on every system, never the same twice, predictable."""

from __future__ import annotations

import re
import unicodedata
from itertools import count
from pathlib import PurePosixPath

from wd14.errors import ConfigError
from wd14.images.formats import is_picture

#: Bytes that filesystems allow for a name.
_LONGEST_NAME = 255

#: Names of the dataset's own files.
_RESERVED = ("metadata.jsonl", "metadata.csv", "index.json")


class OutputNames:
    """Gives each picture of a dataset a name of its own.

    Names that differ only in case, or in how their accents are encoded, count as the same: on macOS and Windows they
    are one file.

    Args:
        caption_extension: of the text file beside each picture; None = there are none.
    """

    def __init__(self, caption_extension: str | None) -> None:
        self._caption_extension = caption_extension
        self._taken = {_key(name) for name in _RESERVED}
        # Where the search for a name that is wanted again goes on: a folder for each character may hold a 1.png each.
        self._next_number: dict[int, int] = {}

    def take(self, name: str, *, as_png: bool) -> tuple[str, str | None]:
        """The picture's file name and that of its text file: the name asked for, or `stem-2.ext` and so on.

        Args:
            name: the name that the picture would like to have.
            as_png: whether its extension becomes `.png`.
        """
        stem, extension = _split_extension(name)
        extension = ".png" if as_png else extension
        text_extension = self._caption_extension
        room = _LONGEST_NAME - max(_byte_length(extension), _byte_length(text_extension or ""))
        wanted = _key(stem + extension)
        for number in count(self._next_number.get(wanted, 1)):
            candidate = numbered_name(stem, number, room)
            picture, text = candidate + extension, None if text_extension is None else candidate + text_extension
            # The text file counts too: a.jpg and a.png would share a.txt.
            keys = {_key(picture)} if text is None else {_key(picture), _key(text)}
            if self._taken.isdisjoint(keys):
                break
        if number > 1:
            self._next_number[wanted] = number + 1
        self._taken |= keys
        return picture, text


def _split_extension(name: str) -> tuple[str, str]:
    """Stem and extension, as `Path.stem` and `Path.suffix`."""
    dot = name.rfind(".")
    return (name[:dot], name[dot:]) if 0 < dot < len(name) - 1 else (name, "")


def _key(name: str) -> int:
    """The same number for all spellings of a name: of 64 bits, since millions of names would take much more memory."""
    return hash(unicodedata.normalize("NFC", name).casefold())


def numbered_name(name: str, number: int, room: int = _LONGEST_NAME) -> str:
    """`name`, or `name-2`, `name-3`, … for numbers from 2 on, shortened to at most `room` bytes."""
    suffix = "" if number == 1 else f"-{number}"
    return shortened(name, room - len(suffix)) + suffix


def shortened(name: str, room: int) -> str:
    """The beginning of a name that takes at most `room` bytes, in whole characters."""
    name = name[:room]  # a character takes a byte at least; a damaged source may have a name of megabytes
    while _byte_length(name) > room:
        name = name[:-1]
    return name


def _byte_length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


#: Characters that Windows, NTFS and exFAT do not allow.
_FORBIDDEN = re.compile(r'[<>:"/\\|?*]')
#: Names of devices on Windows.
_DEVICES = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\.|$)", re.IGNORECASE)
#: Bidirectional overrides make a name read as another.
_BIDI_OVERRIDES = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
#: Names that are safe as they are, if they are short enough and no device's.
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_ ()-]*(?:\.[A-Za-z0-9_()-]+)*")


def safe_name(path: str) -> str:
    """The base name of a path as a file name for every system: characters that some system forbids become `_`.

    Letters of every script and inner spaces stay. Empty when nothing is left to name a file by.
    """
    # Nearly all names end here, and this is done for every row (benchmarks: rerun).
    if _PLAIN.fullmatch(path) and len(path) <= _LONGEST_NAME and not _DEVICES.match(path):
        return path
    name = PurePosixPath(path).name if "\\" not in path else re.split(r"[/\\]", path)[-1]
    name = "".join("_" if _is_unprintable(character) else character for character in name)
    name = _FORBIDDEN.sub("_", name).strip(" ").rstrip(". ")
    if name.startswith("."):
        name = "_" + name[1:]
    if _DEVICES.match(name):
        name = "_" + name
    if _byte_length(name) > _LONGEST_NAME:
        stem, extension = _split_extension(name)
        stem, extension = (stem, extension) if _byte_length(extension) <= 16 else (name, "")
        name = shortened(stem, _LONGEST_NAME - _byte_length(extension)) + extension
    return name if name.strip("_. ") else ""


def _is_unprintable(character: str) -> bool:
    # Cc: control characters, Cs: surrogates (bytes that are not text), Zl and Zp: line ends.
    return unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} or character in _BIDI_OVERRIDES


def check_caption_extension(extension: str) -> None:
    """Refuses an extension with which a text file would not lie beside its picture, or would replace it.

    Raises:
        ConfigError: it is one of these.
    """
    is_safe = extension.isprintable() and not _FORBIDDEN.search(extension)
    is_extension = extension.startswith(".") and len(extension) <= 32 and extension[-1] not in ". "
    if not (is_safe and is_extension) or is_picture("a" + extension):
        raise ConfigError(
            f"Caption File Extension (caption_extension) is {extension!r}; expected an extension of text files, such as"
            " .txt"
        )
