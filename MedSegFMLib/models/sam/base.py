"""The SAM that training starts from: an installed one, a file, or a folder of transformers."""

from __future__ import annotations

from pathlib import Path

from ...errors import MissingPartError, WeightsError
from ...system.suggestions import with_suggestion
from ...weights import store
from ...weights.catalogue import entry
from ...weights.checksums import own_sha256
from .layouts.transformers_files import weights_file

# The stored weights that are a SAM, or contain the image side of a SAM 2 or SAM 3.
BASES = ("sam", "medsam", "medsam2", "medical-sam3")


def find_base(base: str) -> Path:
    """The file of a SAM to start from, without reading it.

    Raises:
        MissingPartError: If that SAM is not installed.
        WeightsError: If there is no such file.
    """
    if base not in BASES:
        path = weights_file(Path(base))
        if not path.is_file():
            raise WeightsError(
                f"There is no SAM {with_suggestion(base, BASES)}; give {' or '.join(BASES)}, or "
                "the file of one."
            )
        return path
    try:
        return store.find(base)
    except WeightsError as error:
        fetch = f"'medsegfm weights fetch {base}' or " if entry(base).is_published else ""
        raise MissingPartError(
            f"The weights of {base} are not installed; run {fetch}'medsegfm weights import "
            f"{base} FILE', or name its file as the base."
        ) from error


def base_weights(base: str) -> tuple[Path, str]:
    """The file of a SAM to start from, and its SHA-256.

    Args:
        base: One of `BASES`, from the store, or a path.

    Raises:
        MissingPartError: If that SAM is not installed.
        WeightsError: If there is no such file, or it has changed since its installation.
    """
    path = find_base(base)
    store.verify_recorded(path)
    return path, own_sha256(path)
