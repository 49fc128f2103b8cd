"""What a safetensors file says it holds, and whether all of it is there. Needs no package.

The file begins with the length of its header (8 bytes, little-endian), then the header in JSON,
then the tensors' bytes: https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import WeightsError

_LENGTH_BYTES = 8
# The format's own limit, so that a file of another kind does not make us read gigabytes.
_LARGEST_HEADER = 100_000_000


@dataclass(frozen=True)
class Header:
    """Free text by key, and the shape of each tensor by name."""

    metadata: dict[str, str]
    shapes: dict[str, tuple[int, ...]]


def read_header(path: Path) -> Header:
    """The header of a safetensors file; no tensor is read.

    Raises WeightsError where the file is missing, truncated or not of this format.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
            text = file.read(min(length, _LARGEST_HEADER))
    except OSError as error:
        raise WeightsError(
            f"The weights {path} cannot be read ({error.strerror or error}); check the path."
        ) from error
    try:
        items: dict[str, Any] = json.loads(text)
        metadata = dict(items.pop("__metadata__", {}))
        shapes = {name: tuple(item["shape"]) for name, item in items.items()}
        end = max((item["data_offsets"][1] for item in items.values()), default=0)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise WeightsError(
            f"{path} is not a whole safetensors file: its header cannot be read; fetch it again."
        ) from error
    expected = _LENGTH_BYTES + length + end
    if size != expected:
        raise WeightsError(
            f"{path} has {size} bytes where its header announces {expected}; it is truncated or "
            "damaged, fetch it again."
        )
    return Header(metadata, shapes)
