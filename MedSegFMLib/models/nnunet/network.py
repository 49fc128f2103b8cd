"""The networks of a trained nnU-Net folder, run as `nnunetv2` runs them. Needs torch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import VolumeError, WeightsError
from ...progress import Progress, part_of
from ...segmenter import Logits
from ...volumes.volume import Volume
from ...weights.layout import check_layout
from ..class_based.class_maps import ClassMaps, competing, overlapping
from ..class_based.network_grid import check_network_grid
from ..class_based.segmenter import SCORING
from ..common.configuration_errors import configuration_errors
from ..common.quiet import quiet
from ..common.setting_rules import check_parameters
from ..common.state_dict import check_finite
from .folder import Trained

if TYPE_CHECKING:
    import torch

# The logit of the zero border that nnU-Net crops: certainly background.
_UNSEEN = -16.0
# The squares of such values, needed for the standard deviation, still fit into 32 bits.
_LARGEST_INTENSITY = 1e15

_ADVICE = "give a folder that nnU-Net version 2 wrote"


class NnunetNetwork:
    """The networks of a folder on a device.

    Args:
        trained: The content of the folder.
        device: The device.
        step: The step between windows as a fraction of their width.
        mirrored: Whether to average over mirror images, if the training allows it.
    """

    def __init__(self, trained: Trained, device: torch.device, step: float, mirrored: bool) -> None:
        import torch

        from .torch_windows import WindowedPredictor

        self._trained = trained
        with (
            quiet(),
            configuration_errors("nnunet", trained.path, "nnU-Net writes", _ADVICE),
        ):
            plans, configuration = _managers(trained)
            with torch.device("meta"):
                described = _network(trained, plans, configuration).state_dict()
            expected = {name: tuple(tensor.shape) for name, tensor in described.items()}
            check_parameters(expected.values(), "the network")
            for state in trained.states:
                shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
                check_layout(shapes, expected, trained.path, "its plans describe", _ADVICE)
                check_finite(state, trained.path)
            network = _network(trained, plans, configuration)
            self._predictor = WindowedPredictor(step, mirrored, device)
            self._predictor.manual_initialization(
                network.requires_grad_(False),
                plans,
                configuration,
                list(trained.states),
                trained.dataset,
                trained.trainer,
                trained.mirroring,
            )

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names of dataset.json, without background."""
        return self._trained.classes

    def class_maps(self, volume: Volume, progress: Progress) -> ClassMaps:
        """Score every voxel of a volume, whose images are those of the folder in its order.

        Raises:
            VolumeError: If a side is too short for the network's spacing.
        """
        import torch

        trained, codes = self._trained, volume.geometry.axis_codes
        reoriented = volume if trained.axis_codes is None else volume.reoriented(trained.axis_codes)
        predictor = self._predictor
        with quiet():
            data, properties = self._prepared(reoriented)
        with _same_threads():
            scores = predictor.scores(torch.from_numpy(data), part_of(progress, 0.05, SCORING))

        def restore(channel: NDArray[np.floating], number: int) -> Logits:
            unseen = -_UNSEEN if number == 0 and trained.drawn is None else _UNSEEN
            with quiet():
                logits = self._on_grid(channel, properties, unseen)
            return Volume(logits, reoriented.geometry).reoriented(codes).array_kji

        separating = part_of(progress, SCORING, 1.0)
        if trained.drawn is None:
            channels = [label for (label,) in trained.labels]
            return competing(scores, channels, restore, separating)
        members = [
            [channel for channel, drawn in enumerate(trained.drawn) if drawn in labels]
            for labels in trained.labels
        ]
        return overlapping(scores, members, restore, separating)

    def _prepared(self, volume: Volume) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """The preprocessed volume, and nnU-Net's record for undoing the preprocessing."""
        predictor = self._predictor
        plans, configuration = predictor.plans_manager, predictor.configuration_manager
        array = np.stack([image.astype(np.float32) for image in volume.arrays])
        np.clip(array, -_LARGEST_INTENSITY, _LARGEST_INTENSITY, out=array)
        properties: dict[str, Any] = {"spacing": list(volume.geometry.spacing_kji_mm)}
        heads = predictor.label_manager.num_segmentation_heads
        _check_extent(volume, plans.transpose_forward, configuration.spacing, heads)
        preprocessor = configuration.preprocessor_class(verbose=False)
        data, _, properties = preprocessor.run_case_npy(
            array, None, properties, plans, configuration, predictor.dataset_json
        )
        return np.asarray(data, np.float32), properties

    def _on_grid(
        self, channel: NDArray[np.floating], properties: dict[str, Any], unseen: float
    ) -> Logits:
        """A channel on the grid of the preprocessed volume, resampled as in nnU-Net."""
        import torch

        plans = self._predictor.plans_manager
        configuration = self._predictor.configuration_manager
        spacing = [properties["spacing"][axis] for axis in plans.transpose_forward]
        # 2D networks have no spacing between slices.
        network_spacing = [*spacing[: 3 - len(configuration.spacing)], *configuration.spacing]
        shape = properties["shape_after_cropping_and_before_resampling"]
        resampled = configuration.resampling_fn_probabilities(
            torch.from_numpy(channel)[None], shape, network_spacing, spacing
        )
        whole = np.full(properties["shape_before_cropping"], unseen, np.float32)
        whole[tuple(slice(*bounds) for bounds in properties["bbox_used_for_cropping"])] = resampled[
            0
        ]
        return whole.transpose(plans.transpose_backward)


def _managers(trained: Trained) -> tuple[Any, Any]:
    """nnU-Net's managers of plans and of the configuration."""
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    plans = PlansManager(deepcopy(trained.plans))
    configuration = plans.get_configuration(trained.configuration)
    if configuration.previous_stage_name is not None:
        raise WeightsError(
            f"{trained.path} is the second stage of a cascade, which needs the prediction of the "
            "first; give a folder of a configuration without a cascade, such as 3d_fullres."
        )
    return plans, configuration


def _network(trained: Trained, plans: Any, configuration: Any) -> torch.nn.Module:
    """A network with new weights."""
    from nnunetv2.utilities.label_handling.label_handling import determine_num_input_channels

    network: torch.nn.Module = _trainer(trained).build_network_architecture(
        plans,
        configuration,
        determine_num_input_channels(plans, configuration, trained.dataset),
        plans.get_label_manager(trained.dataset).num_segmentation_heads,
        enable_deep_supervision=False,
    )
    return network


def _trainer(trained: Trained) -> Any:
    """The class of the trainer, which is one of nnU-Net's own.

    nnU-Net's own search goes on in the folders that an environment variable lists.
    """
    import nnunetv2
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
    from nnunetv2.utilities.find_class_by_name import recursive_find_python_class

    package = "nnunetv2.training.nnUNetTrainer"
    (root,) = nnunetv2.__path__
    folder = Path(root, "training", "nnUNetTrainer")
    found = recursive_find_python_class(str(folder), trained.trainer, package, root)
    if not (isinstance(found, type) and issubclass(found, nnUNetTrainer)):
        raise WeightsError(
            f"The network of {trained.path} cannot be built (nnU-Net has no trainer "
            f"{trained.trainer}); {_ADVICE}."
        )
    return found


def _check_extent(volume: Volume, axes: list[int], spacing: list[float], heads: int) -> None:
    """Raise VolumeError if a side has less than one voxel in the network's spacing, or too many."""
    geometry = volume.geometry
    extents_mm = [geometry.shape_kji[axis] * geometry.spacing_kji_mm[axis] for axis in axes]
    # 2D networks have no spacing between slices.
    kept = [geometry.spacing_kji_mm[axis] for axis in axes][: 3 - len(spacing)]
    check_network_grid(extents_mm, [*kept, *spacing], heads * np.dtype(np.float16).itemsize)
    for extent_mm, step_mm in zip(extents_mm[-len(spacing) :], spacing, strict=True):
        if round(extent_mm / step_mm) < 1:
            raise VolumeError(
                f"The volume is {extent_mm:.3g} mm wide on one side, less than half a voxel of "
                f"{step_mm:.3g} mm in the network's spacing; give one with more slices."
            )


@contextmanager
def _same_threads() -> Iterator[None]:
    """Restore the number of torch's threads, which nnU-Net limits and, if cancelled, leaves so."""
    import torch

    threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(threads)
