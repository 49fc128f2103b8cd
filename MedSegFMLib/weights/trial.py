"""The trial of new weights, and their exchange for the installed ones.

The models know how to run weights and use this package, so the trial comes from the caller:
`models.phantom_trial`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import WeightsError
from ..progress import Progress
from ..system.atomic_files import atomic_path
from .checksums import derived_files, record_text, sidecar

Trial = Callable[[str, Path, Progress], None]
"""Tries the weights of a name in a file or folder; raises WeightsError if they are unusable."""


def no_trial(name: str, path: Path, progress: Progress) -> None:
    """Accept any weights."""
    progress(1.0, "Installing the weights")


def try_copy(trial: Trial, name: str, copy: Path, source: Path, progress: Progress) -> None:
    """Try a copy that has a temporary name, and remove what runtimes derived from it.

    Raises:
        WeightsError: they are unusable; the message names `source`.
    """
    try:
        trial(name, copy, progress)
    except WeightsError as error:
        raise type(error)(str(error).replace(str(copy), str(source))) from error
    finally:
        for file in derived_files(copy):
            with suppress(OSError):
                file.unlink()


@contextmanager
def recording(target: Path) -> Iterator[Callable[[str], None]]:
    """Yield a function that notes the SHA-256 of a new `target`; it is recorded after the block.

    The block gives `target` its new content last. If it fails, the earlier record is unchanged. A
    folder that is created for `target` is removed again.

    Raises:
        WeightsError: the folder cannot be created.
        OutputError: the record cannot be written.
    """
    with _folder(target.parent), atomic_path(sidecar(target)) as note:
        yield lambda digest: _note(note, record_text(target, digest))


def _note(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


@contextmanager
def _folder(path: Path) -> Iterator[None]:
    is_new = not path.exists()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise folder_fault(path, error) from error
    try:
        yield
    except BaseException:
        if is_new:
            with suppress(OSError):
                path.rmdir()
        raise


def folder_fault(path: Path, error: OSError) -> WeightsError:
    """Why the folder of weights cannot be created."""
    return WeightsError(
        f"The folder {path} cannot be created ({error.strerror or error}); name another in "
        "MEDSEGFM_WEIGHTS."
    )
