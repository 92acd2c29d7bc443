"""What a failed download means to the user: read off the client's exceptions, old (requests) and new (httpx)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from wd14.errors import DownloadError, ModelError, ModelNotFoundError


class FileNotInRepositoryError(ModelNotFoundError):
    """The repository and the revision are there, the file is not."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a download failed."""

    what: str  #: half a sentence
    advice: str = ""
    error: type[ModelError] = DownloadError
    passing: bool = False  #: worth another try in some seconds
    start_over: bool = False  #: what has arrived so far is of no use
    wait: float | None = None  #: seconds after which the hub wants to be asked again


#: Where terms are accepted, also of what a mirror serves.
PUBLIC_HUB = "https://huggingface.co"

_NETWORK = "Check the network, the proxy (HTTPS_PROXY), and HF_ENDPOINT if you use a mirror."
_NAME = "Check the name; for a private model set HF_TOKEN to a token that may read it."
_LATER = "Wait some minutes; with HF_TOKEN set the hub allows more."
_SPACE = "Free some space, or set HF_HOME to a folder on another disk."

#: What is looked for in an exception and in those it came from (the names of their classes, the status that the hub
#: answered, their messages), most telling first; and what it means.
_PROBLEMS = (
    ("UntrustedAnswerError", Problem("what answered is not to be trusted ({error})", _NETWORK)),
    ("OfflineModeIsEnabled", Problem("it is not on this machine, and HF_HUB_OFFLINE forbids asking the hub")),
    (
        "GatedRepoError|status=403",
        Problem("the hub answered {status}: access to this model is restricted", "{conditions}"),
    ),
    ("RevisionNotFoundError", Problem("the hub has no such revision", "Check what follows the @.", ModelNotFoundError)),
    (
        "RepositoryNotFoundError|status=401",
        Problem("the hub answered {status}: there is no such model, or it is private", _NAME, ModelNotFoundError),
    ),
    (
        "(?<!Local)EntryNotFoundError",
        Problem("the hub answered {status}: no such file", error=FileNotInRepositoryError),
    ),
    ("status=404", Problem("the hub answered 404: no such file", "Check the name.", ModelNotFoundError)),
    ("status=416", Problem("the hub cannot continue a partial download", passing=True, start_over=True)),
    ("status=429", Problem("the hub answered 429: too many requests", _LATER, passing=True)),
    ("status=(408|5..)", Problem("the hub answered {status}", "Try again later.", passing=True)),
    ("status=", Problem("the hub answered {status}")),
    ("No space left|not enough space|[Qq]uota exceeded", Problem("the disk is full", _SPACE)),
    ("PermissionError", Problem("the cache cannot be written to ({error})", "Set HF_HOME to a folder of your own.")),
    ("Consistency check failed", Problem("the file arrived incomplete", _NETWORK, passing=True, start_over=True)),
    ("FileMetadataError", Problem("what answered is not a Hugging Face hub", _NETWORK)),
    ("ProxyError", Problem("the proxy refused the connection", _NETWORK)),
    ("CERTIFICATE_VERIFY_FAILED", Problem("the connection is not trusted (SSL)", _NETWORK)),
    ("ChunkedEncodingError|ProtocolError|ReadError", Problem("the connection was cut", _NETWORK, passing=True)),
    ("Timeout", Problem("the hub did not answer in time", _NETWORK)),
    ("ConnectionError|ConnectError|NetworkError|SSLError", Problem("the hub cannot be reached", _NETWORK)),
)


def conditions(repo: str) -> str:
    """What to do for a repository that asks who wants its files."""
    return f"Accept the terms at {PUBLIC_HUB}/{repo}, then set HF_TOKEN to a token of the account that did."


def problem_of(error: Exception, repo: str, *, gated: bool = False) -> Problem:
    """The problem behind an exception that `huggingface_hub` raised.

    Args:
        error: the exception.
        repo: the repository whose file was asked for.
        gated: whether it is known to ask who wants its files.
    """
    chain = list(_chain(error))
    response = next((found for link in chain if (found := getattr(link, "response", None)) is not None), None)
    status = getattr(response, "status_code", None)
    names = [type(link).__name__ for link in chain]
    evidence = " ".join([*names, f"status={status}" if status else "", *map(str, chain)])
    if gated and status == 401:
        evidence = "GatedRepoError"  # a mirror may not say why
    short = " ".join(f"{names[0]}: {error}".split()).rstrip(".")
    problem = next((problem for pattern, problem in _PROBLEMS if re.search(pattern, evidence)), Problem("{error}"))
    what, advice = problem.what.format(status=status, error=short), problem.advice.format(conditions=conditions(repo))
    return replace(problem, what=what, advice=advice, wait=_retry_after(response))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception and those it came from."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__


def _retry_after(response: object) -> float | None:
    headers = getattr(response, "headers", {})
    try:
        return max(0.0, float(headers.get("Retry-After", "")))
    except ValueError:
        return None  # none, or a date
