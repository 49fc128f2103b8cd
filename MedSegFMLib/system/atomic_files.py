"""Output files and folders that are written whole or not at all.

Every file of this project is written here: beside its place, flushed to the disk, then renamed.
A failure keeps an earlier file.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from secrets import token_hex

from ..errors import MedSegFMError, OutputError
from . import unfinished

# The way out by the kind of failure; for other kinds that of a full disk.
_NO_PERMISSION = (errno.EACCES, errno.EPERM, errno.EROFS)
_ADVICE = "free some space or choose another folder"
# Network file systems and Windows cannot flush everything.
_NOT_SUPPORTED = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EBADF)
_PROBE_BYTES = 1 << 20


def check_writable(path: Path) -> None:
    """Check that a file can be written, before computing its contents.

    Raises:
        OutputError: it cannot.
    """
    try:
        folder = path.resolve().parent
        folder_exists, is_folder = folder.is_dir(), path.is_dir()
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written ({error.strerror}); choose another name or folder."
        ) from error
    if not folder_exists:
        raise OutputError(f"The folder {folder} does not exist; create it or choose another.")
    if is_folder:
        raise OutputError(f"{path} is a folder; give the name of a file in it.")
    if not os.access(folder, os.W_OK):
        raise OutputError(f"The folder {folder} cannot be written to; choose another.")


def make_folder(path: Path, advice: str) -> None:
    """Create a folder and its parents if they do not exist.

    Args:
        path: the folder.
        advice: the way out in the error message, such as "name another as out=".

    Raises:
        OutputError: the folder cannot be created.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"The folder {path} cannot be created ({error.strerror or error}); {advice}."
        ) from error


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside `path`, which is renamed to `path` after the block.

    The file is flushed to the disk before it gets its name. If the block fails or leaves no file or
    an empty one, the incomplete file is removed and an existing `path` is unchanged.

    Raises:
        OutputError: the file system reports an error, or the file is empty.
    """
    target = Path(path)
    check_writable(target)
    # Writers choose the format by the ending, in lower case; the whole name could be too long with
    # a prefix.
    beside = target.with_name(f".tmp-{token_hex(8)}-{target.name[-16:].lower()}")
    unfinished.add(str(beside))
    try:
        yield beside
        if not beside.stat().st_size:
            raise incomplete_file(beside, _PROBE_BYTES)
        _flush(beside)
        beside.replace(target)
        _flush(target.parent)
    except MedSegFMError:
        # Some of these are OSErrors too.
        raise
    except OSError as error:
        raise _not_written(target, error) from error
    finally:
        with suppress(OSError):
            beside.unlink()
        unfinished.discard(str(beside))


def remove_leftovers(folder: Path) -> None:
    """Remove the incomplete files of processes that were killed; for a folder that is locked."""
    for path in folder.glob(f".tmp-{'[0-9a-f]' * 16}-*"):
        with suppress(OSError):
            path.unlink()


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a new temporary folder beside `path`, which is renamed to `path` after the block.

    Its files are flushed to the disk before it gets its name. An existing `path` is deleted then.
    If the block fails, the incomplete folder is removed and an existing one is unchanged.

    Raises:
        OutputError: the file system reports an error.
    """
    beside = path.with_name(f".tmp-{token_hex(8)}")
    earlier = path.with_name(f".tmp-{token_hex(8)}")
    try:
        beside.mkdir()
        yield beside
        for part in (*beside.rglob("*"), beside):
            _flush(part)
        if path.exists():
            path.replace(earlier)
        beside.replace(path)
        _flush(path.parent)
    except MedSegFMError as error:
        # Some of these are OSErrors too. One about a file in `beside` names `path` instead.
        if isinstance(error, OutputError) and isinstance(error.__cause__, OSError):
            raise _not_written(path, error.__cause__) from error
        raise
    except OSError as error:
        if earlier.exists():
            earlier.replace(path)
        raise _not_written(path, error) from error
    finally:
        for leftover in (beside, earlier):
            shutil.rmtree(leftover, ignore_errors=True)


def write_text(path: Path | str, text: str) -> None:
    """Write `text` to `path` as UTF-8, whole or not at all."""
    write_bytes(path, text.encode())


def write_bytes(path: Path | str, content: bytes) -> None:
    """Write `content` to `path`, whole or not at all."""
    with atomic_path(path) as beside:
        beside.write_bytes(content)
        if beside.stat().st_size != len(content):
            raise incomplete_file(beside, len(content))


def append_text(path: Path, text: str) -> None:
    """Append `text` to a file as UTF-8 and flush it to the disk; a failure leaves the earlier text.

    Raises:
        OutputError: the text cannot be appended.
    """
    try:
        # Unbuffered, so that a full disk raises at a write and not again when the file is closed.
        with path.open("ab", buffering=0) as stream:
            size = stream.tell()
            try:
                _write_all(stream, text.encode())
                _flush_open(stream.fileno())
            except OSError:
                with suppress(OSError):
                    stream.truncate(size)
                raise
    except OSError as error:
        raise _not_written(path, error) from error


def incomplete_file(path: Path, size: int) -> OSError:
    """Why a writer left an incomplete file without an error, as far as the system reports it.

    Args:
        path: the incomplete file, to which more is written.
        size: its approximate size in bytes if it were complete.
    """
    try:
        with path.open("ab", buffering=0) as stream:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(stream.fileno(), 0, max(size, _PROBE_BYTES))
            _write_all(stream, bytes(_PROBE_BYTES))
            _flush_open(stream.fileno())
    except OSError as error:
        return error
    return OSError("the file is incomplete")


def _write_all(stream: FileIO, content: bytes) -> None:
    remaining = memoryview(content)
    while remaining:
        remaining = remaining[stream.write(remaining) :]


def _flush(path: Path) -> None:
    """Flush a file, or the names in a folder, to the disk."""
    if path.is_dir() and os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        _flush_open(descriptor)
    finally:
        os.close(descriptor)


def _flush_open(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NOT_SUPPORTED:
            raise


def _not_written(path: Path, error: OSError) -> OutputError:
    advice = _ADVICE
    if error.errno in _NO_PERMISSION:
        advice = "check the permissions or choose another folder"
    elif error.errno == errno.EFBIG:
        advice = "raise the limit on the size of a file (ulimit -f) or choose another folder"
    reason = error.strerror or error
    return OutputError(f"{path} could not be written ({reason}); {advice}.")
