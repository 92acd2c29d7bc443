"""A dataset of the hub as a place: its commit, and which of its files a configuration and a split mean."""

from __future__ import annotations

import inspect
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from wd14.data.sources.huggingface import HubId
from wd14.data.sources.splits import choose_splits, in_usual_order
from wd14.errors import SourceError, SourceNotFoundError
from wd14.hub_answers import check_answers
from wd14.text import printable
from wd14.types import Log

_URL = re.compile(
    r"hf://datasets/(?P<repo>[^/@:]+/[^/@:]+)(?:@(?P<revision>refs/(?:convert|pr)/[^/:]+|[^/:]+))?"
    r"(?P<path>/[^:]*)?(?::(?P<config>.+))?"
)


@dataclass(frozen=True)
class HubSource:
    """A dataset of the hub, or a part of it, at a commit."""

    url: str  #: what fsspec opens: `hf://datasets/owner/name@<commit>`, and a path
    name: str
    #: the files that belong to the configuration and the split, by their paths; None = all that are there
    files: Collection[str] | None = None


def hub_source(source: str, split: str, *, log: Log) -> HubSource:
    """Finds a dataset's commit and files. None of its code is run, and only its description is fetched.

    Args:
        source: an id (`owner/name`, `owner/name@revision:configuration`) or a URL (`hf://datasets/owner/name/folder`).
        split: the parameter Split.
        log: is told what is read.

    Raises:
        SourceNotFoundError: there is no such dataset or revision, it is private, or the hub cannot be reached.
        SourceError: it cannot be read.
        SplitNotFoundError: it has no such split.
    """
    hub_id, path = _parsed(source)
    commit = _commit(hub_id)
    log(f"Reading {hub_id.repo} at the commit {commit[:12]}")
    url = f"hf://datasets/{hub_id.repo}@{commit}"
    if path:
        return HubSource(url + path, path.rpartition("/")[2])
    return HubSource(url, hub_id.name, _files(hub_id, commit, split, url, log))


def _parsed(source: str) -> tuple[HubId, str]:
    """The id, and the path in the dataset."""
    hub_id = HubId.parse(source)
    if hub_id is not None:
        return hub_id, ""
    match = _URL.fullmatch(source)
    if match is None:
        raise SourceNotFoundError(
            f"{printable(source)} is no dataset of the hub: expected OWNER/NAME or hf://datasets/OWNER/NAME"
        )
    revision, config = match["revision"], match["config"]
    hub_id = HubId(match["repo"], unquote(revision) if revision else None, config)
    return hub_id, (match["path"] or "").rstrip("/")


def _commit(hub_id: HubId) -> str:
    import huggingface_hub
    from huggingface_hub import errors

    check_answers()
    shown = hub_id.repo + (f"@{hub_id.revision}" if hub_id.revision else "")
    try:
        commit = huggingface_hub.HfApi().dataset_info(hub_id.repo, revision=hub_id.revision).sha
    except errors.GatedRepoError as error:
        reason = "its owner grants access to it: ask on its page, and set HF_TOKEN"
        raise SourceNotFoundError(f"the hub's dataset {shown} cannot be read: {reason}") from error
    except errors.RepositoryNotFoundError as error:
        reason = "is not there, or is private: then set HF_TOKEN to a token that may read it"
        raise SourceNotFoundError(f"the hub's dataset {shown} {reason}") from error
    except errors.RevisionNotFoundError as error:
        raise SourceNotFoundError(f"the hub's dataset {hub_id.repo} has no revision {hub_id.revision}") from error
    except errors.OfflineModeIsEnabled as error:
        reason = "the hub's client is set to work offline (HF_HUB_OFFLINE): download it, and give its folder"
        raise SourceNotFoundError(f"the hub's dataset {shown} cannot be listed: {reason}") from error
    except errors.HFValidationError as error:
        raise SourceNotFoundError(f"{printable(shown)} is no dataset of the hub: {_reason(error)}") from error
    except Exception as error:
        raise SourceError(f"the hub's dataset {shown} could not be reached: {_reason(error)}") from error
    if not commit or not re.fullmatch(r"[0-9a-f]{40,64}", commit):
        raise SourceError(f"the hub names no commit of its dataset {shown}")
    return commit


def _files(hub_id: HubId, commit: str, split: str, url: str, log: Log) -> Collection[str] | None:
    """The files that `datasets` reads for a configuration and a split; None where it knows of none: then all count."""
    import datasets

    options: dict[str, Any] = {"revision": commit}
    if "trust_remote_code" in inspect.signature(datasets.load_dataset_builder).parameters:
        options["trust_remote_code"] = False  # before datasets 4, leaving it out asks on the terminal
    try:
        builder = datasets.load_dataset_builder(hub_id.repo, hub_id.config, **options)
        data_files = builder.config.data_files
    except Exception as error:
        if hub_id.config is not None:
            what = f"configuration {printable(hub_id.config)} of the hub's dataset {hub_id.repo}"
            raise SourceError(f"the {what} cannot be read: {_reason(error)}") from error
        log(f"`datasets` cannot tell the files of {hub_id.repo} ({_reason(error)}): all its files are looked over")
        return None
    if not data_files:
        return None
    found = in_usual_order({str(name): None for name in data_files})
    chosen = choose_splits(found, split)
    unread = [printable(name) for name in found if name not in chosen]
    if unread:
        log(f"Reading the split {', '.join(chosen)}; not read: {', '.join(unread[:20])} (split=all reads every one)")
    files = {str(file) for name in chosen for file in data_files[name]}
    foreign = next((file for file in files if not file.startswith(url + "/")), None)
    if foreign is not None:
        raise SourceError(f"the hub's dataset {hub_id.repo} keeps its files elsewhere, such as {printable(foreign)}")
    return {file[len(url) + 1 :] for file in files}


def _reason(error: Exception) -> str:
    return printable(" ".join(str(error).split())[:400]) or type(error).__name__
