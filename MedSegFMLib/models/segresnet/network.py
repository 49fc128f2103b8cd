"""A bundle's SegResNet, asked as MONAI asks it. Needs torch and monai."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import VolumeError, WeightsError
from ...progress import Progress, part_of
from ...segmenter import Logits
from ...volumes.volume import Volume
from ...weights.layout import check_layout
from ..class_based.class_maps import ClassMaps, competing, overlapping
from ..class_based.segmenter import LOOKING
from ..common.state_dict import read_state_dict
from .bundle import Bundle

if TYPE_CHECKING:
    import torch

# Under these names scripts keep the state dict beside their optimiser's.
_HOLDERS = ("model", "state_dict")
_ADVICE = "give a checkpoint of the network that the bundle describes"

# Below this a probability is taken for 0: the least that 16 bits hold.
_LEAST = 6e-8
# Squares of such values, as a mean and deviation need them, still fit into 32 bits.
_LARGEST_INTENSITY = 1e15


class SegResNetNetwork:
    """The network of a bundle on a device; overlap: of windows, None for the bundle's."""

    def __init__(self, bundle: Bundle, device: torch.device, overlap: float | None) -> None:
        self._bundle = bundle
        self._device = device
        self._network = _load(bundle).to(device)
        try:
            self._preparing = _composed(bundle)
            given = {} if overlap is None else {"overlap": overlap}
            self._windows = _inferer({**bundle.windows, **given}, device)
        except (TypeError, ValueError, KeyError) as error:
            words = " ".join(str(error).split())
            raise WeightsError(
                f"{bundle.path} asks for what this MONAI does not know ({words}); get it again."
            ) from error

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of metadata.json, without background."""
        return self._bundle.classes

    def class_maps(self, volume: Volume, progress: Progress) -> ClassMaps:
        """Score every voxel; VolumeError where the bundle's preprocessing leaves nothing."""
        import torch
        from monai.data import MetaTensor
        from monai.transforms import Invertd

        seen: Any = self._preparing({"image": _meta_tensor(volume)})["image"]
        if not seen.numel():
            raise VolumeError(
                "Nothing of the volume is left after the bundle's preprocessing; give one with "
                "intensities and slices like those that it was trained on."
            )
        scores = self._probabilities(seen, part_of(progress, 0.05, LOOKING))
        # How it was prepared, without the voxels.
        trace = MetaTensor(
            torch.zeros(1), meta=seen.meta, applied_operations=seen.applied_operations
        )
        back = Invertd("pred", self._preparing, "image", nearest_interp=self._bundle.nearest)

        def restore(channel: NDArray[np.floating], number: int) -> Logits:
            own = torch.from_numpy(np.asarray(channel, np.float32))[None]
            found = back({"image": trace, "pred": MetaTensor(own)})["pred"][0].numpy()
            probability = np.clip(found.transpose(), _LEAST, 1)
            logits: Logits = np.log(probability)
            if not self._bundle.softmax:
                logits -= np.log1p(-np.minimum(probability, 1 - _LEAST))
            return logits

        telling = part_of(progress, LOOKING, 1.0)
        if self._bundle.softmax:
            return competing(scores, range(1, len(scores)), restore, telling)
        return overlapping(scores, [[0]], restore, telling)

    def _probabilities(self, seen: torch.Tensor, progress: Progress) -> NDArray[np.float32]:
        """(channels, i, j, k) of the prepared volume, float32, on the CPU."""
        import torch

        count, done = _window_count(seen.shape[1:], self._windows), 0

        def predict_windows(windows: torch.Tensor) -> torch.Tensor:
            nonlocal done
            progress(min(done / count, 1.0), "Predicting the classes")
            done += len(windows)
            # As published: in 16 bits on a GPU.
            with torch.autocast("cuda", enabled=self._device.type == "cuda"):
                answer: torch.Tensor = self._network(windows)
            return answer.float()

        with torch.inference_mode():
            logits = self._windows(torch.Tensor(seen)[None].float(), predict_windows)[0]
            for part in logits.split(1, dim=1):
                # Slice by slice: a second copy of all classes may not fit into memory.
                part.copy_(part.softmax(0) if self._bundle.softmax else part.sigmoid())
        probabilities: NDArray[np.float32] = logits.numpy()
        return probabilities


def _load(bundle: Bundle) -> torch.nn.Module:
    import torch
    from monai.networks.nets import SegResNet

    try:
        with torch.device("meta"):
            network: torch.nn.Module = SegResNet(**bundle.network)
    except (TypeError, ValueError, RuntimeError, LookupError) as error:
        words = " ".join(str(error).split())
        raise WeightsError(
            f"{bundle.path} describes no SegResNet that MONAI knows ({words}); get it again."
        ) from error
    state = read_state_dict(bundle.checkpoint, _HOLDERS, _ADVICE)
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    check_layout(shapes, expected, bundle.checkpoint, "the bundle describes", _ADVICE)
    network.load_state_dict({n: t.float() for n, t in state.items()}, assign=True)
    return network.requires_grad_(False).eval()


def _composed(bundle: Bundle) -> Any:
    from monai import transforms

    # What MONAI takes from the header of a file, and what each version takes for granted.
    added: dict[str, dict[str, Any]] = {
        "CropForegroundd": {"source_key": "image"},
        "Orientationd": {"labels": (("L", "R"), ("P", "A"), ("I", "S"))},
    }

    def made(name: str, settings: dict[str, Any]) -> Any:
        return getattr(transforms, name)(keys="image", **{**added.get(name, {}), **settings})

    return transforms.Compose([made(step.name, dict(step.settings)) for step in bundle.transforms])


def _inferer(settings: dict[str, Any], device: torch.device) -> Any:
    from monai.inferers import SlidingWindowInferer

    # The scores of a hundred classes are put together where there is most memory.
    return SlidingWindowInferer(**settings, sw_device=device, device="cpu")


def _window_count(shape: tuple[int, ...], inferer: Any) -> int:
    """How many windows MONAI will lay over a volume, near enough to tell how far it is."""
    from monai.utils import ensure_tuple_rep, fall_back_tuple

    count = 1
    overlaps = ensure_tuple_rep(inferer.overlap, len(shape))
    for size, width, overlap in zip(
        shape, fall_back_tuple(inferer.roi_size, shape), overlaps, strict=True
    ):
        step = max(int(width * (1 - overlap)), 1)
        count *= 1 + max(0, ceil((size - width) / step))
    return count


def _meta_tensor(volume: Volume) -> Any:
    """(1, i, j, k) as MONAI reads a file, with its matrix to RAS."""
    import torch
    from monai.data import MetaTensor

    array = volume.array_kji.transpose().astype(np.float32)
    np.clip(array, -_LARGEST_INTENSITY, _LARGEST_INTENSITY, out=array)
    # The geometry is not to be written to, which torch warns of.
    return MetaTensor(torch.from_numpy(array)[None], affine=volume.geometry.ijk_to_ras.copy())
