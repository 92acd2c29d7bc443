"""What a failed download means to a person: read off the client's exceptions, old (requests) and new (httpx)."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass

from wd14.errors import CaptionerError


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a download failed."""

    what: str  #: half a sentence: "the hub answered 500"
    advice: str = ""
    passing: bool = False  #: worth another try in some seconds
    not_found: bool = False
    file_only: bool = False  #: not found, but the repository is there
    damaged: bool = False  #: what has arrived so far is of no use


def problem_of(error: BaseException) -> Problem:
    """The problem behind an exception of `huggingface_hub`.

    Raises:
        BaseException: the error itself, where it is one of ours, or is not about a download.
    """
    if isinstance(error, CaptionerError) or not isinstance(error, Exception):
        raise error
    chain = list(_chain(error))
    names = [name for link in chain for name in _names(link)]
    if "OfflineModeIsEnabled" in names:
        return Problem("it is not on this machine, and HF_HUB_OFFLINE forbids to ask the hub")
    response = next((r for link in chain if (r := getattr(link, "response", None)) is not None), None)
    if response is not None and getattr(response, "status_code", None) is not None:
        return _of_status(int(response.status_code), names)
    return _of_names(error, chain, names)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception and those that it came from."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__


def _names(error: BaseException) -> list[str]:
    return [kind.__name__ for kind in type(error).__mro__]


def _of_status(status: int, names: list[str]) -> Problem:
    if "GatedRepoError" in names or status == 403:
        return Problem(
            f"the hub answered {status}: access to this model is restricted",
            "Accept its conditions on its page, then set HF_TOKEN to a token that may read it.",
        )
    if "RevisionNotFoundError" in names:
        return Problem("the hub has no such revision", "Check what stands after the @.", not_found=True)
    if status == 401:
        return Problem(
            "the hub answered 401: there is no such model, or it is private",
            "Check the name; for a private model set HF_TOKEN to a token that may read it.",
            not_found=True,
        )
    if "RepositoryNotFoundError" in names:
        return Problem("the hub has no such model", "Check the name.", not_found=True)
    if status == 404:
        entry = "EntryNotFoundError" in names
        return Problem(
            "the hub answered 404: there is no such file", "Check the name.", not_found=True, file_only=entry
        )
    if status == 416:
        return Problem("the hub cannot go on where the download was cut off", passing=True, damaged=True)
    if status == 429:
        return Problem(
            "the hub answered 429: too many requests",
            "Wait some minutes; with HF_TOKEN set the hub allows more.",
            passing=True,
        )
    if status >= 500 or status == 408:
        return Problem(f"the hub answered {status}", "Try again later.", passing=True)
    return Problem(f"the hub answered {status}")


def _of_names(error: Exception, chain: list[BaseException], names: list[str]) -> Problem:
    text = " ".join(str(link) for link in chain)
    network = "Check the network, a proxy (HTTPS_PROXY), and HF_ENDPOINT if a mirror is used."
    full = any(getattr(link, "errno", None) in (errno.ENOSPC, errno.EDQUOT) for link in chain)
    if full:
        return Problem("the disk is full", "Make room, or set HF_HOME to a folder on another disk.")
    if any(isinstance(link, PermissionError) for link in chain):
        return Problem(f"the cache cannot be written to ({error})", "Set HF_HOME to a folder of your own.")
    if "Consistency check failed" in text:
        return Problem("the connection was cut, the file is incomplete", network, passing=True, damaged=True)
    if "FileMetadataError" in names:
        return Problem("what answered is no Hugging Face hub", network)
    if any("ProxyError" in name for name in names):
        return Problem("the proxy refused", network)
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return Problem("the connection is not trusted (SSL)", network)
    # The names themselves, not those above them: "connection refused" stands below a timeout in urllib3.
    if any("Timeout" in type(link).__name__ for link in chain):
        return Problem("the hub did not answer in time", network)
    if "ChunkedEncodingError" in names:  # the client before 1.0 does not take up a transfer that was cut
        return Problem("the hub cannot be reached, or the connection was cut", network, passing=True)
    if any(name in ("ConnectionError", "TransportError", "SSLError") for name in names):
        return Problem("the hub cannot be reached, or the connection was cut", network)
    if "LocalEntryNotFoundError" in names:
        return Problem("it is not on this machine, and the hub cannot be reached", network)
    return Problem(f"{type(error).__name__}: {error}".strip().rstrip("."))
