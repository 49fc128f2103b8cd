"""The SAM that something is trained on: one of the installed ones, or a file."""

from __future__ import annotations

from pathlib import Path

from ...errors import WeightsError
from ...weights import store
from ...weights.catalogue import entry
from ...weights.checksums import own_sha256

# The weights of the store that hold a SAM.
BASES = ("sam", "medsam")


def base_weights(base: str) -> tuple[Path, str]:
    """The file, and its SHA-256, of a SAM to begin from.

    base: one of `BASES`, from the store, or a path. Raises WeightsError where it is missing or not
    what it was when it was installed.
    """
    path = Path(base)
    if base in BASES:
        try:
            path = store.find(base)
        except WeightsError as error:
            fetch = f"'medsegfm weights fetch {base}' or " if entry(base).is_published else ""
            raise WeightsError(
                f"The weights of {base} are not installed; run {fetch}'medsegfm weights import "
                f"{base} FILE', or name its file as the base."
            ) from error
    store.verify_recorded(path)
    return path, own_sha256(path)
