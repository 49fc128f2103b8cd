"""Download of published weights, with acceptance of their licence and verification."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from ..errors import WeightsError
from ..progress import Progress, no_progress, part_of
from . import installing, store
from .catalogue import Entry, entry
from .checksums import sha256_of
from .transfer import receive
from .trial import Trial, no_trial

# Downloads a file of known size from an address, and returns its SHA-256.
Receive = Callable[[str, Path, int | None, Progress], str]

# The fraction of the download's progress at which the verification begins, and that of the whole
# at which it ends; then the weights are tried.
_RECEIVED, _VERIFIED = 0.95, 0.85


def receive_and_check(url: str, part: Path, size: int | None, progress: Progress) -> str:
    """Download a file and return its SHA-256; see `transfer.receive`."""
    receive(url, part, size, part_of(progress, 0.0, _RECEIVED))
    return sha256_of(part, part_of(progress, _RECEIVED, 1.0))


def fetch(
    name: str,
    accept_licence: bool = False,
    progress: Progress = no_progress,
    trial: Trial = no_trial,
    receive: Receive = receive_and_check,
) -> Path:
    """Download the weights of a model into the user's folder and return their path.

    An incomplete earlier download is resumed; published weights that are complete are kept.

    Args:
        name: the name of the weights.
        accept_licence: whether the user accepts a licence that restricts the use of the weights;
            other licences need no acceptance.
        progress: called with the completed fraction and a phrase.
        trial: called with the name and the file before it is installed; see `import_file`.
        receive: downloads the file.

    Raises:
        WeightsError: no weights are published; the licence is not accepted; the user's own weights
            would be overwritten; the server cannot be reached, breaks off, or has a file of another
            size or SHA-256, or one that does not pass the trial, which is deleted.
        OutputError: the disk is full or the folder cannot be written to.
        Cancelled: `progress` raised it.
    """
    item = entry(name)
    path = _as_published(item)
    if path is not None:
        return path
    _check_published(item)
    check_licence(item, accept_licence)
    part = installing.partial(item)
    assert item.url is not None and item.sha256 is not None, "checked by _check_published"
    receiving, trying = part_of(progress, 0.0, _VERIFIED), part_of(progress, _VERIFIED, 1.0)
    if item.files:
        _receive_files(item, part, receive, receiving)
        try:
            path = installing.import_file(name, part, item.sha256, trial, trying)
        except WeightsError:
            shutil.rmtree(part, ignore_errors=True)
            raise
        shutil.rmtree(part, ignore_errors=True)
        return path
    _receive_one(receive, item.url, part, item.bytes, item.sha256.lower(), receiving)
    try:
        return installing.adopt(name, part, item.sha256.lower(), trial, trying)
    except WeightsError:
        part.unlink(missing_ok=True)
        raise


def _receive_files(item: Entry, folder: Path, receive: Receive, progress: Progress) -> None:
    """Download the files of a folder; those that are complete are kept."""
    total, done = sum(file.bytes for file in item.files), 0
    for file in item.files:
        share = part_of(progress, done / total, (done + file.bytes) / total)
        place = folder / file.name
        _receive_one(receive, f"{item.url}{file.name}", place, file.bytes, file.sha256, share)
        done += file.bytes


def _receive_one(
    receive: Receive, url: str, part: Path, size: int | None, sha256: str, progress: Progress
) -> None:
    """Download a file and compare its SHA-256."""
    store.make_folder(part.parent)
    digest = receive(url, part, size, progress)
    if digest != sha256:
        part.unlink()
        raise WeightsError(
            f"{url} has the SHA-256 {digest} instead of the published {sha256} and was deleted; "
            "try again or import a file."
        )


def check_licence(item: Entry, accepted: bool) -> None:
    """Check the acceptance of a restrictive licence.

    Raises:
        WeightsError: the licence must be accepted and was not; the message names it.
    """
    if item.permissive or accepted:
        return
    address = f" ({item.licence_url})" if item.licence_url else ""
    raise WeightsError(
        f"The weights of {item.name} are under the licence {item.licence}{address}, which "
        f"restricts their use; read it and accept it with 'medsegfm weights fetch "
        f"{item.name} --accept-licence'."
    )


def _as_published(item: Entry) -> Path | None:
    """The installed weights if they are the published ones and complete.

    Raises:
        WeightsError: they are the user's own and would be overwritten.
    """
    current = next((one for one in store.installed() if one.name == item.name), None)
    if current is None:
        return None
    if item.sha256 is None or current.sha256 != item.sha256.lower():
        if current.shipped or not item.is_published:
            return None
        raise WeightsError(
            f"{current.path} is not the published file of {item.name}; keep a copy "
            f"if you need it, then run 'medsegfm weights remove {item.name}' first."
        )
    try:
        store.verify(current.path, item.sha256)
    except WeightsError:
        # Damaged: the download replaces them.
        return None
    return current.path


def _check_published(item: Entry) -> None:
    if item.is_published:
        return
    restore = ""
    if store.shipped(item.name) is not None:
        restore = f", or restore the shipped ones with 'medsegfm weights remove {item.name}'"
    raise WeightsError(
        f"No weights of {item.name} are published for download; import a file with 'medsegfm "
        f"weights import {item.name} {item.given_as}'{restore}."
    )
