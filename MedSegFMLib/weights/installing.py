"""Weights that are installed in the user's folder, and removed from it; see `store`."""

from __future__ import annotations

import shutil
from pathlib import Path

from ..errors import OutputError, WeightsError
from ..progress import Progress, no_progress, part_of
from ..system.atomic_files import atomic_path
from ..system.regular_files import leads_somewhere
from .catalogue import Entry, entry
from .checksums import derived_files, sha256_of, sidecar
from .folders import check_parts, copy_parts
from .recorded_options import options_file
from .safetensors_header import read_header
from .store import folder, is_there, shipped
from .torch_file import check_torch_file
from .trial import Trial, no_trial, recording, try_copy

# The fraction of an import's progress for its SHA-256; the rest is for the copy and its trial.
_HASHING = 0.2


def import_file(
    name: str,
    path: Path | str,
    sha256: str | None = None,
    trial: Trial = no_trial,
    progress: Progress = no_progress,
) -> Path:
    """Copy a file into the user's folder as the weights of a model and return its new path.

    From then on it is used, in preference to a shipped file. If it cannot be copied, or the copy
    does not pass the trial, an earlier file of the same name is kept. Options and a tokenizer that
    were recorded with an earlier file are removed.

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
        _remove_companions(target)
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
    _remove_companions(target)
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
    _remove_companions(target)
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
    if not is_there(item, path) and not parts:
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
        _remove_companions(path)
    except OSError as error:
        raise WeightsError(
            f"{error.filename} cannot be removed ({error.strerror}); close programs that use it "
            "and check its permissions."
        ) from error


def _remove_companions(path: Path) -> None:
    """Remove recorded options and a tokenizer, which were those of earlier weights of this name."""
    options_file(path).unlink(missing_ok=True)
    shutil.rmtree(path.with_name(f"{path.name}.tokenizer"), ignore_errors=True)


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
