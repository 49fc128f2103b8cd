"""SHA-256 checksums of files and folders, and those recorded in `<name>.sha256` beside them."""

from __future__ import annotations

import hashlib
from glob import escape
from pathlib import Path

from ..errors import WeightsError
from ..progress import Progress, no_progress, parts_of
from ..system.atomic_files import write_text
from ..system.regular_files import check_regular_file

# Large, since between two chunks a thread may have to wait for Python's lock.
_CHUNK_BYTES = 1 << 24


def sha256_of(path: Path, progress: Progress = no_progress) -> str:
    """The SHA-256 of a file, which is read in chunks, or of a folder.

    For a folder it is the SHA-256 of the lines that `sha256sum` prints for all files in it, sorted
    by their relative path.

    Raises:
        WeightsError: a file cannot be read.
    """
    if path.is_dir():
        return _sha256_of_folder(path, progress)
    check_regular_file(path, WeightsError)
    digest = hashlib.sha256()
    try:
        size, done = path.stat().st_size, 0
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
                done += len(chunk)
                progress(min(done / size, 1.0) if size else 1.0, "Checking the file")
    except OSError as error:
        raise WeightsError(
            f"The weights {path} cannot be read ({error.strerror or error}); check the path."
        ) from error
    return digest.hexdigest()


def _sha256_of_folder(folder: Path, progress: Progress) -> str:
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    parts = parts_of(progress, len(names))
    lines = [
        f"{sha256_of(folder / name, part)}  {name}\n"
        for name, part in zip(names, parts, strict=True)
    ]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def sidecar(path: Path) -> Path:
    """The file beside `path` with its SHA-256; for a file, in the format of `sha256sum`."""
    return path.with_name(f"{path.name}.sha256")


def record(path: Path, digest: str) -> None:
    """Write the SHA-256 of `path` beside it.

    Raises:
        OutputError: it cannot be written.
    """
    write_text(sidecar(path), record_text(path, digest))


def record_text(path: Path, digest: str) -> str:
    """The content of the file beside `path`."""
    return f"{digest}  {path.name}\n"


def recorded(path: Path) -> str | None:
    """The SHA-256 recorded beside `path`, None if there is none.

    Raises:
        WeightsError: the record cannot be read or is empty.
    """
    try:
        words = sidecar(path).read_text(encoding="utf-8").split()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise WeightsError(f"{sidecar(path)} cannot be read; import the weights again.") from error
    if not words:
        raise WeightsError(f"{sidecar(path)} is empty; import the weights again.")
    return words[0]


def derived_files(path: Path) -> list[Path]:
    """Files that runtimes derived from this weights file or from an earlier one of its name.

    Their names are `<file>.<first 8 of its SHA-256>.graph.<suffix>`.
    """
    return sorted(path.parent.glob(f"{escape(path.name)}.????????.graph.*"))


def own_sha256(path: Path) -> str:
    """The SHA-256 recorded beside a file, or else the computed one."""
    return recorded(path) or sha256_of(path)
