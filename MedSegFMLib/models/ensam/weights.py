"""ENSAM's weights as a file: safetensors whose metadata hold the network's configuration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...errors import ModelError, WeightsError
from ...segmenter import Logits
from ...weights.layout import check_layout
from ...weights.safetensors_header import Header, read_header
from ...weights.saving import save_tensors
from .network.config import EnsamConfig

if TYPE_CHECKING:
    from .network.network import Ensam

_FORMAT = "medsegfm.ensam"
_VERSION = "1"


def save(network: Ensam, path: Path, half: bool = False) -> None:
    """Write the weights and configuration of a network, whole or not at all.

    half: as float16, in half the bytes; what reads them makes float32 of them again.
    """
    tensors = network.state_dict()
    if half:
        tensors = {name: tensor.half() for name, tensor in tensors.items()}
    metadata = {"format": _FORMAT, "version": _VERSION, "config": network.config.to_json()}
    save_tensors(path, tensors, metadata)


def load(path: Path) -> Ensam:
    """The network that `save` wrote, on the CPU, in evaluation mode, float32. Needs torch.

    Raises WeightsError where the file is missing, truncated or of another network.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from .network.network import Ensam

    header = read_header(path)
    network = Ensam(_config(header, path))
    _check(header, {n: tuple(t.shape) for n, t in network.state_dict().items()}, path)
    try:
        network.load_state_dict(load_file(str(path)))
    except SafetensorError as error:
        raise WeightsError(f"{path} cannot be read as safetensors ({error}).") from error
    network.requires_grad_(False)
    network.eval()
    return network


def read_config(path: Path) -> EnsamConfig:
    """The configuration of the network that `save` wrote; raises as `load` does."""
    return _config(read_header(path), path)


def read_arrays(path: Path, shapes: dict[str, tuple[int, ...]]) -> dict[str, Logits]:
    """The tensors that `save` wrote as float32 arrays, by name; needs no torch.

    shapes: those that the network has. Raises as `load` does.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    _check(read_header(path), shapes, path)
    try:
        arrays = load_file(str(path))
    except SafetensorError as error:
        raise WeightsError(f"{path} cannot be read as safetensors ({error}).") from error
    return {name: np.ascontiguousarray(array, np.float32) for name, array in arrays.items()}


def _config(header: Header, path: Path) -> EnsamConfig:
    found = (header.metadata.get("format"), header.metadata.get("version"))
    if found != (_FORMAT, _VERSION):
        raise WeightsError(
            f"{path} holds {found[0] or 'another network'} {found[1] or ''}, not {_FORMAT} "
            f"{_VERSION}; give weights that MedSegFM's training wrote."
        )
    try:
        return EnsamConfig.from_json(header.metadata.get("config", ""))
    except ModelError as error:
        raise WeightsError(f"{path} cannot be used: {error}") from error


def _check(header: Header, expected: dict[str, tuple[int, ...]], path: Path) -> None:
    network, advice = "its configuration says", "give the file as training wrote it"
    check_layout(header.shapes, expected, path, network, advice)
