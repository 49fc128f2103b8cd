"""From a checkpoint to its runtime: OpenVINO and torch on a CPU, torch on a GPU.

SAM 2 and SAM 3 run in torch on a CPU too.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ...system.device import choose_device
from ...weights import store
from ...weights.checksums import own_sha256
from . import network_files
from .layouts.transformers_files import weights_file
from .runtime import SamRuntime

if TYPE_CHECKING:
    from .network.image_sam import ImageSam
    from .network.network import Sam


def load(path: Path, device: str = "auto", model: str = "sam") -> SamRuntime:
    """Load the network of a checkpoint on a device of `system.device.choose_device`.

    Args:
        path: The checkpoint, or the folder of transformers that contains it.
        device: The device.
        model: The model name in error messages of the device.

    Raises:
        DeviceError: If the device is not available.
        WeightsError: If the weights are missing, altered, truncated or of another network.
    """
    path = weights_file(path)
    store.verify_recorded(path)
    # Before the file is read, since files derived from its content are named by this.
    sha256 = own_sha256(path)
    return make_runtime(network_files.load(path), path, sha256, device, model)


def make_runtime(
    network: Sam | ImageSam, path: Path, sha256: str, device: str, model: str
) -> SamRuntime:
    """The runtime of a network on a device.

    Args:
        network: The network.
        path: The file of the network; OpenVINO graphs are stored beside it.
        sha256: The SHA-256 of that file, which the names of the graphs contain.
        device: The device.
        model: The model name in error messages.
    """
    import torch

    from .network.network import Sam
    from .torch_runtime import TorchSamRuntime

    chosen = choose_device(device)
    on_cpu = chosen.type == "cpu" and find_spec("openvino") is not None
    if on_cpu and isinstance(network, Sam):
        from .openvino_graphs import Source
        from .openvino_runtime import OpenVinoSamRuntime

        runtime: TorchSamRuntime = OpenVinoSamRuntime(network, Source(path, sha256), model)
    else:
        runtime = TorchSamRuntime(network, chosen, model)
    kind, by = type(runtime).__name__, f"torch {torch.__version__}"
    runtime.identity = f"{network.config.family} {sha256} {kind} {chosen.type} {by}"
    return runtime
