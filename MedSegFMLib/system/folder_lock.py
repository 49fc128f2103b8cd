"""A lock on an output folder, so that two runs at a time cannot lose each other's results.

The system releases the lock when the process ends, however it ends. `.lock` in the folder describes
the holder; a run that was killed leaves it, unlocked, and the next run on that computer takes it.
"""

from __future__ import annotations

import errno
import json
import os
import shlex
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from ..errors import OutputError
from . import unfinished

FILE = ".lock"
# File systems that have no locks.
_NOT_SUPPORTED = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EINVAL)
_LARGEST = 10_000
# The lock on Windows keeps other programs from reading the bytes that it is on.
_FAR_BYTE = 1 << 30
# The folders that this process has locked, with the thread that may lock them again.
_held: dict[Path, int] = {}
_descriptors: set[int] = set()


def _release_in_child() -> None:
    """A forked child, which may outlive this process, does not keep the lock."""
    for descriptor in _descriptors:
        os.close(descriptor)
    _descriptors.clear()
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_release_in_child)


@contextmanager
def folder_lock(folder: Path, advice: str) -> Iterator[None]:
    """Lock an existing folder during the block; the thread that holds it may lock it again.

    Args:
        folder: the folder.
        advice: the way out in the error message, such as "or choose another with --out".

    Raises:
        OutputError: another run holds it, which the message names, or it cannot be written.
    """
    key, thread = folder.resolve(), threading.get_ident()
    if _held.get(key) == thread:
        yield
        return
    path = key / FILE
    try:
        descriptor = _open_locked(path)
        if descriptor is None:
            raise _in_use(folder, path, advice)
    except OutputError:
        # That is an OSError too.
        raise
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written ({error.strerror or error}); check the folder's permissions "
            f"{advice}."
        ) from error
    try:
        holder = _holder(descriptor)
        if holder.get("host", socket.gethostname()) != socket.gethostname():
            # Locks of some network file systems hold on one computer only.
            raise _in_use(folder, path, advice)
        _describe_this_run(descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    _held[key] = thread
    _descriptors.add(descriptor)
    unfinished.add(str(path))
    try:
        yield
    finally:
        del _held[key]
        _descriptors.discard(descriptor)
        # Removed before it is unlocked: a run that waits finds that its file is not the folder's.
        with suppress(OSError):
            path.unlink()
        os.close(descriptor)
        # Windows removes closed files only.
        with suppress(OSError):
            if sys.platform == "win32":
                path.unlink()
        unfinished.discard(str(path))


def _open_locked(path: Path) -> int | None:
    """A descriptor of the locked file; None if another process has locked it."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            is_locked = _try_lock(descriptor)
            if is_locked and not _is_at(path, descriptor):
                # Its holder has just removed it.
                os.close(descriptor)
                continue
        except BaseException:
            os.close(descriptor)
            raise
        if is_locked:
            return descriptor
        os.close(descriptor)
        return None


def _try_lock(descriptor: int) -> bool:
    if sys.platform == "win32":
        import msvcrt

        os.lseek(descriptor, _FAR_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NOT_SUPPORTED:
            raise
        return not _is_running(_holder(descriptor))
    return True


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _is_running(holder: dict[str, str]) -> bool:
    """Whether the process that a lock file names may be running, without a lock to tell."""
    if not holder or holder.get("host") != socket.gethostname():
        return bool(holder)
    try:
        os.kill(int(holder.get("pid", "")), 0)
    except ProcessLookupError:
        return False
    except (OSError, ValueError, OverflowError):
        return True
    return int(holder["pid"]) != os.getpid()


def _describe_this_run(descriptor: int) -> None:
    holder = {
        "pid": str(os.getpid()),
        "host": socket.gethostname(),
        "command": shlex.join(sys.argv),
        "started": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
    }
    os.ftruncate(descriptor, 0)
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.write(descriptor, json.dumps(holder).encode())
    os.fsync(descriptor)


def _holder(descriptor: int) -> dict[str, str]:
    os.lseek(descriptor, 0, os.SEEK_SET)
    return _parsed(os.read(descriptor, _LARGEST))


def _parsed(content: bytes) -> dict[str, str]:
    """The holder in a lock file; empty if it is not described, or was cut off."""
    try:
        holder = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(holder, dict):
        return {}
    # Whatever it contains must fit in one line of a message.
    return {str(key): "".join(filter(str.isprintable, str(holder[key])))[:200] for key in holder}


def _in_use(folder: Path, path: Path, advice: str) -> OutputError:
    try:
        with path.open("rb") as stream:
            holder = _parsed(stream.read(_LARGEST))
    except OSError:
        holder = {}
    run = "another run"
    if holder:
        run = (
            f"the run '{holder.get('command')}' (process {holder.get('pid')} on "
            f"{holder.get('host')}, since {holder.get('started')})"
        )
    ended = ""
    if holder.get("host", socket.gethostname()) != socket.gethostname():
        ended = f", or remove {path} if that run has ended"
    return OutputError(f"The folder {folder} is in use by {run}; wait for it {advice}{ended}.")
