"""Which files may be opened, and the reason that a person is given where one may not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.sources import put
from wd14.data.sources.confinement import Confinement
from wd14.errors import UnreadableImageError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="paths of POSIX")


@pytest.mark.parametrize("follow", [False, True])
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        *(("http://x/a.png", "is a URL"), ("file:///a.png", "is a URL"), ("DATA:image/png;base64,AA", "is a URL")),
        ("../secret.png", r"leads out of the dataset's folder with '\.\.'"),
    ],
)
def test_what_no_row_may_name(tmp_path: Path, text: str, reason: str, follow: bool) -> None:
    """Even where there is a file of that name."""
    put(tmp_path / "data" / text)
    confinement = Confinement(tmp_path / "data", follow_symlinks=follow)
    with pytest.raises(UnreadableImageError, match=reason):
        confinement.named_file(text, confinement.root, may_be_absolute=True)


def test_absolute_paths(tmp_path: Path) -> None:
    inside, outside = put(tmp_path / "data" / "a.png").resolve(), put(tmp_path / "data-2" / "a.png").resolve()
    strict, following = (Confinement(tmp_path / "data", follow_symlinks=follow) for follow in (False, True))
    with pytest.raises(UnreadableImageError, match="is an absolute path"):
        strict.named_file(str(inside), strict.root, may_be_absolute=False)
    assert strict.named_file(str(inside), strict.root, may_be_absolute=True) == inside
    with pytest.raises(UnreadableImageError, match="lies outside the dataset's folder"):
        strict.named_file(str(outside), strict.root, may_be_absolute=True)
    assert following.named_file(str(outside), following.root, may_be_absolute=False) == outside


def test_a_backslash_is_a_separator_only_where_there_is_no_such_file(tmp_path: Path) -> None:
    put(tmp_path / "sub" / "a.png")
    confinement = Confinement(tmp_path, follow_symlinks=False)
    assert confinement.named_file("sub\\a.png", confinement.root, may_be_absolute=False).parent.name == "sub"
    put(tmp_path / "sub\\a.png")
    assert confinement.named_file("sub\\a.png", confinement.root, may_be_absolute=False).name == "sub\\a.png"
