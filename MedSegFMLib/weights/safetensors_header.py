"""The header of a safetensors file, and a check that the file is complete. Needs no package.

The file begins with the length of its header (8 bytes, little-endian), then the header in JSON,
then the tensors' bytes: https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import WeightsError
from ..system.json_files import parse_json
from ..system.regular_files import check_regular_file

_LENGTH_BYTES = 8
# The format's own limit, so that gigabytes of a file in another format are never read.
_LARGEST_HEADER = 100_000_000


@dataclass(frozen=True)
class Header:
    """The header of a safetensors file.

    Attributes:
        metadata: free text by key.
        shapes: the shape of each tensor by name.
    """

    metadata: dict[str, str]
    shapes: dict[str, tuple[int, ...]]


def read_header(path: Path) -> Header:
    """The header of a safetensors file; no tensor is read.

    Raises:
        WeightsError: the file is missing, truncated or not in this format.
    """
    try:
        size = check_regular_file(path, WeightsError).st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
            text = file.read(min(length, _LARGEST_HEADER))
    except WeightsError:
        raise
    except OSError as error:
        raise WeightsError(
            f"The weights {path} cannot be read ({error.strerror or error}); check the path."
        ) from error
    try:
        items: dict[str, Any] = parse_json(text, dict, _LARGEST_HEADER)
        metadata = dict(items.pop("__metadata__", {}))
        if not all(isinstance(value, str) for value in metadata.values()):
            raise ValueError("the metadata are not text")
        shapes = {name: _sizes(item["shape"]) for name, item in items.items()}
        end = max((_sizes(item["data_offsets"])[1] for item in items.values()), default=0)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise WeightsError(
            f"{path} is not a complete safetensors file: its header cannot be read; download it "
            "again."
        ) from error
    expected = _LENGTH_BYTES + length + end
    if size != expected:
        raise WeightsError(
            f"{path} has {size} bytes instead of {expected} and is truncated or damaged; download "
            "it again."
        )
    return Header(metadata, shapes)


def _sizes(values: Any) -> tuple[int, ...]:
    if not isinstance(values, list) or not all(type(n) is int and n >= 0 for n in values):
        raise ValueError("a size is not a whole number")
    return tuple(values)
