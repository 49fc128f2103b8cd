"""Installed weights on this computer, with their verification.

Weights that the user imported or downloaded take precedence over a file shipped beside this module.
Each file in the user's folder has its SHA-256 in `<file>.sha256` beside it, written on
installation; that of a shipped file is in the catalogue. It is checked before each load. If the
weights of a model are a folder (`Entry.parts`), all this applies to the folder.
"""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import OutputError, WeightsError
from ..progress import Progress, no_progress, part_of
from ..system.atomic_files import atomic_path
from ..system.regular_files import leads_somewhere
from .catalogue import Entry, entries, entry
from .checksums import derived_files, recorded, sha256_of, sidecar
from .folders import check_parts, copy_parts
from .safetensors_header import read_header
from .torch_file import check_torch_file
from .trial import Trial, folder_fault, no_trial, recording, try_copy

if TYPE_CHECKING:
    from ..system.feature_store import FeatureStore

_PACKAGE = Path(__file__).parent
# The fraction of an import's progress for its SHA-256; the rest is for the copy and its trial.
_HASHING = 0.2
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
    is_installed = installed_path is not None and _is_there(item, installed_path)
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


def import_file(
    name: str,
    path: Path | str,
    sha256: str | None = None,
    trial: Trial = no_trial,
    progress: Progress = no_progress,
) -> Path:
    """Copy a file into the user's folder as the weights of a model and return its new path.

    From then on it is used, in preference to a shipped file. If it cannot be copied, or the copy
    does not pass the trial, an earlier file of the same name is kept.

    Args:
        name: the name of the weights.
        path: the file, or, if the catalogue has its name there, the folder that contains it; if the
            weights are a folder, that folder, of which the relevant files are copied.
        sha256: the SHA-256 that its publisher states. Without it those of the catalogue apply, if
            there are any, unless the file is self-describing: one from the user's own training may
            differ.
        trial: called with the name and the copy; `models.phantom_trial` runs it once.
        progress: called with the completed fraction and a phrase.

    Raises:
        WeightsError: the file does not pass the trial, or is missing, empty, truncated, in another
            format, has another SHA-256, or is marked as another network's (which torch's format
            cannot mark).
        OutputError: the file cannot be copied.
    """
    item, source = entry(name), Path(path)
    target = folder() / item.file
    if item.parts:
        files = check_parts(item, source)
        with recording(target) as note:

            def check(copy: Path, digest: str) -> None:
                try_copy(trial, name, copy, source, part_of(progress, _HASHING, 1.0))
                note(digest)

            copy_parts(files, source, target, sha256, check)
        return target
    if source.is_dir():
        if item.in_folder is None:
            raise WeightsError(
                f"{source} is a folder, but the weights of {name} are one file; give that file."
            )
        source = source / item.in_folder
    if not leads_somewhere(source):
        raise WeightsError(f"There is no file {source}; give the weights to import.")
    _check_format(item, source)
    digest = sha256_of(source, part_of(progress, 0.0, _HASHING))
    expected = (sha256,) if sha256 else () if item.is_self_describing else item.accepted
    if expected and digest not in [accepted.lower() for accepted in expected]:
        confirm = "" if sha256 else ", or confirm your own weights with --sha256"
        raise WeightsError(
            f"{source} has the SHA-256 {digest}, not {' or '.join(expected)}; download it "
            f"again{confirm}."
        )
    with recording(target) as note, atomic_path(target) as beside:
        shutil.copyfile(source, beside)
        try_copy(trial, name, beside, source, part_of(progress, _HASHING, 1.0))
        note(digest)
    return target


def adopt(
    name: str,
    path: Path,
    digest: str,
    trial: Trial = no_trial,
    progress: Progress = no_progress,
) -> Path:
    """Rename a verified file of the user's folder to the weights of a model; return its new path.

    Raises:
        WeightsError: the file is in another format, for another network, or does not pass the
            trial.
        OutputError: it cannot be renamed.
    """
    item = entry(name)
    _check_format(item, path)
    target = path.with_name(item.file)
    try_copy(trial, name, path, path, progress)
    with recording(target) as note:
        note(digest)
        try:
            path.replace(target)
        except OSError as error:
            raise OutputError(
                f"{target} cannot be written ({error.strerror or error}); close programs that use "
                "it and try again."
            ) from error
    return target


def partial(item: Entry) -> Path:
    """The path of an incomplete download of published weights; each publication has its own."""
    return folder() / f"{item.file}.{(item.sha256 or '')[:8]}.part"


def remove(name: str) -> None:
    """Delete the weights of a model, and incomplete downloads of them, from the user's folder.

    Shipped weights belong to the package: they are kept, and used again.

    Raises:
        WeightsError: there is nothing to remove, or a file cannot be removed.
    """
    item = entry(name)
    path = folder() / item.file
    parts = sorted(folder().glob(f"{item.file}.*.part"))
    if not _is_there(item, path) and not parts:
        keep = "; the shipped ones belong to the package and are kept" if shipped(name) else ""
        raise WeightsError(
            f"There are no weights of {name} in {folder()}, nothing to remove{keep}."
        )
    try:
        for place in (path, sidecar(path), *parts, *derived_files(path)):
            if place.is_dir():
                shutil.rmtree(place)
            else:
                place.unlink(missing_ok=True)
        for file in folder().glob(f"{item.file}.options.json"):
            file.unlink()
        shutil.rmtree(folder() / f"{item.file}.tokenizer", ignore_errors=True)
    except OSError as error:
        raise WeightsError(
            f"{error.filename} cannot be removed ({error.strerror}); close programs that use it "
            "and check its permissions."
        ) from error


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


def _check_format(item: Entry, path: Path) -> None:
    if item.format != "safetensors":
        check_torch_file(path)
        return
    network = read_header(path).metadata.get("format")
    if item.network not in (None, network):
        raise WeightsError(
            f"{path} contains {network or 'an unknown network'}, not {item.network}; use weights "
            "written by MedSegFM's training."
        )


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def _is_there(item: Entry, path: Path) -> bool:
    try:
        return path.is_dir() if item.parts else path.is_file()
    except OSError as error:
        raise WeightsError(
            f"{path} cannot be read ({error.strerror}); check its permissions, or name another "
            "folder in MEDSEGFM_WEIGHTS."
        ) from error
