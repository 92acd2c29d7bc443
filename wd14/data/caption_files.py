"""A picture's caption file, the text file beside it: its name, its text, and replacing it so that no text is lost."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from pathlib import Path

from wd14.data.partial_folder import write_new_file
from wd14.data.sources.confinement import Confinement
from wd14.data.sources.values import decode_text
from wd14.errors import CaptionFileExistsError, RowError, UnreadableImageError
from wd14.text import printable

#: Extension of a caption file that is being written.
TEMPORARY = ".wd14-caption"

#: Bytes of a caption file; a longer one is no caption.
_LARGEST = 1 << 20
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
#: The errors of making a hard link on filesystems that have none.
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES, errno.EMLINK}


def caption_file(picture: str | Path, extension: str) -> str:
    """The path of a picture's caption file. As text: this is done for every row."""
    return os.path.splitext(picture)[0] + extension  # noqa: PTH122 - Path.with_suffix refuses names such as "a."


def read_caption_file(path: str, files: Confinement) -> bytes | None:
    """The bytes of a caption file; None = there is none.

    Raises:
        UnreadableImageError: there is one that cannot be read.
    """
    if not files.exists(path):
        return None
    try:
        with files.open(files.found_file(Path(path))) as file:
            data = file.read(_LARGEST + 1)
        if len(data) > _LARGEST:
            raise UnreadableImageError("it is over 1 MiB")
    except (OSError, RowError) as error:
        raise _unreadable(path, error) from error
    return data


def caption_in(data: bytes, path: str) -> str | None:
    """The caption that the bytes of a file hold; None = it is empty.

    Raises:
        UnreadableImageError: they are no text.
    """
    try:
        return decode_text(data).strip() or None
    except UnicodeDecodeError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: str, error: Exception) -> UnreadableImageError:
    reason = getattr(error, "strerror", None) or error
    return UnreadableImageError(f"its caption file {_shown(path)} cannot be read: {reason}")


def create(path: Path, data: bytes) -> None:
    """Writes a new caption file; it gets its name when it is complete.

    Raises:
        FileExistsError: there is one by now.
        OSError: it cannot be written.
    """
    temporary = _temporary(path)
    try:
        write_new_file(str(temporary), data)
        _rename_without_replacing(temporary, path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def replace(path: Path, before: bytes, after: bytes, files: Confinement) -> None:
    """Gives a caption file a new text, that of a link to its target; its permissions and its other names stay.

    A file with one name is replaced by a complete one, in one step. A file with several names (hard links) has to keep
    its place on the disk, where a run that is killed could leave it half written. So there only the blanks at its end
    are overwritten: nothing of its text is ever missing, and a text that must change before its end is refused.

    Args:
        path: the file, or a link to it.
        before: its bytes as they were read; when they changed since, the file is left alone.
        after: its bytes from now on.
        files: says where a link may lead.

    Raises:
        CaptionFileExistsError: it was left alone; the message says why.
        UnreadableImageError: it cannot be read any more.
        OSError: it cannot be written; its text is as it was.
    """
    target = _target(path, files)
    try:
        has_more_names = target.stat().st_nlink > 1
    except FileNotFoundError as error:
        raise _changed(path) from error
    if has_more_names:
        _write_tail(target, path, before, after)
        return
    temporary = _temporary(target)
    try:
        # On the disk before the old text is gone: a disk may say only then that it is full.
        write_new_file(str(temporary), after, durable=True)
        _take_over_permissions(target, temporary)
        if read_caption_file(str(path), files) != before:
            raise _changed(path)
        temporary.replace(target)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def left_alone(path: Path, why: str) -> CaptionFileExistsError:
    """The error for a caption file that was left alone: `a.txt is there already, and was left alone`."""
    return CaptionFileExistsError(f"{_shown(path)} {why}, and was left alone")


def _changed(path: Path) -> CaptionFileExistsError:
    return left_alone(path, "was changed since its caption was read")


def _shown(path: str | Path) -> str:
    return printable(os.path.basename(path))  # noqa: PTH119


def _temporary(path: Path) -> Path:
    return path.with_name(f".{secrets.token_hex(8)}{TEMPORARY}")


def _target(path: Path, files: Confinement) -> Path:
    """The file itself, with links followed. In the hub's cache they lead to files that are not the dataset's own."""
    if not path.is_symlink():
        return path
    target = Path(os.path.realpath(path))
    if not files.follow_symlinks and not target.is_relative_to(files.root):
        raise left_alone(path, "leads out of the dataset's folder (see Follow Links, follow_symlinks)")
    return target


def _take_over_permissions(source: Path, new: Path) -> None:
    there, ours = source.stat(), new.stat()
    # Only root may give a file to another user; and filesystems without permissions may refuse to set any.
    if there.st_gid != ours.st_gid:
        with contextlib.suppress(PermissionError):
            os.chown(new, -1, there.st_gid)
    if there.st_uid != ours.st_uid:
        with contextlib.suppress(PermissionError):
            os.chown(new, there.st_uid, -1)
    with contextlib.suppress(PermissionError):
        shutil.copystat(source, new)
    os.utime(new)  # it did change


def _write_tail(target: Path, path: Path, before: bytes, after: bytes) -> None:
    kept = before.rstrip()
    head = kept.removeprefix(_BYTE_ORDER_MARK).lstrip()
    if not after.startswith(head):
        raise left_alone(path, "has several names (hard links) and its text would change before its end")
    try:
        file = target.open("r+b", buffering=0)
    except PermissionError as error:
        raise left_alone(path, "has several names (hard links) and may not be written") from error
    with file:
        if file.read(_LARGEST + 1) != before:
            raise _changed(path)
        try:
            _write_at(file.fileno(), len(kept), after[len(head) :])
        except BaseException:
            with contextlib.suppress(OSError):
                _write_at(file.fileno(), len(kept), before[len(kept) :])
            raise


def _write_at(handle: int, start: int, data: bytes) -> None:
    """Makes `data` the end of a file, from byte `start` on, and waits until it is on the disk."""
    os.lseek(handle, start, os.SEEK_SET)
    done = 0
    while done < len(data):
        done += os.write(handle, data[done:])
    os.ftruncate(handle, start + len(data))
    os.fsync(handle)


def _rename_without_replacing(temporary: Path, target: Path) -> None:
    """Gives a file its name, unless a file has it.

    Raises:
        FileExistsError: a file has it.
        OSError: it cannot be renamed.
    """
    try:
        os.link(temporary, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from error
        temporary.rename(target)
