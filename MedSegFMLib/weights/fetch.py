"""Fetching published weights: their licence accepted, and verified before they take their name."""

from __future__ import annotations

from pathlib import Path

from ..errors import WeightsError
from ..progress import Progress, no_progress, part_of
from . import store
from .catalogue import Entry, entry
from .checksums import sha256_of
from .transfer import receive

# The part of the time that receiving takes; the rest is checking.
_RECEIVING = 0.95


def fetch(name: str, accept_licence: bool = False, progress: Progress = no_progress) -> Path:
    """Download the weights of a model into the user's folder; returns their path.

    accept_licence: whether the user accepts a licence that restricts what weights may be used for;
        one that does not needs no acceptance.

    What an earlier call left unfinished is continued; weights that are here as published, whole,
    stay as they are. Raises WeightsError where none are published, the licence is not accepted,
    other weights of the user's stand in the way, the server cannot be reached, breaks off, or has
    a file of another size or SHA-256 (it is thrown away then); OutputError where the disk is full
    or the folder cannot be written; Cancelled where `progress` raises it.
    """
    item = entry(name)
    here = _as_published(item)
    if here is not None:
        return here
    _check_published(item)
    check_licence(item, accept_licence)
    part = store.partial(item)
    store.make_folder(part.parent)
    assert item.url is not None and item.sha256 is not None, "an entry without is refused before"
    receive(item.url, part, item.bytes, part_of(progress, 0.0, _RECEIVING))
    digest = sha256_of(part, part_of(progress, _RECEIVING, 1.0))
    if digest != item.sha256.lower():
        part.unlink()
        raise WeightsError(
            f"{item.url} has the SHA-256 {digest}, not {item.sha256.lower()}; it is not what was "
            "published and was thrown away, try again or import a file."
        )
    return store.adopt(name, part, digest)


def check_licence(item: Entry, accepted: bool) -> None:
    """Raise WeightsError, which names the licence, where it had to be accepted and was not."""
    if item.permissive or accepted:
        return
    where = f" ({item.licence_url})" if item.licence_url else ""
    raise WeightsError(
        f"The weights of {item.name} come under the licence {item.licence}{where}, which restricts "
        f"what they may be used for; read it and accept it with 'medsegfm weights fetch "
        f"{item.name} --accept-licence'."
    )


def _as_published(item: Entry) -> Path | None:
    """The weights that are here, where they are the published ones and whole.

    Raises WeightsError where they are the user's own and would be lost.
    """
    here = next((known for known in store.installed() if known.name == item.name), None)
    if here is None:
        return None
    if item.sha256 is None or here.sha256 != item.sha256.lower():
        if here.shipped or not item.is_published:
            return None
        raise WeightsError(
            f"{here.path} holds other weights than the published ones of {item.name}; keep a copy "
            f"if you need them, then run 'medsegfm weights remove {item.name}' first."
        )
    try:
        store.verify(here.path, item.sha256)
    except WeightsError:
        # Damaged: the download takes their place.
        return None
    return here.path


def _check_published(item: Entry) -> None:
    if item.is_published:
        return
    back = ""
    if store.shipped(item.name) is not None:
        back = f", or go back to the shipped ones with 'medsegfm weights remove {item.name}'"
    raise WeightsError(
        f"No weights of {item.name} are published for download; import a file with 'medsegfm "
        f"weights import {item.name} {item.given_as}'{back}."
    )
