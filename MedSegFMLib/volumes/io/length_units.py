"""Units of length in headers: NIfTI's are converted, as ITK does; others have to be millimetres."""

from __future__ import annotations

import re
from pathlib import Path

from ...errors import VolumeError

# The part of NIfTI's xyzt_units that is a length, and its codes with their size in millimetres.
_LENGTH_BITS = 0x07
_NIFTI = {1: ("metres", 1e3), 3: ("micrometres", 1e-3)}
_OTHER = re.compile(
    r"(um|µm|μm|nm|cm|dm|m|km|inch|inches|in|feet|ft|microns?|angstroms?"
    r"|((nano|micro|centi|deci|kilo)?(meter|metre)s?))",
    re.IGNORECASE,
)


def nifti_unit(code: int) -> tuple[float, str]:
    """The size of a NIfTI header's unit in millimetres, and a clause to report; empty for mm."""
    name, factor = _NIFTI.get(code & _LENGTH_BITS, ("", 1.0))
    return factor, f"states lengths in {name}, converted to millimetres" if name else ""


def check_millimetres(path: Path, key: str, text: str) -> None:
    """Check that a field names no unit of length but millimetres, which ITK reads all as.

    Raises:
        VolumeError: it names another one.
    """
    for word in re.split(r'[\s"]+', text):
        if _OTHER.fullmatch(word):
            raise VolumeError(
                f"{path} states lengths in {word} ({key}), and its format is read in millimetres; "
                "convert its spacing and position to mm."
            )
