"""ENSAM's weights as a file: safetensors with the network's configuration in its metadata."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...errors import ModelError, WeightsError
from ...segmenter import Logits
from ...weights.layout import check_layout
from ...weights.safetensors_header import Header, read_header
from ...weights.saving import save_tensors
from ..common.state_dict import check_finite, read_safetensors, unreadable_safetensors
from .network.config import EnsamConfig

if TYPE_CHECKING:
    from .network.network import Ensam

_FORMAT = "medsegfm.ensam"
_VERSION = "1"


def save(network: Ensam, path: Path, half: bool = False) -> None:
    """Write the weights and configuration of a network, completely or not at all.

    Args:
        network: The network.
        path: The file to write.
        half: Whether to write float16, half the size; readers convert it to float32.
    """
    tensors = network.state_dict()
    if half:
        tensors = {name: tensor.half() for name, tensor in tensors.items()}
    metadata = {"format": _FORMAT, "version": _VERSION, "config": network.config.to_json()}
    save_tensors(path, tensors, metadata)


def load(path: Path) -> Ensam:
    """Load a network written by `save`, on the CPU, in evaluation mode, float32. Needs torch.

    Raises:
        WeightsError: If the file is missing, truncated, of another network or not finite.
    """
    from .network.network import Ensam

    header = read_header(path)
    network = Ensam(_config(header, path))
    _check(header, {n: tuple(t.shape) for n, t in network.state_dict().items()}, path)
    tensors = read_safetensors(path)
    check_finite(tensors, path)
    network.load_state_dict(tensors)
    network.requires_grad_(False)
    network.eval()
    return network


def read_config(path: Path) -> EnsamConfig:
    """Read the configuration of a network written by `save`.

    Raises:
        WeightsError: As in `load`.
    """
    return _config(read_header(path), path)


def read_arrays(path: Path, shapes: dict[str, tuple[int, ...]]) -> dict[str, Logits]:
    """Read the tensors written by `save` as float32 arrays by name; needs no torch.

    Args:
        path: The file.
        shapes: The shapes of the network's tensors.

    Raises:
        WeightsError: As in `load`.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    _check(read_header(path), shapes, path)
    try:
        arrays = load_file(str(path))
    # For types that numpy lacks the library raises various errors.
    except (SafetensorError, ArithmeticError, AttributeError, LookupError, TypeError) as error:
        raise unreadable_safetensors(path, error) from error
    check_finite(arrays, path)
    return {name: np.ascontiguousarray(array, np.float32) for name, array in arrays.items()}


def _config(header: Header, path: Path) -> EnsamConfig:
    file_format = (header.metadata.get("format"), header.metadata.get("version"))
    if file_format != (_FORMAT, _VERSION):
        raise WeightsError(
            f"{path} holds {file_format[0] or 'another network'} {file_format[1] or ''}, not "
            f"{_FORMAT} {_VERSION}; give weights that MedSegFM's training wrote."
        )
    try:
        return EnsamConfig.from_json(header.metadata.get("config", ""))
    except ModelError as error:
        raise WeightsError(f"{path} cannot be used: {error}") from error


def _check(header: Header, expected: dict[str, tuple[int, ...]], path: Path) -> None:
    network, advice = "its configuration describes", "give the file as training wrote it"
    check_layout(header.shapes, expected, path, network, advice)
