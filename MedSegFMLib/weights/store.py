"""Where weights lie on this computer, and whether they are still what they were.

A shipped file beside this module comes first, then the user's folder. Each file in that folder has
its SHA-256 beside it in `<file>.sha256`, written when it is imported and checked before each load.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from ..atomic import atomic_path, write_text
from ..errors import WeightsError
from .catalogue import Entry, entries, entry
from .safetensors_header import read_header

_PACKAGE = Path(__file__).parent
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Installed:
    """Weights that are here.

    shipped: with the package, so that they cannot be removed.
    fault: why they cannot be loaded, in a sentence; None where their SHA-256 is known.
    """

    name: str
    path: Path
    sha256: str | None
    bytes: int
    shipped: bool
    fault: str | None = None


def folder() -> Path:
    """The user's folder for weights, which may not exist yet; MEDSEGFM_WEIGHTS names another."""
    named = os.environ.get("MEDSEGFM_WEIGHTS")
    try:
        return Path(named).expanduser() if named else _data_folder() / "medsegfm" / "weights"
    except RuntimeError as error:
        raise WeightsError(
            "There is no home folder to keep weights in; name a folder in MEDSEGFM_WEIGHTS."
        ) from error


def find(name: str) -> Path:
    """The file with the weights of a model; WeightsError, with the way out, where there is none."""
    item = entry(name)
    if (_PACKAGE / item.file).is_file():
        return _PACKAGE / item.file
    if _is_file(folder() / item.file):
        return folder() / item.file
    raise WeightsError(
        f"No trained weights of {name} are installed, and none are shipped yet; run "
        f"'medsegfm weights import {name} FILE', give --weights FILE, or use the model graphcut, "
        "which needs none."
    )


def installed() -> list[Installed]:
    """All weights that are here, in the order of the catalogue."""
    records = []
    for name, item in entries().items():
        try:
            path = find(name)
        except WeightsError:
            continue
        shipped = path.parent == _PACKAGE
        digest, fault = item.sha256, None
        if not shipped:
            try:
                digest = _recorded(path)
            except WeightsError as error:
                digest, fault = None, str(error)
        records.append(Installed(name, path, digest, path.stat().st_size, shipped, fault))
    return records


def import_file(name: str, path: Path | str, sha256: str | None = None) -> Path:
    """Copy a file into the user's folder as the weights of a model; returns its new path.

    sha256: what the file must have, as its publisher says. The catalogue's is checked in any case
    where it has one. Raises WeightsError where the file is missing, empty, truncated, of another
    format or has another SHA-256, OutputError where it cannot be copied; an earlier file of the
    same name stays then.
    """
    item, source = entry(name), Path(path)
    if not _is_file(source):
        raise WeightsError(f"There is no file {source}; give the weights to import.")
    _check_format(item, source)
    digest = sha256_of(source)
    for expected in (sha256, item.sha256):
        if expected is not None:
            _compare(source, digest, expected)
    target = folder() / item.file
    _make_folder(target.parent)
    with atomic_path(target) as beside:
        shutil.copyfile(source, beside)
    write_text(_sidecar(target), f"{digest}  {target.name}\n")
    return target


def remove(name: str) -> None:
    """Delete the weights of a model from the user's folder.

    Raises WeightsError where there are none; shipped ones belong to the package and stay.
    """
    path = folder() / entry(name).file
    if not _is_file(path):
        raise WeightsError(f"There are no weights of {name} in {folder()}; nothing to remove.")
    path.unlink()
    _sidecar(path).unlink(missing_ok=True)


def verify(path: Path, sha256: str) -> None:
    """Raise WeightsError, which names both, where a file has another SHA-256 than it should."""
    _compare(path, sha256_of(path), sha256)


def verify_recorded(path: Path) -> None:
    """Check a file against the SHA-256 that is known for it, before it is loaded.

    That is the catalogue's for a shipped file, else the one recorded beside it. A file that the
    user names may have none; an installed one without is refused with a WeightsError, as is one
    that has changed.
    """
    shipped = {_PACKAGE / item.file: item.sha256 for item in entries().values()}
    expected = shipped[path] if path in shipped else _recorded(path)
    if expected is not None:
        verify(path, expected)
    elif path.parent in (folder(), _PACKAGE):
        raise WeightsError(
            f"{path} has no SHA-256 recorded beside it; import it with 'medsegfm weights import'."
        )


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, read in pieces; WeightsError where it cannot be read."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
    except OSError as error:
        raise WeightsError(
            f"The weights {path} cannot be read ({error.strerror or error}); check the path."
        ) from error
    return digest.hexdigest()


def _data_folder() -> Path:
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return Path(local) if local else Path.home() / "AppData" / "Local"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    data = os.environ.get("XDG_DATA_HOME")
    return Path(data) if data else Path.home() / ".local" / "share"


def _check_format(item: Entry, path: Path) -> None:
    if item.format != "safetensors":
        return
    said = read_header(path).metadata.get("format")
    if item.network not in (None, said):
        raise WeightsError(
            f"{path} holds {said or 'an unknown network'}, not {item.network}; give weights that "
            "MedSegFM's training wrote."
        )


def _compare(path: Path, found: str, expected: str) -> None:
    if found != expected.lower():
        raise WeightsError(
            f"{path} has the SHA-256 {found}, not {expected.lower()}; it is altered or damaged, "
            "fetch or import it again."
        )


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError as error:
        raise WeightsError(
            f"{path} cannot be read ({error.strerror}); check its permissions, or name another "
            "folder in MEDSEGFM_WEIGHTS."
        ) from error


def _sidecar(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _recorded(path: Path) -> str | None:
    """The SHA-256 in the file beside `path`, None where there is no such file."""
    try:
        words = _sidecar(path).read_text(encoding="utf-8").split()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise WeightsError(f"{_sidecar(path)} cannot be read; import the weights again.") from error
    if not words:
        raise WeightsError(f"{_sidecar(path)} is empty; import the weights again.")
    return words[0]


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WeightsError(
            f"The folder {path} cannot be made ({error.strerror or error}); name another in "
            "MEDSEGFM_WEIGHTS."
        ) from error
