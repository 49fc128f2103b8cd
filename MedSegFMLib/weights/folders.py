"""Weights that are a folder: which of its files count, and whether they are whole."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from ..errors import WeightsError
from ..system.atomic_files import atomic_folder
from .catalogue import Entry
from .checksums import sha256_of
from .torch_file import check_torch_file

_TENSORS = (".pt", ".pth")


def check_parts(item: Entry, folder: Path) -> list[Path]:
    """The files of a folder that are the weights `item`, after a look at each; sorted by path.

    Raises WeightsError, which says what is expected, where one is missing or truncated.
    """
    if not folder.is_dir():
        fault = "is no folder" if folder.exists() else "is not there"
        raise WeightsError(f"{folder} {fault}; give {item.folder_hint}.")
    files: list[Path] = []
    for pattern in item.parts:
        found = sorted(path for path in folder.glob(pattern) if path.is_file())
        if not found:
            raise WeightsError(f"{folder} has no {pattern}; give {item.folder_hint}.")
        files += found
    for path in files:
        if path.suffix in _TENSORS:
            check_torch_file(path)
        elif path.suffix == ".json":
            read_json(path)
    return sorted(files)


def copy_parts(files: Sequence[Path], source: Path, target: Path, sha256: str | None) -> str:
    """Copy files of a folder to another, whole or not at all; returns the SHA-256 of that.

    What `target` held before is gone then. sha256: what it must be, None for anything. Raises
    WeightsError where it is another, OutputError where it cannot be copied.
    """
    with atomic_folder(target) as beside:
        for file in files:
            copy = beside / file.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
        digest = sha256_of(beside)
        if sha256 is not None and digest != sha256.lower():
            raise WeightsError(f"{source} has the SHA-256 {digest}, not {sha256}; get it again.")
    return digest


def read_json(path: Path) -> dict[str, object]:
    """What a JSON file says; WeightsError where it cannot be read or says it of nothing by name."""
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path} is damaged or no JSON ({error}); get it again.") from error
    if not isinstance(held, dict):
        raise WeightsError(f"{path} holds no names and values; get it again.")
    return held
