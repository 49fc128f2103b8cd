"""SAM adapted for agreement between planes: its weights with adapters from the recipe `crossplane`.

After "The Cost of Consistency": one SAM with low-rank adapters segments the axial, coronal and
sagittal slices, and was trained to give the same result at their intersections.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...segmenter import ModelCard
from ...system.device import choose_device
from ...volumes.windows import AUTO
from ...weights import store
from ...weights.checksums import own_sha256
from ..common.adapter_files import tensors_file
from ..common.options import BASE_OPTION
from ..planar.grey_levels import chosen_window
from ..planar.stacks import PLANE_NAMES
from .create import (
    BASE_BYTES,
    BYTES_PER_VOXEL,
    OPTIONS,
    PACKAGES,
    REGION_RULE,
    TRIAL_OPTIONS,
    plane_names,
)
from .prepared import make_preprocessor
from .segmenter import DEFAULT_CACHE_BYTES, PlanarSegmenter, check_options

CARD = ModelCard(
    name="crossplane",
    title="Cross-plane SAM",
    summary="SAM 1 to 3 or MedSAM, adapted with LoRA to a site's data so that its planes agree.",
    prompts=("box", "point", "mask"),
    modalities=("any",),
    dimensions=2,
    code_licence="Apache-2.0",
    weights_licence="Apache-2.0 (the SAM it adapts)",
    region_rule=REGION_RULE,
    packages=(*PACKAGES, "peft"),
    weights="crossplane",
    base_bytes=BASE_BYTES,
    bytes_per_voxel=BYTES_PER_VOXEL,
    trial_options=TRIAL_OPTIONS,
    options=(*OPTIONS, BASE_OPTION),
)


def said_by(weights: Path) -> frozenset[str]:
    """The options that need not be asked for: the adapter's SAM, if it is installed.

    Raises:
        WeightsError: If they are no adapter.
    """
    from . import lora_file

    needed = lora_file.read_facts(weights).base_sha256
    here = [item.sha256 for item in store.installed()]
    return frozenset({"base"} if needed in here else ())


def create(
    device: str = "auto",
    weights: str | Path | None = None,
    base: str | Path | None = None,
    size: str | int | None = None,
    fusion: str = "reliable",
    planes: Sequence[str] | str = PLANE_NAMES,
    cache_bytes: int | str = DEFAULT_CACHE_BYTES,
    window: str = AUTO,
) -> PlanarSegmenter:
    """Load the imported adapter, or the one in the folder or file `weights`, with its SAM.

    See `create_planar` for the other options and errors.

    Args:
        base: The file of the adapter's SAM; None for the installed one that matches.
        size: The size of slices; None for the one that the adapter was trained at.

    Raises:
        WeightsError: Also if the base is not the adapter's.
    """
    from . import loading, lora_file

    device = str(choose_device(device))
    path = store.find(CARD.name) if weights is None else Path(weights)
    facts = lora_file.read_facts(path)
    size, names = str(size or facts.size), plane_names(planes)
    budget = check_options(size, fusion, names, cache_bytes)
    shown = chosen_window(window)
    network = lora_file.load(path, None if base is None else Path(base))
    file = tensors_file(path)
    runtime = loading.make_runtime(network, file, own_sha256(file), device, CARD.name)
    preprocessor = make_preprocessor(facts.prepared, size, runtime.config)
    return PlanarSegmenter(CARD, runtime, preprocessor, fusion, names, budget, shown)
