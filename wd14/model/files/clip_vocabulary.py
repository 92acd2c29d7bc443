"""The vocabulary of CLIP's tokenizer: a pinned file of the hub, which SD 1.5, SDXL and Flux's CLIP share."""

from __future__ import annotations

import stat
from pathlib import Path

from wd14.errors import DownloadError
from wd14.model.files import download
from wd14.model.files.by_hand import folder_by_hand
from wd14.model.files.download import RemoteFile
from wd14.model.files.hashes import sha256_of
from wd14.regular_files import mode_of
from wd14.stop import StopToken
from wd14.types import Log

#: 2,224,003 bytes; the data is OpenAI's, under the MIT licence.
CLIP_VOCABULARY = RemoteFile(
    "openai/clip-vit-large-patch14",
    "tokenizer.json",
    "32bd64288804d66eefd0ccbe215aa642df71cc41",
    "a83e0809aa4c3af7208b2df632a7a69668c6d48775b3c3fe4e1b1199d1f8b8f4",
)


def clip_vocabulary_is_here() -> bool:
    """Whether the vocabulary can be used with no network: put here by hand, or in the hub's cache. Checks no hash."""
    folder = folder_by_hand(CLIP_VOCABULARY.repo)
    by_hand = folder is not None and stat.S_ISREG(mode_of(folder / CLIP_VOCABULARY.path))
    return by_hand or download.cached(CLIP_VOCABULARY) is not None


def find_clip_vocabulary(*, log: Log, stop: StopToken) -> Path:
    """CLIP's `tokenizer.json`: put there by hand, from the hub's cache, or downloaded; verified.

    Raises:
        ModelNotFoundError: the hub has no such repository, revision or file, or the one put there cannot be read.
        DownloadError: it cannot be fetched, or is not the pinned one.
        JobStoppedError: a stop was asked for.
    """
    file = CLIP_VOCABULARY
    folder = folder_by_hand(file.repo)
    by_hand = None if folder is None else folder / file.path
    if by_hand is None or not stat.S_ISREG(mode_of(by_hand)):
        hint = "" if folder is None else f"Without the hub: fetch {file.url} and put it into {folder}."
        return download.fetch(file, by_hand=hint, log=log, stop=stop)
    if sha256_of(by_hand, stop=stop) != file.sha256:
        raise DownloadError(f"{by_hand} is not the expected file (sha256 {file.sha256}); fetch {file.url}")
    return by_hand
