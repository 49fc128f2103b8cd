"""From a checkpoint in SAM's layout to a model of volumes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ...segmenter import ModelCard, RegionRule
from ...system.device import choose_device
from ...weights import store
from .preprocessing import PUBLISHED_SIZE, SlicePreprocessor
from .segmenter import PlanarSegmenter, check_options

# What the cards of models around SAM's network share.
REGION_RULE = RegionRule(margin_voxels=8, margin_fraction=0.1, click_radius_voxels=32, shared=False)
PACKAGES = ("torch", "torchvision", "segment_anything")
# ViT-B at native size on a CPU, growth over a box and five clicks, their answers kept: 1561, 1748,
# 1820 and 2929 MB for regions of 48, 96, 160 and 256 voxels a side (Testing/benchmarks/memory.py).
# At 1024 the features of a slice take two MiB, as far as `cache_bytes` allows, and a CPU's encoder
# some 5 GB while it is made.
BASE_BYTES = 1_600_000_000
BYTES_PER_VOXEL = 80


def create_planar(
    card: ModelCard,
    preprocessor: Callable[[str], SlicePreprocessor],
    device: str,
    weights: str | Path | None,
    size: str | int | None,
    fusion: str,
    planes: Sequence[str] | str,
    cache_bytes: int | str,
) -> PlanarSegmenter:
    """Load the weights of the store, or those in a file, and put them to work.

    device: "auto" (CUDA where there is one), "cpu", "cuda" or "cuda:N".
    size: "1024", as published, "native", the region as its pixels are, 1024 a side at most, or
        "224" or "448", the region with its longest side brought to so many pixels; numbers too.
        None: "1024" on a GPU and "native" on a CPU, where 1024 takes seconds for each slice.
    fusion: "reliable", "mean" or "majority"; see `fusion`.
    planes: those of "axial", "coronal" and "sagittal" to look at; as text, with commas between.
    cache_bytes: how much memory the features of slices may take; as text too.

    Raises ModelError for an option that there is not, DeviceError for a device that is not there,
    WeightsError for weights that are missing, altered, truncated or of another network.
    """
    from . import loading

    chosen = choose_device(device)
    size = str(size or ("native" if chosen.type == "cpu" else PUBLISHED_SIZE))
    names = plane_names(planes)
    budget = check_options(size, fusion, names, cache_bytes)
    path = store.find(card.name) if weights is None else Path(weights)
    runtime = loading.load(path, str(chosen), card.name)
    return PlanarSegmenter(card, runtime, preprocessor(size), fusion, names, budget)


def plane_names(planes: Sequence[str] | str) -> list[str]:
    """The names of planes; as text they have commas between."""
    return [n.strip() for n in planes.split(",")] if isinstance(planes, str) else list(planes)
