"""MedSAM2 as a model of volumes: an object followed from slice to slice as in a video.

Ma et al., "MedSAM2: Segment anything in 3D medical images and videos", 2025 (arXiv 2504.03600): SAM
2.1 tiny (Ravi et al., "SAM 2: Segment anything in images and videos", 2024) trained further on
455,000 pairs of 3D images and masks. Weights of SAM 2.1 itself are accepted too.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...errors import ModelError
from ...segmenter import ModelCard, ModelOption, RegionRule
from ...volumes.windows import AUTO
from ...weights import store
from ..common.options import CACHE_OPTION, parse_yes_no
from ..planar.fusion import FUSIONS
from ..planar.grey_levels import WINDOW_OPTION, chosen_window
from ..sam.create import plane_names
from ..sam.feature_cache import SliceFeatures
from ..sam.preprocessing import PUBLISHED_SIZE
from ..sam.segmenter import DEFAULT_CACHE_BYTES, check_options
from ..sam.slice_tracking import BACKWARD, FORWARD
from .preprocessing import sam2_preprocessor
from .segmenter import VideoSegmenter

# The published network on a CPU with sixteen slices took 1.24 GB, of which 0.07 GB are the features
# of slices, which take up to `cache_bytes` (Testing/benchmarks/memory.py --sides 16).
_BASE_BYTES = 1_300_000_000 + DEFAULT_CACHE_BYTES
# Of each of three planes grey levels, two cached 16-bit logits, logits and probabilities; and fused
# logits.
_BYTES_PER_VOXEL = 43

DIRECTIONS = {
    "both": (FORWARD, BACKWARD),
    "forward": (FORWARD,),
    "backward": (BACKWARD,),
}

CARD = ModelCard(
    name="medsam2",
    title="MedSAM2",
    summary="Follows a box or clicks on one slice through the others, as an object in a video.",
    prompts=("box", "point", "mask"),
    modalities=("CT", "MR", "PET", "US", "endoscopy", "microscopy"),
    dimensions=2,
    code_licence="Apache-2.0",
    weights_licence="CC-BY-SA-4.0 as tagged; its page adds: for research and education only",
    region_rule=RegionRule(
        margin_voxels=8, margin_fraction=0.1, click_radius_voxels=32, shared=False
    ),
    packages=("torch", "torchvision", "transformers"),
    weights="medsam2",
    can_predict_empty=True,
    base_bytes=_BASE_BYTES,
    bytes_per_voxel=_BYTES_PER_VOXEL,
    options=(
        ModelOption("planes", "Planes", "Names of planes with commas", (), "axial"),
        ModelOption(
            "fusion", "Planes' vote", "How the planes are combined", tuple(FUSIONS), "reliable"
        ),
        ModelOption(
            "propagation",
            "Propagation",
            "The slices that are reached: on both sides, or those on the superior, anterior or "
            "left side alone (forward), or on the other one",
            tuple(DIRECTIONS),
            "both",
        ),
        ModelOption(
            "largest",
            "Largest part",
            "Keep the largest connected part alone, as for lesions in CT",
            ("true", "false"),
            "false",
        ),
        WINDOW_OPTION,
        CACHE_OPTION,
    ),
)


def create(
    device: str = "auto",
    weights: str | Path | None = None,
    planes: Sequence[str] | str = ("axial",),
    fusion: str = "reliable",
    propagation: str = "both",
    largest: bool | str = False,
    cache_bytes: int | str = DEFAULT_CACHE_BYTES,
    window: str = AUTO,
) -> VideoSegmenter:
    """Load MedSAM2 with the stored weights, or those in the file or folder `weights`.

    Args:
        device: a name as in `system.device.choose_device`.
        weights: A file or folder of weights; None for the stored ones.
        planes: Those of "axial", "coronal" and "sagittal" to segment; as text, separated by commas.
        fusion: The fusion of several planes: "reliable", "regions", "mean" or "majority".
        propagation: "both", from the prompted slices first forward, then backward; "forward" or
            "backward" for one of these alone. Forward is towards superior, anterior and left.
        largest: Whether only the largest connected component is kept, as in MedSAM2's script for CT
            lesions; text is accepted too.
        cache_bytes: The memory limit of the slices' features, about 4 MB each; text is accepted
            too.
        window: "auto", that of MedSAM; or the name of a window or LEVEL,WIDTH.

    Raises:
        ModelError: If an option has no such value.
        DeviceError: If the device is not available.
        WeightsError: If weights are missing, altered or of another network.
    """
    from ...system.device import choose_device
    from . import weights as medsam2_weights
    from .torch_runtime import TorchSam2Encoder, sam2_tracker

    chosen = choose_device(device)
    names = plane_names(planes)
    budget = check_options(PUBLISHED_SIZE, fusion, names, cache_bytes)
    if propagation not in DIRECTIONS:
        raise ModelError(
            f"There is no propagation '{propagation}'; choose from {', '.join(DIRECTIONS)}."
        )
    largest_only = parse_yes_no("largest", largest)
    shown = chosen_window(window)
    path = medsam2_weights.find_weights_file(
        store.find(CARD.name) if weights is None else Path(weights)
    )
    network = medsam2_weights.load(path).to(chosen)
    encoder = TorchSam2Encoder(network, chosen, path)
    preprocessor = sam2_preprocessor(encoder.side)
    # In 32 bits, so that an answer is that of transformers' own session.
    features = SliceFeatures(encoder, preprocessor, budget, shown, np.float32)
    tracker = sam2_tracker(network, chosen, path)
    directions = DIRECTIONS[propagation]
    return VideoSegmenter(
        CARD, tracker, preprocessor, features, names, fusion, directions, largest_only
    )
