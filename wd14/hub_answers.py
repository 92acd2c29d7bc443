"""Checks what a Hugging Face hub answers before the client believes it.

The client (huggingface_hub) names files of its cache after the answer's ETag and commit, as they come: `../` in them
leads out of the cache, and a file there is replaced.
"""

from __future__ import annotations

import re
from typing import Any

_ETAG = re.compile(r'(?:W/)?"?[A-Za-z0-9][\w.+=-]{0,127}"?', re.ASCII)

#: What the client takes file names from. Real ones are hashes in hexadecimal.
_NAMES = {
    "X-Repo-Commit": re.compile(r"[A-Za-z0-9][\w.-]{0,99}", re.ASCII),
    "X-Linked-Etag": _ETAG,
    "ETag": _ETAG,
}


class UntrustedAnswerError(ValueError):
    """An answer would make the client write outside its cache."""


def check_answers() -> None:
    """Has every answer checked that the client gets in this process from now on, whatever it is asked for.

    A client that the program around us has set up stays as it is otherwise.
    """
    import huggingface_hub
    from huggingface_hub.utils import _http

    # huggingface_hub >= 1 has one client of httpx, before that it had a session of requests for each thread.
    new = hasattr(huggingface_hub, "set_client_factory")
    factory = getattr(_http, "_GLOBAL_CLIENT_FACTORY" if new else "_GLOBAL_BACKEND_FACTORY")
    if not isinstance(factory, _Checking):
        install = huggingface_hub.set_client_factory if new else huggingface_hub.configure_http_backend
        install(_Checking(factory))


class _Checking:
    """Makes the client's connections, which check what comes."""

    def __init__(self, factory: Any) -> None:
        self._factory = factory

    def __call__(self) -> Any:
        client = self._factory()
        if hasattr(client, "event_hooks"):  # httpx
            hooks = client.event_hooks
            client.event_hooks = {**hooks, "response": [*hooks.get("response", ()), _check]}
        else:  # requests
            client.hooks["response"].append(_check)
        return client


def _check(response: Any, *_: Any, **__: Any) -> None:
    """Raises UntrustedAnswerError where a file would get a name that is none."""
    if "X-Repo-Commit" not in response.headers:
        return  # not about a file of a repository: the client takes no name from it
    for header, pattern in _NAMES.items():
        value = response.headers.get(header)
        if value is not None and not pattern.fullmatch(value):
            raise UntrustedAnswerError(f"its {header} is {value[:80]!r}, which names no file of the cache")
