"""From a SAM checkpoint to what computes it: OpenVINO and torch on a CPU, torch on a GPU."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ...system.device import choose_device
from ...weights import store
from ...weights.checksums import own_sha256
from . import weights as sam_weights
from .runtime import SamRuntime

if TYPE_CHECKING:
    from .network.network import Sam


def load(path: Path, device: str = "auto", model: str = "sam") -> SamRuntime:
    """The network whose weights a file holds, ready on "auto", "cpu", "cuda" or "cuda:N".

    model: whose name errors of the device say.

    Raises DeviceError for a device that is not there, WeightsError for weights that are missing,
    altered, truncated or of another network.
    """
    store.verify_recorded(path)
    # Before the file is read: what is made of its content later goes by this.
    sha256 = own_sha256(path)
    return make_runtime(sam_weights.load(path), path, sha256, device, model)


def make_runtime(network: Sam, path: Path, sha256: str, device: str, model: str) -> SamRuntime:
    """A network ready on a device.

    path, sha256: the file that it is of, and what names its content: graphs made of the network are
    kept beside the one under the other.
    """
    from .torch_runtime import TorchSamRuntime

    chosen = choose_device(device)
    if chosen.type == "cpu" and find_spec("openvino") is not None:
        from .openvino_graphs import Source
        from .openvino_runtime import OpenVinoSamRuntime

        return OpenVinoSamRuntime(network, Source(path, sha256), model)
    return TorchSamRuntime(network, chosen, model)
