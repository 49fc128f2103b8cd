"""ENSAM as a model: a region is encoded once, each set of prompts is decoded from it.

Stenhede, Bjørnstad and Ranjbar, "ENSAM: an efficient foundation model for interactive segmentation
of 3D medical images", 2025. The paper's network processes the region's voxels, and so do weights
that were trained like it. By default, the region is resampled to a fixed number of cells, and
windows of it around marks are processed again if those cells are coarse; the logits are
interpolated back. In either case the region's 0.5 and 99.5 percentiles are at 0 and 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from ...errors import ModelError
from ...progress import Progress, part_of, parts_of
from ...prompts.types import Prompt
from ...prompts.voxels import enforce_marks, to_voxels
from ...segmenter import Encoding, Logits, ModelCard, ModelOption, Prediction, Segmenter
from ...system.device import choose_device, is_cpu
from ...system.foreign_errors import check_finite_output
from ...system.installing import extra_command
from ...volumes.intensities import intensity_bounds, normalised
from ...volumes.region import Region
from ...volumes.volume import Volume
from ...weights import store
from ...weights.checksums import own_sha256
from ..common.options import parse_yes_no
from ..common.steps import is_heeded
from ..randomwalk.refined_segmenter import RefinedSegmenter
from . import weights as ensam_weights
from .click_sizes import regions_around, surest
from .grids import CellGrid, grid_of
from .network.graphs import graphs
from .runtime import Features, NetworkPrompts, Runtime
from .sliding_windows import WindowAnswer, blended, holds_object
from .steps import EnsamEncoding, EnsamPrediction, logits_before
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
    region_rule=CellGrid.region_rule,
    packages=("safetensors",),
    weights="ensam",
    uses_previous=True,
    starts_from="previous",
    base_bytes=355_000_000,
    bytes_per_voxel=CellGrid.bytes_per_voxel,
    # The walk alone would find the ball.
    trial_options={"refine": False},
    finds_ball=True,
    options=(
        ModelOption(
            "refine",
            "Refine borders",
            "Refine each answer by the random walk; not the answers of weights that process voxels "
            "as in the paper, unless you choose it",
            ("yes", "no"),
            "yes",
        ),
    ),
)

# A clicked voxel gets at least this logit in the click's direction, whatever the prediction.
CLICK_LOGIT = 1.0


def create(
    device: str = "auto", weights: str | Path | None = None, refine: bool | str | None = None
) -> Segmenter:
    """Load the model with the stored weights, or those in the file `weights`.

    On a CPU, OpenVINO runs the network, or ONNX Runtime if OpenVINO is not installed. torch runs it
    on a GPU, and on a CPU without either or without a graph of the weights' configuration.

    Args:
        device: a name as in `system.device.choose_device`.
        weights: A file of weights; None for the stored ones.
        refine: Whether each prediction is refined by the random walk; "no" gives the network's own.
            None refines unless the network processes voxels as in the paper.

    Raises:
        DeviceError: If the device is not available.
        ModelError: If nothing that can run the network is installed, or `refine` is not a choice.
        WeightsError: If the weights are missing, altered, truncated or of another network.
    """
    wanted = None if refine is None else parse_yes_no("refine", refine)
    on_cpu = is_cpu(device)
    path = store.find(CARD.name) if weights is None else Path(weights)
    store.verify_recorded(path)
    network = EnsamSegmenter(_cpu_runtime(path) if on_cpu else _torch_runtime(path, device))
    is_refined = network.grid.is_refined if wanted is None else wanted
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

    classes: tuple[str, ...] = ()

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        # Regions that are only tried do not belong on the disk.
        self._trying = runtime.runtime if isinstance(runtime, StoredRuntime) else runtime
        self.grid = grid_of(runtime.config)
        self.card = CARD
        if self.grid.region_rule != CARD.region_rule:
            self.card = replace(
                CARD,
                region_rule=self.grid.region_rule,
                bytes_per_voxel=self.grid.bytes_per_voxel,
            )

    def choose_region(
        self,
        volume: Volume,
        prompts: Sequence[Prompt],
        mark: Prompt,
        most_voxels: int | None,
        progress: Progress,
    ) -> Region:
        """The region in which the network is most certain; see `session.looks.RegionChooser`.

        Raises:
            VolumeError: If a region contains NaN or infinity.
            DeviceError: If memory runs out.
        """
        geometry = volume.geometry
        marked = to_voxels([mark], geometry).voxels_kji
        regions = regions_around(marked, geometry, self.card.region_rule, most_voxels)

        def decoded(region: Region, share: Progress) -> Logits:
            cells = self.grid.image(volume.array_kji[region.slices])
            image = normalised(cells, intensity_bounds(cells))
            cell_mm = self.grid.spacing_mm(region.shape_kji, geometry.spacing_kji_mm)
            features = self._trying.encode(image, cell_mm, part_of(share, 0, 0.5))
            tokens = prompt_tokens(prompts, geometry, region)
            last = part_of(share, 0.5, 1)
            return self._decoded(features, tokens, region, None, last)

        return surest(regions, decoded, progress)

    def encode(self, volume: Volume, region: Region | None, progress: Progress) -> EnsamEncoding:
        """Encode a region (None: all) in one pass; the volume is not modified.

        Raises:
            VolumeError: If the region contains NaN or infinity.
            DeviceError: If memory runs out.
        """
        progress(0.0, "Preparing the image")
        region = region or Region.whole(volume.geometry.shape_kji)
        cells = self.grid.image(volume.array_kji[region.slices])
        bounds = intensity_bounds(cells)
        cell_mm = self.grid.spacing_mm(region.shape_kji, volume.geometry.spacing_kji_mm)
        features = self._runtime.encode(
            normalised(cells, bounds), cell_mm, part_of(progress, 0.1, 1)
        )
        progress(1.0, "Encoding the image")
        nbytes = features.nbytes * (1 + len(self.grid.windows(region.shape_kji)))
        return EnsamEncoding(volume.geometry, region, nbytes, volume, bounds, features)

    def predict(
        self,
        encoding: Encoding,
        prompts: Sequence[Prompt],
        previous: Prediction | None,
        progress: Progress,
    ) -> Prediction:
        """Decode one object; every marked voxel gets the label of its mark.

        A last mark that the previous prediction already agrees with changes nothing. Prompts
        outside the region have no effect. In a box, a window is processed once a mark is in it, and
        keeps its answer until another one is.

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
        is_whole = previous is not None and previous.region == region
        # A mask to start from is no answer of this model: it still has to see the image.
        if is_whole and isinstance(previous, EnsamPrediction) and is_heeded(previous, prompts):
            return previous
        before = None if previous is None else logits_before(previous, region)
        windows = self.grid.windows(region.shape_kji)
        share, *shares = parts_of(progress, 1 + len(windows), last=0.9)
        rough = self._decoded(encoding.features, tokens, region, before, share)
        array = self._on_voxels(rough, region)
        # Without a box, only the windows show how large the object is: all of them, each time.
        boxed = bool(tokens.marks.boxes)
        known: Mapping[Region, WindowAnswer] = {}
        if boxed and is_whole and isinstance(previous, EnsamPrediction):
            known = previous.windows
        answers: dict[Region, WindowAnswer] = {}
        for window, share in zip(windows, shares, strict=True):
            inner = tokens.within(window)
            if (boxed and not inner.have_marks) or not holds_object(array, window):
                continue
            answer = known.get(window)
            if answer is None or not answer.tokens.equal(inner):
                features = self._features(encoding, window, part_of(share, 0, 0.5))
                before, share = array[window.slices], part_of(share, 0.5, 1)
                answer = WindowAnswer(inner, self._decoded(features, inner, window, before, share))
            answers[window] = answer
        array = blended(
            array, [(part, self._on_voxels(of.logits, part)) for part, of in answers.items()]
        )
        enforce_marks(array, tokens.marks, CLICK_LOGIT)
        progress(1.0, "Predicting the mask")
        return EnsamPrediction(encoding.geometry, region.start_kji, array, windows=answers)

    def _features(self, encoding: EnsamEncoding, window: Region, progress: Progress) -> Features:
        """The features of a window of an encoded region, computed once."""
        features = encoding.windows.get(window)
        if features is None:
            volume, shape = encoding.volume, window.shape_kji
            array = volume.array_kji[window.shifted(encoding.region.start_kji).slices]
            image = normalised(self.grid.image(array), encoding.bounds)
            cell_mm = self.grid.spacing_mm(shape, volume.geometry.spacing_kji_mm)
            features = self._runtime.encode(image, cell_mm, progress)
            encoding.windows[window] = features
        return features

    def _decoded(
        self,
        features: Features,
        tokens: Tokens,
        region: Region,
        before: Logits | None,
        progress: Progress,
    ) -> Logits:
        """The grid's logits of a region or window, given those (K, J, I) of the previous step."""
        positions = self.grid.positions(tokens.positions_kji, region.shape_kji)
        previous = None if before is None else self.grid.previous(before)
        prompts = NetworkPrompts(tokens.kinds, positions)
        logits = self._runtime.decode(features, prompts, previous, progress)
        check_finite_output(logits, CARD.name)
        return logits

    def _on_voxels(self, logits: Logits, region: Region) -> Logits:
        """Logits of the grid on the voxels (K, J, I) of a region or window."""
        return self.grid.logits(logits, region.shape_kji)
