"""What an error of a disk or an object store means: whether to try again, and words for a person.

The packages behind fsspec (s3fs, gcsfs, adlfs, huggingface_hub) raise errors of their own. They are known here by what
they have in common: a status of HTTP, a code of the store, their class's name. No package is imported for it.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from http.client import HTTPException
from typing import Any, Literal

from wd14.errors import PlaceError, UnwritablePlaceError

#: What was being done.
Doing = Literal["read", "written", "listed", "removed"]

#: Of a disk that takes nothing more.
_FULL = {errno.ENOSPC, errno.EROFS, getattr(errno, "EDQUOT", errno.ENOSPC)}
#: Of a store, for the same.
_FULL_CODES = {"XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "QuotaExceeded", "507"}

_BUSY_STATUS = {408, 425, 429, 500, 502, 503, 504}
_BUSY_CODES = {
    *("SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequests", "RequestTimeout"),
    *("InternalError", "ServiceUnavailable", "ServerBusy", "OperationTimedOut"),
}
_DROPPED = {
    *(errno.ETIMEDOUT, errno.ECONNRESET, errno.ECONNREFUSED, errno.ECONNABORTED, errno.EPIPE, errno.ENETUNREACH),
    *(errno.EHOSTUNREACH, getattr(errno, "EREMOTEIO", errno.ETIMEDOUT)),
}
#: Classes of errors, by name: of aiohttp, botocore, requests, httpx, urllib3, fsspec, azure.
_DROPPED_CLASSES = re.compile(
    "ClientConnectionError|ClientConnectorError|ClientOSError|ClientPayloadError|ServerDisconnectedError|"
    "ConnectionError|ConnectTimeout|ReadTimeout|WriteTimeout|PoolTimeout|ConnectTimeoutError|ReadTimeoutError|"
    "EndpointConnectionError|ConnectionClosedError|HTTPClientError|ResponseParserError|ResponseStreamingError|"
    "IncompleteRead|IncompleteReadError|ProtocolError|RemoteProtocolError|ChunkedEncodingError|FSTimeoutError|"
    "ConnectError|ReadError|WriteError|ServiceRequestError|ServiceResponseError|TransportError"
)
_NO_CREDENTIALS = re.compile(
    "NoCredentialsError|PartialCredentialsError|CredentialRetrievalError|ProfileNotFound|DefaultCredentialsError|"
    "RefreshError|CredentialUnavailableError|ClientAuthenticationError"
)
_BAD_CREDENTIALS = {
    *("InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "AuthFailure", "401"),
    *("TokenRefreshRequired", "RequestTimeTooSkewed", "AuthenticationFailed"),
}
_NO_BUCKET = {"NoSuchBucket", "ContainerNotFound"}

#: How a person gives credentials, by scheme.
_CREDENTIALS = {
    "s3": "`aws configure`, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "gs": "`gcloud auth application-default login`, or GOOGLE_APPLICATION_CREDENTIALS",
    "az": "AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
    "hf": "`hf auth login`, or HF_TOKEN",
}
_SAME_SCHEME = {"s3a": "s3", "gcs": "gs", "abfs": "az", "abfss": "az", "adl": "az"}

#: Where a URL has a secret: a user's name and password, or a parameter that signs it.
_USER = re.compile(r"(?<=://)[^/\s@]*@")
_QUERY = re.compile(r"(?<=[^\s])\?[^\s'\"]*=[^\s'\"]*")
_SIGNED = re.compile(r"[?&](sig|signature|x-\w+-\w+|\w*token|\w*key|\w*secret|password)=", re.IGNORECASE)


def shared_scheme(url: str) -> str:
    """The store's scheme as it is known best: `gs` for gcs://, `az` for abfs://."""
    scheme = url.partition("://")[0].lower()
    return _SAME_SCHEME.get(scheme, scheme)


def has_secret(url: str) -> bool:
    """Whether a URL holds a password, a key or a signature. `abfs://container@account/…` names a container."""
    user, at, _ = url.partition("://")[2].partition("/")[0].rpartition("@")
    return bool(at and (shared_scheme(url) != "az" or ":" in user)) or bool(_SIGNED.search(url))


def without_secrets(text: str) -> str:
    """Text without users, passwords and parameters of the URLs in it."""
    return _QUERY.sub("?…", _USER.sub("…@", text))


def is_transient(error: BaseException) -> bool:
    """Whether the same request may succeed a little later: throttled, a fault of the store, a dropped connection."""
    for each in _chain(error):
        status, code = _status(each), _code(each)
        if status in _BUSY_STATUS or code in _BUSY_CODES or (code is not None and code in map(str, _BUSY_STATUS)):
            return True
        if status is not None or code is not None:
            return False  # the store has answered
        if "CERTIFICATE_VERIFY_FAILED" in str(each):
            return False
        if isinstance(each, (ConnectionError, TimeoutError, HTTPException)) or _is_named(each, _DROPPED_CLASSES):
            return True
        if isinstance(each, OSError) and each.errno in _DROPPED:
            return True
    return False


def is_missing(error: BaseException) -> bool:
    """Whether a file is not there, though the bucket is."""
    return isinstance(error, FileNotFoundError) and not _codes(error) & _NO_BUCKET


def is_full(error: BaseException) -> bool:
    """Whether a disk or a store takes nothing more: full, over quota, read-only."""
    return (isinstance(error, OSError) and error.errno in _FULL) or bool(_codes(error) & _FULL_CODES)


def is_beyond_the_end(error: BaseException) -> bool:
    """Whether a range was asked for that begins behind the last byte."""
    return bool(_codes(error) & {"InvalidRange", "416"})


def reason_of(error: BaseException, url: str, doing: Doing) -> str:
    """Why, for a person: one line, without secrets."""
    codes = _codes(error)
    if codes & _NO_BUCKET:
        return "there is no such bucket: make it first, or correct its name"
    if any(_is_named(each, _NO_CREDENTIALS) for each in _chain(error)):
        how = _CREDENTIALS.get(shared_scheme(url), "the store's own program")
        return f"no credentials were found that the store takes: give them by {how}"
    if bad := codes & _BAD_CREDENTIALS:
        return f"the store does not take the credentials ({min(bad)}): renew them"
    if isinstance(error, PermissionError) or codes & {"AccessDenied", "403"}:
        what = {"read": "reading", "written": "writing", "listed": "listing", "removed": "removing"}[doing]
        own = error.strerror if isinstance(error, OSError) and error.errno and error.__cause__ is None else None
        return f"{what} is not allowed " + (f"({own})" if own else "with these credentials")
    if codes & {"PermanentRedirect", "AuthorizationHeaderMalformed", "301", "IllegalLocationConstraintException"}:
        return "the bucket is in another region: name it in AWS_DEFAULT_REGION"
    if isinstance(error, NotImplementedError):
        return "this kind of place cannot do that"
    text = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return without_secrets(" ".join(text.split()))[:500]


def place_error(error: BaseException, url: str, doing: Doing) -> PlaceError:
    """The error that is raised instead of one of a disk's or a store's."""
    is_final = is_full(error) or isinstance(error, (PermissionError, NotImplementedError))
    is_final = is_final or bool(_codes(error) & (_NO_BUCKET | _BAD_CREDENTIALS | {"AccessDenied", "403"}))
    is_final = is_final or any(_is_named(each, _NO_CREDENTIALS) for each in _chain(error))
    kind = UnwritablePlaceError if doing == "written" and is_final else PlaceError
    return kind(f"{url} cannot be {doing}: {reason_of(error, url, doing)}")


def busy_in_words(error: BaseException) -> str:
    """What a store does by a transient error: `is busy (503 SlowDown)`, `does not answer (…)`."""
    for each in _chain(error):
        status, code = _status(each), _code(each)
        if status is not None or code is not None:
            words = dict.fromkeys(str(word) for word in (status, code) if word is not None)
            return f"is busy ({' '.join(words)})"
    return f"does not answer ({without_secrets(' '.join(str(error).split()))[:200] or type(error).__name__})"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what led to it, the first cause first: that one has the store's answer."""
    found: list[BaseException] = []
    at: BaseException | None = error
    while at is not None and at not in found:
        found.append(at)
        at = at.__cause__ or (None if at.__suppress_context__ else at.__context__)
    return reversed(found)


def _codes(error: BaseException) -> set[str]:
    return {word for each in _chain(error) for word in (_code(each), str(_status(each))) if word is not None}


def _status(error: BaseException) -> int | None:
    """The status of the answer that an error is about."""
    response: Any = getattr(error, "response", None)
    if isinstance(response, dict):
        found: Any = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    else:
        found = next((getattr(error, name, None) for name in ("status_code", "status") if hasattr(error, name)), None)
        found = found or getattr(response, "status_code", None)
        if found is None and _is_named(error, re.compile("HttpError")):
            found = getattr(error, "code", None)
    return found if isinstance(found, int) and 100 <= found < 600 else None


def _code(error: BaseException) -> str | None:
    """The store's own word for an error: `SlowDown`."""
    response: Any = getattr(error, "response", None)
    if isinstance(response, dict):
        code = response.get("Error", {}).get("Code")
        return None if code is None else str(code)
    code = getattr(error, "error_code", None)  # of azure
    return None if code is None else str(getattr(code, "value", code))


def _is_named(error: BaseException, names: re.Pattern[str]) -> bool:
    return any(names.fullmatch(each.__name__) for each in type(error).__mro__)
