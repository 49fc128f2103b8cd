"""Whether a file of torch's format is whole, without reading its tensors. Needs no package.

Since torch 1.6 torch.save writes a zip archive, whose list of contents stands at its end; before,
it wrote pickles one after the other. https://pytorch.org/docs/stable/notes/serialization.html
"""

from __future__ import annotations

import zipfile
from pathlib import Path

from ..errors import WeightsError
from .safetensors_header import read_header

_ZIP = b"PK\x03\x04"
_PICKLE = b"\x80"


def is_safetensors(path: Path) -> bool:
    """Whether a file begins as safetensors does: a length, then JSON; WeightsError without it."""
    return _start(path)[8:9] == b"{"


def check_torch_file(path: Path) -> None:
    """Raise WeightsError for a file that is truncated, or neither torch's format nor safetensors.

    Of torch's old format, which says nothing of its length, only the beginning is looked at.
    """
    start = _start(path)
    if is_safetensors(path):
        read_header(path)
    elif start.startswith(_ZIP):
        if not zipfile.is_zipfile(path):
            raise WeightsError(f"{path} is truncated or damaged: its end is missing; get it again.")
    elif not start.startswith(_PICKLE):
        raise WeightsError(
            f"{path} is no file of torch's and no safetensors file; give the weights as published."
        )


def _start(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(9)
    except OSError as error:
        raise WeightsError(
            f"The weights {path} cannot be read ({error.strerror or error}); check the path."
        ) from error
