"""What the clients' exceptions mean, by the names of their classes: those of requests and httpx alike."""

from __future__ import annotations

import errno
from types import SimpleNamespace

import pytest

from wd14.errors import DownloadError, ModelNotFoundError
from wd14.model.files.download_errors import FileNotInRepositoryError, problem_of


def error(name: str, text: str = "", *, status: int | None = None, **headers: str) -> Exception:
    made: Exception = type(name, (Exception,), {})(text)
    if status is not None:
        made.response = SimpleNamespace(status_code=status, headers=headers)  # type: ignore[attr-defined]
    return made


def caused(outer: Exception, inner: Exception, *, silently: bool = False) -> Exception:
    if silently:
        outer.__context__ = inner
    else:
        outer.__cause__ = inner
    return outer


@pytest.mark.parametrize(
    ("raised", "what", "kind", "passing", "start_over"),
    [
        (error("OfflineModeIsEnabled"), "HF_HUB_OFFLINE forbids", DownloadError, False, False),
        (error("GatedRepoError", status=401), "answered 401: access .* restricted", DownloadError, False, False),
        (error("HfHubHTTPError", status=403), "answered 403: access .* restricted", DownloadError, False, False),
        (error("RevisionNotFoundError", status=404), "no such revision", ModelNotFoundError, False, False),
        (error("RepositoryNotFoundError", status=404), "404: .* no such model", ModelNotFoundError, False, False),
        (error("HTTPError", status=401), "401: .* no such model, or it is private", ModelNotFoundError, False, False),
        (error("EntryNotFoundError", status=404), "404: no such file", FileNotInRepositoryError, False, False),
        (error("RemoteEntryNotFoundError", status=404), "404: no such file", FileNotInRepositoryError, False, False),
        (error("HTTPError", status=404), "404: no such file", ModelNotFoundError, False, False),
        (error("HTTPError", status=416), "cannot continue a partial download", DownloadError, True, True),
        (error("HTTPError", status=429), "too many requests", DownloadError, True, False),
        (error("HTTPError", status=408), "answered 408", DownloadError, True, False),
        (error("HTTPError", status=502), "answered 502", DownloadError, True, False),
        (error("HTTPError", status=418), "answered 418", DownloadError, False, False),
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full", DownloadError, False, False),
        (OSError("Disk quota exceeded"), "the disk is full", DownloadError, False, False),
        (OSError("There is not enough space on the disk"), "the disk is full", DownloadError, False, False),
        (
            PermissionError(13, "Permission denied"),
            r"cannot be written to \(PermissionError: ",
            DownloadError,
            False,
            False,
        ),
        (OSError("Consistency check failed: 5"), "arrived incomplete", DownloadError, True, True),
        (error("FileMetadataError"), "not a Hugging Face hub", DownloadError, False, False),
        (error("ProxyError"), "the proxy refused", DownloadError, False, False),
        (error("SSLError", "CERTIFICATE_VERIFY_FAILED"), r"not trusted \(SSL\)", DownloadError, False, False),
        (error("ChunkedEncodingError"), "the connection was cut", DownloadError, True, False),
        (error("RemoteProtocolError"), "the connection was cut", DownloadError, True, False),
        (error("ReadError"), "the connection was cut", DownloadError, True, False),
        (error("ReadTimeout"), "did not answer in time", DownloadError, False, False),
        (error("ConnectTimeout"), "did not answer in time", DownloadError, False, False),
        (error("ConnectionError"), "cannot be reached", DownloadError, False, False),
        (error("ConnectError"), "cannot be reached", DownloadError, False, False),
        (error("NetworkError"), "cannot be reached", DownloadError, False, False),
        (error("SSLError", "wrong version number"), "cannot be reached", DownloadError, False, False),
        (error("Strange", "two\nlines."), "^Strange: two lines$", DownloadError, False, False),
        (error("Strange", "{status} }"), "^Strange: {status} }$", DownloadError, False, False),
    ],
    ids=lambda value: f"{type(value).__name__} {value}" if isinstance(value, Exception) else "",
)
def test_what_an_exception_means(
    raised: Exception, what: str, kind: type[Exception], passing: bool, start_over: bool
) -> None:
    problem = problem_of(raised, "someone/model")
    with pytest.raises(ValueError, match=what):
        raise ValueError(problem.what)
    assert (problem.error, problem.passing, problem.start_over) == (kind, passing, start_over)


@pytest.mark.parametrize("silently", [False, True])
def test_the_reason_may_lie_behind_other_exceptions(silently: bool) -> None:
    inner = caused(error("ConnectError"), error("HTTPError", status=503), silently=silently)
    outer = caused(error("LocalEntryNotFoundError"), inner, silently=silently)
    assert problem_of(outer, "someone/model").what == "the hub answered 503"


def test_a_circle_of_causes_ends() -> None:
    first = error("ConnectError")
    caused(first, caused(error("LocalEntryNotFoundError"), first))
    assert problem_of(first, "someone/model").what == "the hub cannot be reached"


@pytest.mark.parametrize(
    ("told", "seconds"), [("7", 7.0), ("0.5", 0.5), ("-3", 0.0), ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("", None)]
)
def test_how_long_the_hub_wants_to_be_left_alone(told: str, seconds: float | None) -> None:
    assert problem_of(error("HTTPError", status=429, **{"Retry-After": told}), "someone/model").wait == seconds


def test_no_answer_names_no_time() -> None:
    assert problem_of(error("ConnectError"), "someone/model").wait is None
