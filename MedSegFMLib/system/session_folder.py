"""A folder for each running application below one root, so that none touches another's files.

The folder is locked from its first use until its application ends, however that ends. A folder that
is not locked was left by one that ended unexpectedly: an orphan.
"""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack, suppress
from pathlib import Path
from secrets import token_hex
from time import strftime, time

from ..errors import OutputError
from .folder_lock import FILE, folder_lock

# Orphans hold data of patients; older ones are not expected to be recovered.
_KEPT_SECONDS = 30 * 24 * 3600
_ADVICE = "or end that application"
# The folders that this process uses: its own locks do not keep it out.
_used: set[Path] = set()


class SessionFolder:
    """The folder of this application; it is made when it is claimed.

    Args:
        root: The folder that holds those of all applications of a user.

    Attributes:
        path: The folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self.path = root / f"{strftime('%Y%m%d-%H%M%S')}-{os.getpid()}-{token_hex(4)}"
        self._lock = ExitStack()

    def claim(self) -> None:
        """Make and lock the folder, once.

        Raises:
            OSError: It cannot be written.
        """
        if self.path in _used:
            return
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock.enter_context(folder_lock(self.path, _ADVICE))
        _used.add(self.path)

    def release(self) -> None:
        """Unlock the folder and leave its files: from now on it is an orphan."""
        _used.discard(self.path)
        self._lock.close()

    def remove(self) -> None:
        """Delete the folder with its files, and no other."""
        self.release()
        shutil.rmtree(self.path, ignore_errors=True)

    def orphans(self) -> list[Path]:
        """The folders of applications that ended unexpectedly; those a month old are deleted."""
        with suppress(OSError):
            folders = [path for path in self._root.iterdir() if path.is_dir()]
            return [path for path in folders if self._is_orphan(path)]
        return []

    def _is_orphan(self, folder: Path) -> bool:
        if folder == self.path or folder in _used:
            return False
        try:
            saved_at = _last_change(folder)
            with folder_lock(folder, _ADVICE):
                is_old = time() - saved_at > _KEPT_SECONDS
        except OSError:
            # It is in use, or of another user.
            return False
        if is_old:
            shutil.rmtree(folder, ignore_errors=True)
        return not is_old


def _last_change(folder: Path) -> float:
    """When a file below a folder was changed last; locking it changes the folder itself."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != FILE]
    return max((path.stat().st_mtime for path in files), default=folder.stat().st_mtime)


def take_orphan(path: Path, lock: ExitStack) -> None:
    """Lock an orphan, so that two applications do not take the same one.

    Args:
        path: The orphan.
        lock: Gets the lock; closing it releases the orphan.

    Raises:
        OutputError: Another application has taken it.
    """
    if path in _used:
        raise OutputError(f"The folder {path} is in use by this application; choose another.")
    lock.enter_context(folder_lock(path, _ADVICE))
