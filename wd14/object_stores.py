"""Object stores by way of fsspec: opening one, and listing it page by page."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from wd14.errors import CaptionerError, PlaceError
from wd14.patience import patiently
from wd14.place_errors import has_secret, is_missing, place_error, shared_scheme, without_secrets

#: What to install, by scheme.
_PACKAGES = {"s3": '"wd14-captioner[scale]"', "gs": "gcsfs", "az": "adlfs", "hf": "huggingface_hub"}
#: Names in a page of a listing; S3 gives no more.
_PAGE = 1000
#: Of a request to S3: those above it try again, and say so.
_TRIES = 2


@dataclass(frozen=True, slots=True)
class FoundAt:
    """A file below a place."""

    relative: str  #: path from the place, parts joined with "/"; a folder's ends with one
    size: int  #: bytes
    stamp: str  #: another one when the file has changed: its ETag, or its time of modification in nanoseconds


_opened: dict[tuple[int, str], Any] = {}
_opening = threading.Lock()


def check_url(url: str) -> None:
    """Refuses URLs that would show a secret wherever they are said, and those that name no store.

    Raises:
        PlaceError: what is wrong.
    """
    if has_secret(url):
        how = "give credentials as the store's own programs take them (environment, configuration), not in the URL"
        raise PlaceError(f"{without_secrets(url)} holds a secret: {how}")
    scheme, _, rest = url.partition("://")
    if "::" in url or not scheme or not rest.partition("/")[0]:
        raise PlaceError(f"{url} is no place: expected a path or a URL such as s3://bucket/folder")


def filesystem(url: str) -> Any:
    """The filesystem of fsspec that a URL is on: one for each bucket in a process.

    Raises:
        PlaceError: nothing that is installed knows such URLs.
    """
    root = "/".join(url.split("/")[:3])
    with _opening:
        key = os.getpid(), root
        if key not in _opened:
            _opened[key] = _open(root)
        return _opened[key]


def _open(root: str) -> Any:
    import fsspec

    scheme = shared_scheme(root)
    options: dict[str, Any] = {"skip_instance_cache": True}
    if scheme == "s3":
        more = fsspec.config.conf.get("s3", {}).get("config_kwargs", {})
        options |= {"config_kwargs": {"retries": {"total_max_attempts": _TRIES}, "max_pool_connections": 64, **more}}
    if scheme in ("s3", "gs", "az"):
        options["use_listings_cache"] = False
    try:
        system = fsspec.core.url_to_fs(root, **options)[0]
    except ImportError as error:
        package = _PACKAGES.get(scheme)
        what = f"pip install {package}" if package else str(error)
        raise PlaceError(f"{root} needs a package that is not installed: {what}") from error
    except Exception as error:
        known = "expected a path, s3://, gs://, az:// or hf://"
        if isinstance(error, ValueError) and "rotocol" in str(error):
            raise PlaceError(f"{root} is of no kind that is known: {known}") from error
        raise place_error(error, root, "read") from error
    if scheme == "s3":
        system.retries = 1
    return system


def found_at(relative: str, details: dict[str, Any]) -> FoundAt:
    """A file as its store describes it."""
    names = ("ETag", "etag", "blob_id", "mtime", "last_modified", "LastModified", "created")
    stamp = next((str(details[name]) for name in names if details.get(name)), "")
    return FoundAt(relative, int(details.get("size") or details.get("Size") or 0), stamp.strip('"'))


def entries(url: str, system: Any, path: str) -> Iterator[FoundAt]:
    """What is in a folder, folders with a "/" at their end; nothing where there is none.

    Raises:
        PlaceError: it cannot be listed.
    """
    prefix = path.rstrip("/") + "/"
    if hasattr(system, "call_s3"):
        yield from _s3_pages(url, system, prefix, delimiter="/")
        return

    def listed() -> list[dict[str, Any]]:
        system.invalidate_cache()
        return list(system.ls(path, detail=True))

    for each in _asked(url, listed, default=[]):
        name = each["name"].rstrip("/")
        if len(name) > len(prefix):  # else the folder itself
            is_folder = each["type"] == "directory"
            yield found_at(name.rpartition("/")[2] + ("/" if is_folder else ""), each)


def all_files(url: str, system: Any, path: str) -> Iterator[FoundAt]:
    """Every file below a folder, in the order of their paths.

    On S3 a page of 1,000 is held at a time; elsewhere the largest folder is.

    Raises:
        PlaceError: it cannot be listed.
    """
    if hasattr(system, "call_s3"):
        yield from _s3_pages(url, system, path.rstrip("/") + "/", delimiter="")
        return
    yield from _walk(url, system, path, "")


def _walk(url: str, system: Any, path: str, below: str) -> Iterator[FoundAt]:
    # A folder's name counts with its "/": only so the order is that of the whole paths.
    for each in sorted(entries(url, system, path), key=lambda found: found.relative):
        if each.relative.endswith("/"):
            name = each.relative.rstrip("/")
            yield from _walk(url, system, f"{path.rstrip('/')}/{name}", f"{below}{name}/")
        else:
            yield FoundAt(below + each.relative, each.size, each.stamp)


def _s3_pages(url: str, system: Any, prefix: str, *, delimiter: str) -> Iterator[FoundAt]:
    bucket, key = _bucket_and_folder(system, prefix)
    asked: dict[str, Any] = {"Bucket": bucket, "Prefix": key, "Delimiter": delimiter, "MaxKeys": _PAGE}
    page: dict[str, Any] = {"NextContinuationToken": None}
    while "NextContinuationToken" in page:
        token = page["NextContinuationToken"]
        more = {} if token is None else {"ContinuationToken": token}
        page = _asked(url, lambda more=more: system.call_s3("list_objects_v2", **asked, **more), default={})
        for each in page.get("CommonPrefixes", ()):
            yield FoundAt(each["Prefix"][len(asked["Prefix"]) :], 0, "")
        for each in page.get("Contents", ()):
            relative = each["Key"][len(asked["Prefix"]) :]
            if relative and not relative.endswith("/"):  # else what consoles put in place of a folder
                yield found_at(relative, each)


def _asked(url: str, call: Any, *, default: Any) -> Any:
    try:
        return patiently(url, call)
    except CaptionerError:
        raise
    except Exception as error:
        if is_missing(error):
            return default
        raise place_error(error, url, "listed") from error


def _bucket_and_folder(system: Any, path: str) -> tuple[str, str]:
    """The bucket of a path, and what the keys below it begin with."""
    bucket, key, _ = system.split_path(path.rstrip("/"))
    # With its "/", which older clients would take away: the folder "a" does not hold "ab", and not itself.
    return bucket, f"{key}/" if key else ""


def clear_uploads(url: str, system: Any, path: str) -> int:
    """Ends the uploads in parts that killed writers left below a folder on S3; returns how many."""
    if not hasattr(system, "call_s3"):
        return 0
    bucket, key = _bucket_and_folder(system, path)
    call = system.call_s3
    found = _asked(url, lambda: call("list_multipart_uploads", Bucket=bucket, Prefix=key), default={})
    uploads = found.get("Uploads", ())
    for each in uploads:
        what = {"Bucket": bucket, "Key": each["Key"], "UploadId": each["UploadId"]}
        _asked(url, lambda what=what: call("abort_multipart_upload", **what), default={})
    return len(uploads)
