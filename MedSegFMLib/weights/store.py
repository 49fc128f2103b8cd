"""Where weights lie on this computer, and whether they are still what they were.

What the user imported or downloaded comes first, then a file shipped beside this module. Each file
in the user's folder has its SHA-256 beside it in `<file>.sha256`, written when it comes there; that
of a shipped file stands in the catalogue. Either is checked before each load. Where the weights of
a model are a folder (`Entry.parts`) all this holds for it as for a file.
"""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from glob import escape
from pathlib import Path

from ..errors import OutputError, WeightsError
from ..system.atomic_files import atomic_path
from .catalogue import Entry, entries, entry
from .checksums import record, recorded, sha256_of, sidecar
from .folders import check_parts, copy_parts
from .safetensors_header import read_header
from .torch_file import check_torch_file

_PACKAGE = Path(__file__).parent


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
    """The file, or folder, with the weights of a model: the user's, else the shipped one.

    Raises WeightsError, with the way out, where there is none.
    """
    item = entry(name)
    users = _users(item)
    path = users if users is not None and _is_there(item, users) else shipped(name)
    if path is not None:
        return path
    fetch = f"run 'medsegfm weights fetch {name}' or " if item.is_published else "run "
    where = "" if item.is_published else ", and none are published yet"
    if item.page is not None:
        where = f", get them from {item.page}"
    if item.recipe is not None:
        where = f", train them with 'medsegfm train {item.recipe} out=FOLDER'"
    raise WeightsError(
        f"No trained weights of {name} are installed{where}; {fetch}"
        f"'medsegfm weights import {name} {item.given_as}', give --weights {item.given_as}, or use "
        "the model randomwalk, which needs none."
    )


def shipped(name: str) -> Path | None:
    """The file with the weights of a model that came with the package, None where none did."""
    path = _PACKAGE / entry(name).file
    return path if path.is_file() else None


def installed() -> list[Installed]:
    """All weights that are here and would be used, in the order of the catalogue."""
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


def import_file(name: str, path: Path | str, sha256: str | None = None) -> Path:
    """Copy a file into the user's folder as the weights of a model; returns its new path.

    It is used from then on, before a shipped file. path: the file, or, where the catalogue says how
    it is called there, the folder that it lies in; where the weights are a folder, that folder, of
    which the files that count are copied. sha256: what the file must have, as its
    publisher says. Without it those of the catalogue count, where it has any, unless the file says
    itself what it is: one from the user's own training may differ. Raises WeightsError where the
    file is missing, empty, truncated, of another format or has another SHA-256, and where it says
    that it is of another network, which torch's format does not; OutputError where it cannot be
    copied; an earlier file of the same name stays then.
    """
    item, source = entry(name), Path(path)
    target = folder() / item.file
    if item.parts:
        files = check_parts(item, source)
        make_folder(target.parent)
        record(target, copy_parts(files, source, target, sha256))
        return target
    if source.is_dir():
        if item.in_folder is None:
            raise WeightsError(
                f"{source} is a folder; the weights of {name} are one file, give that in it."
            )
        source = source / item.in_folder
    if not _is_there(item, source):
        raise WeightsError(f"There is no file {source}; give the weights to import.")
    _check_format(item, source)
    digest = sha256_of(source)
    expected = (sha256,) if sha256 else () if item.is_self_describing else item.accepted
    if expected and digest not in [known.lower() for known in expected]:
        own = "" if sha256 else ", or confirm weights of your own with --sha256"
        raise WeightsError(
            f"{source} has the SHA-256 {digest}, not {' or '.join(expected)}; get it again{own}."
        )
    make_folder(target.parent)
    with atomic_path(target) as beside:
        shutil.copyfile(source, beside)
    record(target, digest)
    return target


def adopt(name: str, path: Path, digest: str) -> Path:
    """Rename a file of the user's folder, whose SHA-256 was checked, to the weights of a model.

    Returns its new path. Raises WeightsError where it is of another format or network, OutputError
    where it cannot be renamed.
    """
    item = entry(name)
    _check_format(item, path)
    target = path.with_name(item.file)
    record(target, digest)
    try:
        path.replace(target)
    except OSError as error:
        raise OutputError(
            f"{target} cannot be written ({error.strerror or error}); end what uses it and try "
            "again."
        ) from error
    return target


def partial(item: Entry) -> Path:
    """Where an unfinished download of published weights lies; another publication has another."""
    return folder() / f"{item.file}.{(item.sha256 or '')[:8]}.part"


def remove(name: str) -> None:
    """Delete the weights of a model, and unfinished downloads of them, from the user's folder.

    Shipped ones belong to the package: they stay, and are used again. Raises WeightsError where
    there is nothing to remove.
    """
    item = entry(name)
    path = folder() / item.file
    rest = sorted(folder().glob(f"{item.file}.*.part"))
    if not _is_there(item, path) and not rest:
        stay = "; the shipped ones belong to the package and stay" if shipped(name) else ""
        raise WeightsError(
            f"There are no weights of {name} in {folder()}, nothing to remove{stay}."
        )
    try:
        if path.is_dir():
            shutil.rmtree(path)
        for file in (path, sidecar(path), *rest, *derived_files(path)):
            file.unlink(missing_ok=True)
    except OSError as error:
        raise WeightsError(
            f"{error.filename} cannot be removed ({error.strerror}); end what uses it and check "
            "its permissions."
        ) from error


def derived_files(path: Path) -> list[Path]:
    """What runtimes keep beside a weights file, made of it or of an earlier one of its name.

    They are called `<file>.<first 8 of its SHA-256>.graph.<what>`.
    """
    return sorted(path.parent.glob(f"{escape(path.name)}.????????.graph.*"))


def verify(path: Path, sha256: str) -> None:
    """Raise WeightsError, which names both, where a file has another SHA-256 than it should."""
    found = sha256_of(path)
    if found != sha256.lower():
        again = "install MedSegFM" if path.parent == _PACKAGE else "fetch or import it"
        raise WeightsError(
            f"{path} has the SHA-256 {found}, not {sha256.lower()}; it is altered or damaged, "
            f"{again} again."
        )


def verify_recorded(path: Path) -> None:
    """Check a file against the SHA-256 that is known for it, before it is loaded.

    That is the catalogue's for a shipped file, else the one recorded beside it. A file that the
    user names may have none; an installed one without is refused with a WeightsError, as is one
    that has changed.
    """
    expected = _expected(path)
    if expected is not None:
        verify(path, expected)


def make_folder(path: Path) -> None:
    """Make a folder and those above it; WeightsError where that is not possible."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WeightsError(
            f"The folder {path} cannot be made ({error.strerror or error}); name another in "
            "MEDSEGFM_WEIGHTS."
        ) from error


def _data_folder() -> Path:
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return Path(local) if local else Path.home() / "AppData" / "Local"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    data = os.environ.get("XDG_DATA_HOME")
    return Path(data) if data else Path.home() / ".local" / "share"


def _users(item: Entry) -> Path | None:
    """Where the user's own file lies or would lie; None without a home folder to have it in."""
    try:
        return folder() / item.file
    except WeightsError:
        return None


def _expected(path: Path) -> str | None:
    """The SHA-256 a file must have; None for one that the user names and nobody knows."""
    for item in entries().values():
        if path == _PACKAGE / item.file:
            if item.sha256 is None:
                raise WeightsError(
                    f"{path} has no SHA-256 in the catalogue; install MedSegFM again."
                )
            return item.sha256
        if path == _users(item) and recorded(path) is None:
            raise WeightsError(
                f"{path} has no SHA-256 recorded beside it; import it with "
                f"'medsegfm weights import {item.name} {item.given_as}'."
            )
    return recorded(path)


def _check_format(item: Entry, path: Path) -> None:
    if item.format != "safetensors":
        check_torch_file(path)
        return
    said = read_header(path).metadata.get("format")
    if item.network not in (None, said):
        raise WeightsError(
            f"{path} holds {said or 'an unknown network'}, not {item.network}; give weights that "
            "MedSegFM's training wrote."
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
