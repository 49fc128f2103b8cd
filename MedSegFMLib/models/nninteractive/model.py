"""nnInteractive as a model: promptable segmentation of anything in 3D.

Isensee et al., "nnInteractive: Redefining 3D promptable segmentation", 2025 (arXiv 2503.08373). The
session is that of the package `nninteractive`, here or on its server.
"""

from __future__ import annotations

from pathlib import Path

from ...errors import ModelError
from ...segmenter import ModelCard, ModelOption, RegionRule
from ...system.device import choose_device
from ...weights import store
from ..common.options import parse_yes_no
from .segmenter import NnInteractiveSegmenter

# The session zooms by itself and may look at all of the volume.
_ALL = 1 << 30
_MOST_EVERY = 1000

CARD = ModelCard(
    name="nninteractive",
    title="nnInteractive",
    summary="Segments anything in 3D from clicks, scribbles, lassos, boxes; here or on a server.",
    prompts=("point", "scribble", "lasso", "box", "mask"),
    modalities=("any",),
    dimensions=3,
    code_licence="Apache-2.0",
    weights_licence="CC BY-NC-SA 4.0",
    region_rule=RegionRule(_ALL, 0.0, _ALL, shared=True),
    packages=("torch", "nnunetv2", "nnInteractive.inference.inference_session"),
    weights="nninteractive",
    uses_previous=True,
    can_predict_empty=True,
    starts_from="prior",
    # The published network with random weights on a CPU: 7,196 MB, mostly a pass of its patch
    # (Testing/benchmarks/backends.py), and the interactions of the largest volume that are not
    # compressed. A voxel: 4 bytes of the image, 1 of the mask, and copies of masks.
    base_bytes=9_300_000_000,
    bytes_per_voxel=9,
    trial_options={"autozoom": False},
    options=(
        ModelOption(
            "server",
            "Server",
            "Address of an nnInteractive server, http://HOST:PORT, instead of this computer",
            default="this computer",
            packages=("nnInteractive.inference.remote",),
            is_private=True,
        ),
        ModelOption(
            "key", "Key", "The server's key", default="none", is_private=True, is_secret=True
        ),
        ModelOption(
            "box",
            "Box as",
            "A number n for every n-th slice, or planes for three through its middle; public "
            "weights know no 3D boxes",
            default="1",
        ),
        ModelOption(
            "autozoom",
            "Zoom",
            "Look at a larger region if the object reaches beyond what the network sees",
            ("yes", "no"),
            "yes",
        ),
    ),
)


def create(
    device: str = "auto",
    weights: str | Path | None = None,
    server: str | None = None,
    key: str | None = None,
    box: str | int = 1,
    autozoom: bool | str = True,
) -> NnInteractiveSegmenter:
    """Load the imported folder, or the folder `weights`, or connect to a server.

    Args:
        device: a name as in `system.device.choose_device`; of no account with a server.
        weights: a folder; None for the imported one.
        server: the address of a server that has the weights, such as http://gpu-server:1527.
        key: the server's key; None for that in the environment variable NN_INTERACTIVE_API_KEY.
        box: for weights that know no 3D boxes, a number n for every n-th slice of a box, or
            "planes" for the three planes through its middle. Every slice is closest to the box
            itself (Testing/benchmarks/nninteractive_boxes.py).
        autozoom: whether the network may look at a larger region in fewer voxels, as published.

    Raises:
        ModelError: an option is invalid, or the server cannot be used.
        DeviceError: the device is not available.
        WeightsError: the folder is incomplete, altered, or not of nnInteractive.
    """
    every, zooms = _parse_box(box), parse_yes_no("autozoom", autozoom)
    if server is not None:
        if weights is not None:
            raise ModelError("A server has weights of its own; leave out either server or weights.")
        from .remote import RemoteHost

        card = CARD.with_options(("server",))
        return NnInteractiveSegmenter(card, RemoteHost(str(server), key, zooms), every)
    if key is not None:
        raise ModelError("A key is given without a server; add server=http://HOST:PORT.")
    from . import folder
    from .local import LocalHost

    chosen = choose_device(device)
    path = store.find(CARD.name) if weights is None else Path(weights)
    store.verify_recorded(path)
    return NnInteractiveSegmenter(CARD, LocalHost(folder.read(path), chosen, zooms), every)


def _parse_box(box: str | int) -> int:
    text = str(box).strip()
    if text == "planes":
        return 0
    if text.isascii() and text.isdigit() and 1 <= int(text) <= _MOST_EVERY:
        return int(text)
    raise ModelError(
        f"box is '{box}'; give planes, or a number from 1 to {_MOST_EVERY} for every n-th slice."
    )
