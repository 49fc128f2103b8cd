"""A bundle's SegResNet, run as MONAI runs it. Needs torch and monai."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import VolumeError
from ...progress import Progress, part_of
from ...segmenter import Logits
from ...system.foreign_errors import check_finite_output
from ...volumes.volume import Volume
from ...weights.layout import check_layout
from ..class_based.class_maps import ClassMaps, competing, overlapping
from ..class_based.network_grid import check_network_grid
from ..class_based.segmenter import SCORING
from ..common.configuration_errors import configuration_errors
from ..common.monai_volumes import meta_tensor, window_count
from ..common.setting_rules import check_parameters
from ..common.state_dict import check_finite, read_state_dict
from .bundle import Bundle

if TYPE_CHECKING:
    import torch

# Keys under which scripts store the state dict beside their optimiser's.
_HOLDERS = ("model", "state_dict")
_GET = "get the bundle again"
_ADVICE = "give a checkpoint of the network that the bundle describes"

# The smallest probability, about the smallest number of 16 bits.
_LEAST = 6e-8


class SegResNetNetwork:
    """The network of a bundle on a device.

    Args:
        bundle: The bundle.
        device: The device.
        overlap: The overlap of windows; None for the bundle's.
    """

    def __init__(self, bundle: Bundle, device: torch.device, overlap: float | None) -> None:
        self._bundle = bundle
        self._device = device
        with configuration_errors("segresnet", bundle.path, "MONAI needs", _GET):
            self._network = _load(bundle).to(device)
            self._preparing = _composed(bundle)
            given = {} if overlap is None else {"overlap": overlap}
            self._windows = _inferer({**bundle.windows, **given}, device)

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names of metadata.json, without background."""
        return self._bundle.classes

    def class_maps(self, volume: Volume, progress: Progress) -> ClassMaps:
        """Score every voxel of a volume.

        Raises:
            VolumeError: If the bundle's preprocessing leaves nothing of it.
        """
        import torch
        from monai.data import MetaTensor
        from monai.transforms import Invertd

        self._check_grid(volume)
        prepared: Any = self._preparing({"image": meta_tensor(volume)})["image"]
        if not prepared.numel():
            raise VolumeError(
                "Nothing of the volume is left after the bundle's preprocessing; give one with "
                "intensities and slices like those that it was trained on."
            )
        scores = self._probabilities(prepared, part_of(progress, 0.05, SCORING))
        # The record of the preprocessing, without the voxels.
        trace = MetaTensor(
            torch.zeros(1), meta=prepared.meta, applied_operations=prepared.applied_operations
        )
        back = Invertd("pred", self._preparing, "image", nearest_interp=self._bundle.nearest)

        def restore(channel: NDArray[np.floating], number: int) -> Logits:
            on_grid = torch.from_numpy(np.asarray(channel, np.float32))[None]
            restored = back({"image": trace, "pred": MetaTensor(on_grid)})["pred"][0].numpy()
            probability = np.clip(restored.transpose(), _LEAST, 1)
            logits: Logits = np.log(probability)
            if not self._bundle.softmax:
                logits -= np.log1p(-np.minimum(probability, 1 - _LEAST))
            return logits

        separating = part_of(progress, SCORING, 1.0)
        if self._bundle.softmax:
            return competing(scores, range(1, len(scores)), restore, separating)
        return overlapping(scores, [[0]], restore, separating)

    def _check_grid(self, volume: Volume) -> None:
        """Raise VolumeError if the scores in the bundle's spacing cannot exist in memory."""
        geometry = volume.geometry
        spacing_kji_mm = geometry.spacing_kji_mm
        pairs = zip(geometry.shape_kji, spacing_kji_mm, strict=True)
        extents_mm = [count * step for count, step in pairs]
        score_bytes = np.dtype(np.float32).itemsize * self._bundle.network["out_channels"]
        for transform in self._bundle.transforms:
            pixdim = transform.settings.get("pixdim")
            if pixdim is not None:
                given = list(pixdim) if isinstance(pixdim, list | tuple) else [pixdim]
                # As in MONAI: the last value is repeated, and one below 0 keeps the volume's.
                # The number of voxels does not depend on the order of the axes.
                steps = [*given, *[given[-1]] * 3][:3]
                steps_mm = [step if step > 0 else min(spacing_kji_mm) for step in steps]
                check_network_grid(extents_mm, steps_mm, score_bytes)

    def _probabilities(self, prepared: torch.Tensor, progress: Progress) -> NDArray[np.float32]:
        """(channels, i, j, k) of the preprocessed volume, float32, on the CPU."""
        import torch

        inferer, done = self._windows, 0
        count = window_count(prepared.shape[1:], inferer.roi_size, inferer.overlap)

        def predict_windows(windows: torch.Tensor) -> torch.Tensor:
            nonlocal done
            progress(min(done / count, 1.0), "Predicting the classes")
            done += len(windows)
            # As published: in 16 bits on a GPU.
            with torch.autocast("cuda", enabled=self._device.type == "cuda"):
                answer: torch.Tensor = self._network(windows)
            return answer.float()

        with torch.inference_mode():
            logits = self._windows(torch.Tensor(prepared)[None].float(), predict_windows)[0]
            check_finite_output(logits.numpy(), "segresnet", self._bundle.path)
            for part in logits.split(1, dim=1):
                # Slice by slice: a second copy of all classes may not fit into memory.
                part.copy_(part.softmax(0) if self._bundle.softmax else part.sigmoid())
        probabilities: NDArray[np.float32] = logits.numpy()
        return probabilities


def _load(bundle: Bundle) -> torch.nn.Module:
    import torch
    from monai.networks.nets import SegResNet

    with torch.device("meta"):
        network: torch.nn.Module = SegResNet(**bundle.network)
    state = read_state_dict(bundle.checkpoint, _HOLDERS, _ADVICE)
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    check_parameters(expected.values(), "the network")
    check_layout(shapes, expected, bundle.checkpoint, "the bundle describes", _ADVICE)
    check_finite(state, bundle.checkpoint)
    network.load_state_dict({n: t.float() for n, t in state.items()}, assign=True)
    return network.requires_grad_(False).eval()


def _composed(bundle: Bundle) -> Any:
    from monai import transforms

    # The source that MONAI would read from a file's header, and a default that varies by version.
    added: dict[str, dict[str, Any]] = {
        "CropForegroundd": {"source_key": "image"},
        "Orientationd": {"labels": (("L", "R"), ("P", "A"), ("I", "S"))},
    }

    def made(name: str, settings: dict[str, Any]) -> Any:
        return getattr(transforms, name)(keys="image", **{**added.get(name, {}), **settings})

    return transforms.Compose([made(step.name, dict(step.settings)) for step in bundle.transforms])


def _inferer(settings: dict[str, Any], device: torch.device) -> Any:
    from monai.inferers import SlidingWindowInferer

    # The scores of a hundred classes are assembled on the CPU, which has the most memory.
    return SlidingWindowInferer(**settings, sw_device=device, device="cpu")
