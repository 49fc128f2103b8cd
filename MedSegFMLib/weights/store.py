"""Installed weights on this computer, with their verification; `installing` adds and removes them.

Weights that the user imported or downloaded take precedence over a file shipped beside this module.
Each file in the user's folder has its SHA-256 in `<file>.sha256` beside it, written on
installation; that of a shipped file is in the catalogue. It is checked before each load. If the
weights of a model are a folder (`Entry.parts`), all this applies to the folder.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import WeightsError
from .catalogue import Entry, entries, entry
from .checksums import recorded, sha256_of
from .trial import folder_fault

if TYPE_CHECKING:
    from ..system.feature_store import FeatureStore

_PACKAGE = Path(__file__).parent
# The folder of features in that of the weights.
_FEATURES = "encoded"


@dataclass(frozen=True)
class Installed:
    """Installed weights.

    Attributes:
        name: their name in the catalogue.
        path: the file or folder.
        sha256: the expected SHA-256; None if it is unknown.
        bytes: their size.
        shipped: whether they belong to the package and cannot be removed.
        fault: a sentence on why they cannot be loaded; None if their SHA-256 is known.
    """

    name: str
    path: Path
    sha256: str | None
    bytes: int
    shipped: bool
    fault: str | None = None


def folder() -> Path:
    """The user's folder for weights, which may not exist yet; MEDSEGFM_WEIGHTS overrides it.

    Raises:
        WeightsError: there is no home folder.
    """
    named = os.environ.get("MEDSEGFM_WEIGHTS")
    try:
        return Path(named).expanduser() if named else _data_folder() / "medsegfm" / "weights"
    except RuntimeError as error:
        raise WeightsError(
            "There is no home folder to store weights in; name a folder in MEDSEGFM_WEIGHTS."
        ) from error


def feature_store() -> FeatureStore | None:
    """The user's store of features beside the weights; None if it is switched off."""
    from ..system.feature_store import FeatureStore, is_switched_off

    return None if is_switched_off() else FeatureStore(folder() / _FEATURES)


def find(name: str) -> Path:
    """The file, or folder, with the weights of a model: the user's, else the shipped one.

    Raises:
        WeightsError: there is none; the message explains how to get it.
    """
    item = entry(name)
    installed_path = _user_path(item)
    is_installed = installed_path is not None and is_there(item, installed_path)
    path = installed_path if is_installed else shipped(name)
    if path is not None:
        return path
    fetch = f"run 'medsegfm weights fetch {name}' or " if item.is_published else "run "
    source = "" if item.is_published else ", and none are published yet"
    if item.page is not None:
        source = f", get them from {item.page}"
    if item.recipe is not None:
        source = f", train them with 'medsegfm train {item.recipe} out=FOLDER'"
    raise WeightsError(
        f"No trained weights of {name} (licence: {item.licence}) are installed{source}; {fetch}"
        f"'medsegfm weights import {name} {item.given_as}', give --weights {item.given_as}, or use "
        "the model randomwalk, which needs none."
    )


def shipped(name: str) -> Path | None:
    """The weights file of a model in the package, None if there is none."""
    path = _PACKAGE / entry(name).file
    return path if path.is_file() else None


def installed() -> list[Installed]:
    """All installed weights that would be used, in the order of the catalogue."""
    records = []
    for name in entries():
        try:
            path = find(name)
        except WeightsError:
            continue
        digest, fault = None, None
        try:
            digest = _expected(path)
        except WeightsError as error:
            fault = str(error)
        size, is_shipped = _size(path), path.parent == _PACKAGE
        records.append(Installed(name, path, digest, size, is_shipped, fault))
    return records


def verify(path: Path, sha256: str) -> None:
    """Compare the SHA-256 of a file with the expected one.

    Raises:
        WeightsError: they differ; the message names both.
    """
    digest = sha256_of(path)
    if digest != sha256.lower():
        again = "install MedSegFM" if path.parent == _PACKAGE else "fetch or import it"
        raise WeightsError(
            f"{path} has the SHA-256 {digest}, not {sha256.lower()}, and is modified or damaged; "
            f"{again} again."
        )


def verify_recorded(path: Path) -> None:
    """Compare a file with its known SHA-256 before it is loaded.

    That is the catalogue's for a shipped file, else the one recorded beside it. A file that the
    user names may have none.

    Raises:
        WeightsError: the file has changed, or is installed without a recorded SHA-256.
    """
    expected = _expected(path)
    if expected is not None:
        verify(path, expected)


def is_there(item: Entry, path: Path) -> bool:
    """Whether a path leads to weights of this kind, a file or a folder.

    Raises:
        WeightsError: it cannot be read.
    """
    try:
        return path.is_dir() if item.parts else path.is_file()
    except OSError as error:
        raise WeightsError(
            f"{path} cannot be read ({error.strerror}); check its permissions, or name another "
            "folder in MEDSEGFM_WEIGHTS."
        ) from error


def make_folder(path: Path) -> None:
    """Create a folder and its parents.

    Raises:
        WeightsError: it cannot be created.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise folder_fault(path, error) from error


def _data_folder() -> Path:
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return Path(local) if local else Path.home() / "AppData" / "Local"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    data = os.environ.get("XDG_DATA_HOME")
    return Path(data) if data else Path.home() / ".local" / "share"


def _user_path(item: Entry) -> Path | None:
    """The path of the user's own file, which may not exist; None without a home folder."""
    try:
        return folder() / item.file
    except WeightsError:
        return None


def _expected(path: Path) -> str | None:
    """The SHA-256 that a file must have; None if it is unknown, as for a file given by path."""
    for item in entries().values():
        if path == _PACKAGE / item.file:
            if item.sha256 is None:
                raise WeightsError(
                    f"{path} has no SHA-256 in the catalogue; install MedSegFM again."
                )
            return item.sha256
        if path == _user_path(item) and recorded(path) is None:
            raise WeightsError(
                f"{path} has no SHA-256 recorded beside it; import it with "
                f"'medsegfm weights import {item.name} {item.given_as}'."
            )
    return recorded(path)


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
