"""From a SAM checkpoint to what computes it: OpenVINO and torch on a CPU, torch on a GPU."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from ..device import choose_device
from ..weights import store
from ..weights.checksums import recorded, sha256_of
from . import sam_weights
from .sam_runtime import SamRuntime


def load(path: Path, device: str = "auto", model: str = "sam") -> SamRuntime:
    """The network whose weights a file holds, ready on "auto", "cpu", "cuda" or "cuda:N".

    model: whose name errors of the device say.

    Raises DeviceError for a device that is not there, WeightsError for weights that are missing,
    altered, truncated or of another network.
    """
    from .sam_torch import TorchSamRuntime

    chosen = choose_device(device)
    store.verify_recorded(path)
    # Before the file is read: what is made of its content later goes by this.
    sha256 = recorded(path) or sha256_of(path)
    network = sam_weights.load(path)
    if chosen.type == "cpu" and find_spec("openvino") is not None:
        from .sam_graphs import Source
        from .sam_openvino import OpenVinoSamRuntime

        return OpenVinoSamRuntime(network, Source(path, sha256), model)
    return TorchSamRuntime(network, chosen, model)
