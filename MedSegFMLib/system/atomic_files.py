"""Output files and folders that are written whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex

from ..errors import MedSegFMError, OutputError


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

    If the block fails, the incomplete file is removed and an existing `path` is unchanged.

    Raises:
        OutputError: the file system reports an error.
    """
    target = Path(path)
    check_writable(target)
    # Writers choose the format by the ending, in lower case; the whole name could be too long with
    # a prefix.
    beside = target.with_name(f".tmp-{token_hex(8)}-{target.name[-16:].lower()}")
    try:
        yield beside
        beside.replace(target)
    except OSError as error:
        raise OutputError(
            f"{target} could not be written ({error.strerror or error}); free some space or "
            "choose another folder."
        ) from error
    finally:
        with suppress(OSError):
            beside.unlink()


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a new temporary folder beside `path`, which is renamed to `path` after the block.

    An existing `path` is deleted then. If the block fails, the incomplete folder is removed and an
    existing one is unchanged.

    Raises:
        OutputError: the file system reports an error.
    """
    beside = path.with_name(f".tmp-{token_hex(8)}")
    earlier = path.with_name(f".tmp-{token_hex(8)}")
    try:
        beside.mkdir()
        yield beside
        if path.exists():
            path.replace(earlier)
        beside.replace(path)
    except MedSegFMError:
        # Some of these are OSErrors too.
        raise
    except OSError as error:
        if earlier.exists():
            earlier.replace(path)
        raise OutputError(
            f"{path} could not be written ({error.strerror or error}); free some space or choose "
            "another folder."
        ) from error
    finally:
        for leftover in (beside, earlier):
            shutil.rmtree(leftover, ignore_errors=True)


def write_text(path: Path | str, text: str) -> None:
    """Write `text` to `path` as UTF-8, whole or not at all."""
    with atomic_path(path) as beside:
        beside.write_text(text, encoding="utf-8")
