"""SegVol as a model: over 200 anatomical structures of CT by name, by box or by clicks.

Du et al., "SegVol: universal and interactive volumetric medical image segmentation", NeurIPS 2024
(arXiv 2311.13385). It has no package: the network is put together here, in `network`.
"""

from __future__ import annotations

from pathlib import Path

from ...segmenter import ModelCard, ModelOption, RegionRule
from ...system.device import choose_device
from ...weights import store
from ..common.options import parse_yes_no
from .segmenter import SegVolSegmenter

# It looks at the whole volume first.
_ALL = 1 << 30

CARD = ModelCard(
    name="segvol",
    title="SegVol",
    summary="Segments what is named, boxed or clicked in CT, from afar and then closer.",
    prompts=("text", "box", "point", "mask"),
    modalities=("CT",),
    dimensions=3,
    code_licence="Apache-2.0",
    weights_licence="not stated for the weights; the code is MIT",
    region_rule=RegionRule(_ALL, 0.0, _ALL, shared=True),
    packages=("torch", "monai", "transformers", "segment_anything"),
    weights="segvol",
    can_predict_empty=True,
    # An estimate: 0.7 GB of weights, twice while they are loaded, and the attention of a look.
    base_bytes=3_000_000_000,
    # The volume in RAS, its brighter voxels in 64 bits, logits and their sums.
    bytes_per_voxel=24,
    trial_options={"zoom": False},
    options=(
        ModelOption(
            "zoom",
            "Zoom in",
            "Look again at what was found, in the volume's own voxels; slower",
            ("yes", "no"),
            "yes",
        ),
    ),
)


def create(
    device: str = "auto", weights: str | Path | None = None, zoom: bool | str = True
) -> SegVolSegmenter:
    """Load SegVol with the stored weights, or those in the file `weights`.

    Args:
        device: "auto" (CUDA if available), "cpu", "cuda" or "cuda:N".
        weights: A file of weights; None for the stored one.
        zoom: Whether what was found is looked at again in the volume's own voxels.

    Raises:
        ModelError: If `zoom` is not a choice.
        DeviceError: If the device is not available.
        WeightsError: If the weights are missing, altered or of another network.
    """
    zooms = parse_yes_no("zoom", zoom)
    from .torch_runtime import TorchRuntime
    from .weights import load

    chosen = choose_device(device)
    path = store.find(CARD.name) if weights is None else Path(weights)
    return SegVolSegmenter(CARD, TorchRuntime(load(path), chosen, path), zooms)
