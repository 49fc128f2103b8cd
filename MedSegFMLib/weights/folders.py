"""Weights that are a folder: its relevant files and their completeness."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from ..errors import WeightsError
from ..system.atomic_files import atomic_folder
from ..system.json_files import load_json
from .catalogue import Entry
from .checksums import sha256_of
from .torch_file import check_torch_file

_TENSORS = (".pt", ".pth")


def check_parts(item: Entry, folder: Path) -> list[Path]:
    """Check the files of a folder that form the weights `item`, and return them sorted by path.

    Raises:
        WeightsError: a file is missing or truncated; the message describes the expected folder.
    """
    if not folder.is_dir():
        fault = "is not a folder" if folder.exists() else "does not exist"
        raise WeightsError(f"{folder} {fault}; give {item.folder_hint}.")
    files: list[Path] = []
    for pattern in item.parts:
        matches = sorted(path for path in folder.glob(pattern) if path.is_file())
        if not matches:
            raise WeightsError(f"{folder} has no {pattern}; give {item.folder_hint}.")
        files += matches
    for pattern in item.optional:
        files += (path for path in folder.glob(pattern) if path.is_file())
    for path in files:
        if path.suffix in _TENSORS:
            check_torch_file(path)
        elif path.suffix == ".json":
            read_json(path)
    return sorted(files)


def copy_parts(
    files: Sequence[Path],
    source: Path,
    target: Path,
    sha256: str | None,
    check: Callable[[Path, str], None],
) -> None:
    """Copy files of a folder to another, whole or not at all.

    Args:
        files: the files to copy.
        source: the folder of the files.
        target: the new folder, which replaces an existing one.
        sha256: the required SHA-256, None for any.
        check: called with the complete copy and its SHA-256 before it gets its name; what it raises
            leaves an existing folder unchanged.

    Raises:
        WeightsError: the SHA-256 is another.
        OutputError: the files cannot be copied.
    """
    with atomic_folder(target) as beside:
        for file in files:
            copy = beside / file.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
        digest = sha256_of(beside)
        if sha256 is not None and digest != sha256.lower():
            raise WeightsError(
                f"{source} has the SHA-256 {digest}, not {sha256}; download it again."
            )
        check(beside, digest)


def read_json(path: Path) -> dict[str, object]:
    """The object in a JSON file.

    Raises:
        WeightsError: the file cannot be read or does not contain an object.
    """
    try:
        content: dict[str, object] = load_json(path, dict)
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"{path} is damaged or not JSON ({error}); download it again."
        ) from error
    return content
