"""The SAM that training starts from: an installed one, or a file."""

from __future__ import annotations

from pathlib import Path

from ...errors import MissingPartError, WeightsError
from ...weights import store
from ...weights.catalogue import entry
from ...weights.checksums import own_sha256

# The stored weights that are a SAM.
BASES = ("sam", "medsam")


def base_weights(base: str) -> tuple[Path, str]:
    """The file of a SAM to start from, and its SHA-256.

    Args:
        base: One of `BASES`, from the store, or a path.

    Raises:
        MissingPartError: If that SAM is not installed.
        WeightsError: If the file has changed since its installation.
    """
    path = Path(base)
    if base in BASES:
        try:
            path = store.find(base)
        except WeightsError as error:
            fetch = f"'medsegfm weights fetch {base}' or " if entry(base).is_published else ""
            raise MissingPartError(
                f"The weights of {base} are not installed; run {fetch}'medsegfm weights import "
                f"{base} FILE', or name its file as the base."
            ) from error
    store.verify_recorded(path)
    return path, own_sha256(path)
