"""SAM-Med3D as a model: clicks in 3D for any object, in CT, MR and ultrasound.

Wang et al., "SAM-Med3D: a vision foundation model for general-purpose segmentation on volumetric
medical images", 2024 (arXiv 2310.15161). The network is that of the package `medim`.
"""

from __future__ import annotations

from pathlib import Path

from ...segmenter import ModelCard, RegionRule
from ...system.device import choose_device
from ...weights import store
from .segmenter import SamMed3dSegmenter

# The cube that the network sees is chosen from the prompts, in millimetres.
_ALL = 1 << 30

CARD = ModelCard(
    name="sam-med3d",
    title="SAM-Med3D",
    summary="Segments what is clicked in a cube of 192 mm; a box is a click in its middle.",
    prompts=("point", "box", "mask"),
    modalities=("CT", "MR", "US"),
    dimensions=3,
    code_licence="Apache-2.0",
    weights_licence="Apache-2.0 as its page says",
    region_rule=RegionRule(_ALL, 0.0, _ALL, shared=True),
    packages=("torch", "medim"),
    weights="sam-med3d",
    uses_previous=True,
    can_predict_empty=True,
    starts_from="prior",
    # The published network with random weights on a CPU, growth: 1,382 MB
    # (Testing/benchmarks/backends.py).
    base_bytes=1_500_000_000,
    # Logits, and copies of masks, of what the cube has of the volume.
    bytes_per_voxel=24,
)


def create(device: str = "auto", weights: str | Path | None = None) -> SamMed3dSegmenter:
    """Load SAM-Med3D with the stored weights, or those in the file `weights`.

    Args:
        device: "auto" (CUDA if available), "cpu", "cuda" or "cuda:N".
        weights: A file of weights; None for the stored one.

    Raises:
        DeviceError: If the device is not available.
        WeightsError: If the weights are missing, altered or of another network.
    """
    from .torch_runtime import TorchRuntime
    from .weights import load

    chosen = choose_device(device)
    path = store.find(CARD.name) if weights is None else Path(weights)
    return SamMed3dSegmenter(CARD, TorchRuntime(load(path), chosen, path))
