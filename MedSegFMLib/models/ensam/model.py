"""ENSAM as a model: a region is encoded once, each set of prompts is decoded from it.

Stenhede, Bjørnstad and Ranjbar, "ENSAM: an efficient foundation model for interactive segmentation
of 3D medical images", 2025. The paper's network processes the region's voxels. Here the region is
resampled to a fixed number of cells, with its 0.5 and 99.5 percentiles at 0 and 1, and windows of
it are processed again if those cells are coarse; the logits are interpolated back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from ...errors import ModelError
from ...progress import Progress, parts_of
from ...prompts.types import Box, Prompt
from ...prompts.voxels import enforce_marks, to_voxels
from ...segmenter import Encoding, Logits, ModelCard, ModelOption, Prediction, RegionRule, Segmenter
from ...system.device import choose_device, is_cpu
from ...system.foreign_errors import check_finite_output
from ...system.installing import extra_command
from ...volumes.intensities import intensity_bounds, normalised
from ...volumes.region import Region
from ...volumes.resampling import cell_positions, resampled
from ...volumes.volume import Volume
from ...weights import store
from ...weights.checksums import own_sha256
from ..common.options import parse_yes_no
from ..randomwalk.refined_segmenter import RefinedSegmenter
from . import weights as ensam_weights
from .network.graphs import graphs
from .runtime import Features, NetworkPrompts, Runtime
from .sliding_windows import SlidingWindow, blended, holds_object, window_regions
from .stored_runtime import StoredRuntime
from .tokens import Tokens, prompt_tokens

CARD = ModelCard(
    name="ensam",
    title="ENSAM",
    summary="Small native 3D network for boxes, clicks and strokes; runs on CPU or GPU.",
    prompts=("box", "point", "scribble", "lasso", "mask"),
    modalities=("CT", "MR", "PET", "US", "microscopy"),
    dimensions=3,
    code_licence="Apache-2.0",
    weights_licence="Apache-2.0",
    region_rule=RegionRule(
        margin_voxels=2, margin_fraction=0.25, click_radius_voxels=16, shared=False
    ),
    packages=("safetensors",),
    weights="ensam",
    uses_previous=True,
    starts_from="previous",
    # Growth over a box and five clicks, with their predictions stored: 360, 402, 614 and 1354 MB
    # for regions of 48, 96, 160 and 256 voxels a side (Testing/benchmarks/memory.py).
    base_bytes=355_000_000,
    bytes_per_voxel=62,
    # The walk alone would find the ball.
    trial_options={"refine": False},
    finds_ball=True,
    options=(
        ModelOption(
            "refine",
            "Refine borders",
            "Refine each answer by the random walk",
            ("yes", "no"),
            "yes",
        ),
    ),
)

# A clicked voxel gets at least this logit in the click's direction, whatever the prediction.
CLICK_LOGIT = 1.0


@dataclass(frozen=True, eq=False)
class EnsamEncoding(Encoding):
    """The network's features of a region, and of windows of it if it is large."""

    features: Features
    windows: tuple[SlidingWindow, ...]


def create(
    device: str = "auto", weights: str | Path | None = None, refine: bool | str = True
) -> Segmenter:
    """Load the model with the stored weights, or those in the file `weights`.

    On a CPU, OpenVINO runs the network, or ONNX Runtime if OpenVINO is not installed. torch runs it
    on a GPU, and on a CPU without either or without a graph of the weights' configuration.

    Args:
        device: a name as in `system.device.choose_device`.
        weights: A file of weights; None for the stored ones.
        refine: Whether each prediction is refined by the random walk; "no" gives the network's own.

    Raises:
        DeviceError: If the device is not available.
        ModelError: If nothing that can run the network is installed, or `refine` is not a choice.
        WeightsError: If the weights are missing, altered, truncated or of another network.
    """
    is_refined = parse_yes_no("refine", refine)
    on_cpu = is_cpu(device)
    path = store.find(CARD.name) if weights is None else Path(weights)
    store.verify_recorded(path)
    network = EnsamSegmenter(_cpu_runtime(path) if on_cpu else _torch_runtime(path, device))
    return RefinedSegmenter(network, CLICK_LOGIT) if is_refined else network


def _cpu_runtime(path: Path) -> Runtime:
    config = ensam_weights.read_config(path)
    if graphs(config).are_shipped and find_spec("openvino") is not None:
        from . import openvino_runtime as ensam_openvino

        return StoredRuntime(ensam_openvino.load(path), _identity(path, "openvino"))
    if graphs(config).are_shipped and find_spec("onnxruntime") is not None:
        from . import onnx_runtime as ensam_onnx

        return StoredRuntime(ensam_onnx.load(path), _identity(path, "onnxruntime"))
    if find_spec("torch") is not None:
        return _torch_runtime(path, "cpu")
    fault = (
        "openvino and onnxruntime are not installed"
        if graphs(config).are_shipped
        else "there is no graph of their configuration"
    )
    raise ModelError(
        f"The weights {path} need torch, which is not installed, because {fault}; run: "
        f"{extra_command('models')}, or use the model randomwalk."
    )


def _identity(path: Path, package: str) -> str:
    """The network of a file, as a package runs it."""
    return f"{CARD.name} {own_sha256(path)} {package} {version(package)}"


def _torch_runtime(path: Path, device: str) -> Runtime:
    from .torch_runtime import TorchRuntime

    chosen = choose_device(device)
    return TorchRuntime(ensam_weights.load(path).to(chosen), chosen)


class EnsamSegmenter:
    """The `Segmenter` around a loaded network."""

    card = CARD
    classes: tuple[str, ...] = ()

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._cells = (runtime.config.cells,) * 3

    def encode(self, volume: Volume, region: Region | None, progress: Progress) -> EnsamEncoding:
        """Encode a region (None: all) in one pass; the volume is not modified.

        Raises:
            VolumeError: If the region contains NaN or infinity.
            DeviceError: If memory runs out.
        """
        progress(0.0, "Preparing the image")
        region = region or Region.whole(volume.geometry.shape_kji)
        array = volume.array_kji[region.slices]
        spacing = volume.geometry.spacing_kji_mm
        cells = resampled(array, self._cells)
        bounds = intensity_bounds(cells)
        regions = window_regions(region.shape_kji, self._cells[0])
        share, *shares = parts_of(progress, 1 + len(regions), first=0.1)
        image = normalised(cells, bounds)
        features = self._runtime.encode(image, self._cell_mm(region, spacing), share)
        windows = []
        for window, share in zip(regions, shares, strict=True):
            image = normalised(resampled(array[window.slices], self._cells), bounds)
            features_of_window = self._runtime.encode(image, self._cell_mm(window, spacing), share)
            windows.append(SlidingWindow(window, features_of_window))
        progress(1.0, "Encoding the image")
        nbytes = features.nbytes + sum(window.features.nbytes for window in windows)
        return EnsamEncoding(volume.geometry, region, nbytes, features, tuple(windows))

    def predict(
        self,
        encoding: Encoding,
        prompts: Sequence[Prompt],
        previous: Prediction | None,
        progress: Progress,
    ) -> Prediction:
        """Decode one object; every marked voxel gets the label of its mark.

        A last mark that the previous prediction already agrees with changes nothing. Prompts
        outside the region have no effect.

        Raises:
            PromptError: For a prompt outside the volume and for a text.
            DeviceError: If memory runs out.
        """
        if not isinstance(encoding, EnsamEncoding):
            raise TypeError(f"ENSAM cannot predict from a {type(encoding).__name__} of a model.")
        CARD.check_takes(prompts)
        progress(0.0, "Reading the prompts")
        region = encoding.region
        tokens = prompt_tokens(prompts, encoding.geometry, region)
        if previous is not None and _heeds(previous, prompts, encoding):
            return previous
        before = None if previous is None else _before(previous, region)
        share, *shares = parts_of(progress, 1 + len(encoding.windows), last=0.9)
        array = self._decoded(encoding.features, tokens, region, before, share)
        window_logits = []
        for window, share in zip(encoding.windows, shares, strict=True):
            part = window.region
            if holds_object(array, part):
                before = array[part.slices]
                logits = self._decoded(window.features, tokens.within(part), part, before, share)
                window_logits.append((part, logits))
        array = blended(array, window_logits)
        enforce_marks(array, tokens.marks, CLICK_LOGIT)
        progress(1.0, "Predicting the mask")
        return Prediction(encoding.geometry, region.start_kji, array)

    def _cell_mm(self, region: Region, spacing_kji_mm: Sequence[float]) -> list[float]:
        sides = zip(spacing_kji_mm, region.shape_kji, self._cells, strict=True)
        return [mm * voxels / cells for mm, voxels, cells in sides]

    def _decoded(
        self,
        features: Features,
        tokens: Tokens,
        region: Region,
        before: Logits | None,
        progress: Progress,
    ) -> Logits:
        """The logits (K, J, I) of a region or window, given those of the previous step."""
        positions = cell_positions(tokens.positions_kji, region.shape_kji, self._cells)
        previous = None if before is None else resampled(before, self._cells)
        prompts = NetworkPrompts(tokens.kinds, positions)
        logits = self._runtime.decode(features, prompts, previous, progress)
        check_finite_output(logits, CARD.name)
        return resampled(logits, region.shape_kji)


def _heeds(previous: Prediction, prompts: Sequence[Prompt], encoding: Encoding) -> bool:
    """Whether the previous prediction covers the region and agrees with the last prompt.

    The network is trained on clicks into errors: a click on something already correct, such as a
    neighbouring object, would make it correct an error elsewhere.
    """
    if previous.region != encoding.region or not prompts or isinstance(prompts[-1], Box):
        return False
    marks = to_voxels(prompts[-1:], encoding.geometry).within(encoding.region)
    predicted = previous.logits_kji[tuple(marks.voxels_kji.T)] > 0
    return bool((predicted == marks.positive).all())


def _before(previous: Prediction, region: Region) -> Logits:
    """The logits of the previous step on a region, 0 outside its own region."""
    logits = np.zeros(region.shape_kji, dtype=np.float32)
    shared = region.intersection(previous.region)
    if shared is not None:
        values = previous.logits_kji[shared.relative_to(previous.region).slices]
        logits[shared.relative_to(region).slices] = values
    return logits
