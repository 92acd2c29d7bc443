"""The data of a page in which every field that a dataset can fill tries to become markup, a script or an address."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from wd14.review.candidates import Candidates
from wd14.review.page_data import PageContents, Words, page_data
from wd14.review.page_rows import PageRow, PageRows
from wd14.types import Labels, Status

#: Each sets `window.hit` where it comes to life.
HOSTILE = (
    "</script><script>window.hit = 1</script>",
    "</style><script>window.hit = 2</script>",
    "<!--<script>window.hit = 3//",
    '<img src="x" onerror="window.hit = 4">',
    '"><svg onload="window.hit = 5">',
    "' onmouseover='window.hit = 6' onfocus='window.hit = 6' autofocus='",
    "javascript:window.hit=7",
    "javascript:window.hit=8//%0awindow.hit=8",
    '<a href="javascript:window.hit=9" style="position:fixed;inset:0">click</a>',
    "<style>*{display:none}</style>",
    '<iframe srcdoc="<script>parent.hit = 10</script>"></iframe>',
    "<meta http-equiv=refresh content='0;url=http://example.org/hit'>",
    "<base href=http://example.org/>",
    "${window.hit = 11}",
    "{{script}}{{data}}",
    "&lt;script&gt;&amp;quot;",
    "\u202egnp.txet\u2066\u2067\u200f",
    "\ud800 half a character \udfff",
    "lines\u2028of\u2029all\r\nkinds\tand \x00\x1b[31m\x7f",
    "__proto__",
    "constructor",
    "toString",
    "..\\..\\../../../etc/passwd#?%2e%2e",
    "http://example.org/hit.png",
    "//example.org/hit.png",
    "data:text/html,<script>window.hit=12</script>",
    "\U0001f469\u200d\U0001f3a8\u0301\u0301\u0301" * 5,
    "x" * 10_000,
    "word " * 2_000,
    "(" * 500 + "-OR\"'*",
)
#: In the place of a tag's name: no commas, as in a label file.
TAGS = tuple(each.replace(",", ";") for each in HOSTILE)


def hostile_data() -> dict[str, Any]:
    """A page of one row for each hostile text, and one that is harmless; each text is in every field somewhere."""
    labels = Labels(
        names=("harmless", *TAGS, "general"),
        categories=("general", *(("general", "character")[place % 2] for place in range(len(TAGS))), "rating"),
        counts=(1,) * (len(TAGS) + 2),
    )
    texts = tuple(dict.fromkeys(name.strip() for name in labels.names))
    words = Words(labels, [(texts.index(name.strip()),) for name in labels.names])
    rows = PageRows(", ", texts, Candidates(labels))
    for number, text in enumerate(("harmless.png", *HOSTILE)):
        rows.add(_row(number, text, len(labels)))
    contents = PageContents(
        dataset={
            **dict.fromkeys(
                ("name", "made_by", "made_at", "source", "model", "caption_column"), " ".join(HOSTILE[:10])
            ),
            "folder": "../",
            "options": "; ".join(HOSTILE),
            "command": " ".join(HOSTILE),
        },
        mark=HOSTILE[0],
        separator=", ",
        triggers=[HOSTILE[3]],
        words=words,
        rules_missing=" ".join(HOSTILE[:6]),
        plan=_plan(),
        findings=[
            {
                "rule": text,
                "severity": ("error", "warning", "info")[place % 3],
                "reason": text,
                "advice": text,
                "rows": [1, 2],
            }
            for place, text in enumerate(HOSTILE)
        ],
        edits=[
            *({"op": "add", "tag": text, "rows": "all"} for text in HOSTILE[:8]),
            *({"op": "replace", "tag": text, "with": text, "rows": [_sha(1)]} for text in HOSTILE[8:]),
            *({"op": "set", "caption": text, "rows": [_sha(number)]} for number, text in enumerate(HOSTILE[:6], 3)),
            {"op": "reject", "rows": [_sha(12)]},
        ],
        thumbnails=[],
    )
    return page_data(rows, contents)


def _sha(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def _row(number: int, text: str, tags: int) -> PageRow:
    scores = np.linspace(0.9, 0.1, tags, dtype=np.float32)
    is_failed = number % 7 == 6
    return PageRow(
        source=text,
        status=Status.FAILED if is_failed else Status.CAPTIONED,
        name=None if is_failed else text,
        digest=bytes.fromhex(_sha(number)),
        caption="" if is_failed else ", ".join(["harmless", text, *TAGS[:12]]),
        before=text,
        reason=text if is_failed else None,
        notes=[text, HOSTILE[0]],
        scores=None if is_failed else np.roll(scores, number),
        size=(640, 480),
    )


def _plan() -> dict[str, Any]:
    decided = [
        {
            "tag": text,
            "decision": ("folded", "dropped", "kept", "asked")[place % 4],
            "rule": text,
            "reason": text,
            "family": text,
            "rows": 3,
            "frequency": 0.5,
            "soft_frequency": 0.5,
            "lift": 2.0,
        }
        for place, text in enumerate(TAGS)
    ]
    differing = [{"name": text, "lacks": [text], "instead": [text], "reason": text} for text in HOSTILE]
    return {
        "version": 1,
        "purpose": HOSTILE[0],
        "trigger_words": [HOSTILE[1]],
        "notes": list(HOSTILE),
        "decisions": decided,
        "differing": differing,
        "differing_in_all": len(differing),
    }
