"""VISTA3D as a model: 127 classes of CT by name, clicks on anything, and clicks that correct both.

He et al., "VISTA3D: a unified segmentation foundation model for 3D medical imaging", CVPR 2025
(arXiv 2406.05285). Network, windows and preprocessing are MONAI's, with the settings of the bundle
in its model zoo.
"""

from __future__ import annotations

from pathlib import Path

from ...errors import ModelError
from ...segmenter import ModelCard, ModelOption, RegionRule
from ...system.device import choose_device
from ...weights import store
from ..class_based.segmenter import parse_overlap
from ..common.options import parse_whole, parse_yes_no
from .segmenter import Vista3dSegmenter
from .weights import NAME

# Classes are segmented in all of the volume; clicks look at a window each.
_ALL = 1 << 30
# As published.
_PATCH, _OVERLAP, _SPACING_MM = 128, 0.3, 1.5
_PATCHES = range(32, 257, 16)
_LEAST_MM, _MOST_MM = 0.1, 10.0
DEFAULT_CACHE_BYTES = 1 << 30

CARD = ModelCard(
    name=NAME,
    title="VISTA3D",
    summary="Segments 127 classes of CT by name, and anything from clicks.",
    prompts=("point", "text", "box", "mask"),
    modalities=("CT",),
    dimensions=3,
    code_licence="Apache-2.0",
    weights_licence="contradictory in their README: NVIDIA Open Model License, commercial use "
    "allowed; and NCLS v1, research and evaluation only",
    region_rule=RegionRule(_ALL, 0.0, _ALL, shared=True),
    packages=("torch", "monai", "skimage"),
    weights=NAME,
    can_predict_empty=True,
    starts_from="prior",
    # Computed: the weights twice while they are loaded, and eight maps of 48 features of a window
    # in 32 bits. A voxel: the volume in 32 bits, resampled and padded copies, scores and weights.
    base_bytes=5_000_000_000,
    bytes_per_voxel=24,
    trial_options={"patch": 64},
    options=(
        ModelOption(
            "spacing",
            "Spacing",
            "Millimetres to which volumes are resampled, or original; finer for small animals",
            default="1.5",
        ),
        ModelOption(
            "patch", "Patch size", "In voxels; a smaller one needs less memory", default="128"
        ),
        ModelOption("overlap", "Overlap", "Of neighbouring patches, 0 to 0.9", default="0.3"),
        ModelOption(
            "zero_shot",
            "Unknown objects",
            "Whether clicks without a class are on objects that are none of its classes",
            ("yes", "no"),
            "no",
        ),
    ),
)


def create(
    device: str = "auto",
    weights: str | Path | None = None,
    spacing: str | float = _SPACING_MM,
    patch: str | int = _PATCH,
    overlap: float | str = _OVERLAP,
    zero_shot: bool | str = False,
    cache_bytes: int | str = DEFAULT_CACHE_BYTES,
) -> Vista3dSegmenter:
    """Load VISTA3D with the stored weights, or those in the file `weights`.

    Args:
        device: a name as in `system.device.choose_device`.
        weights: A file of weights; None for the stored ones.
        spacing: The spacing in millimetres to which volumes are resampled, or "original".
        patch: The side of the network's windows in voxels, a multiple of 16 from 32 to 256.
        overlap: The overlap of the windows that cover a volume, as a fraction of their side, 0 to
            0.9.
        zero_shot: Whether clicks without a class are on objects that are none of its classes; text
            is accepted too.
        cache_bytes: The memory limit of the scores of named classes; text is accepted too.

    Raises:
        ModelError: If an option has no such value.
        DeviceError: If the device is not available.
        WeightsError: If weights are missing, altered or of another network.
    """
    spacing_mm, side = _parse_spacing(spacing), _parse_patch(patch)
    part, unknown = parse_overlap(overlap), parse_yes_no("zero_shot", zero_shot)
    budget = parse_whole("cache_bytes", cache_bytes)
    chosen = choose_device(device)
    from . import weights as vista3d_weights
    from .network import Vista3dNetwork

    path = store.find(CARD.name) if weights is None else Path(weights)
    network = Vista3dNetwork(vista3d_weights.load(path).to(chosen), chosen, side, part, path)
    return Vista3dSegmenter(CARD, network, spacing_mm, unknown, budget, path)


def _parse_spacing(spacing: str | float) -> float | None:
    text = str(spacing).strip()
    if text == "original":
        return None
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not _LEAST_MM <= number <= _MOST_MM:
        raise ModelError(
            f"spacing is '{spacing}'; give a number from {_LEAST_MM} to {_MOST_MM:g} in "
            "millimetres, or original."
        )
    return number


def _parse_patch(patch: str | int) -> int:
    text = str(patch).strip()
    if not (text.isascii() and text.isdigit() and int(text) in _PATCHES):
        raise ModelError(
            f"patch is '{patch}'; give a multiple of 16 from {_PATCHES[0]} to {_PATCHES[-1]}, such "
            f"as {_PATCH}."
        )
    return int(text)
