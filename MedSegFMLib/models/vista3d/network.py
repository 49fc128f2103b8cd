"""VISTA3D's network run with MONAI's own inferers, on the CPU or a GPU.

He et al., "VISTA3D: a unified segmentation foundation model for 3D medical imaging", CVPR 2025
(arXiv 2406.05285).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...progress import Progress
from ...system.foreign_errors import check_finite_output
from ..common.monai_volumes import window_count
from .weights import NAME

if TYPE_CHECKING:
    from monai.networks.nets.vista3d import VISTA3D

Floats = NDArray[np.float32]


class Vista3dNetwork:
    """A network on a device.

    Args:
        network: The network, on the device.
        device: The device.
        patch: The side of its windows in voxels.
        overlap: The overlap of windows that cover a volume, as a fraction of their side.
        path: The file of its weights in error messages.
    """

    def __init__(
        self,
        network: VISTA3D,
        device: torch.device,
        patch: int,
        overlap: float,
        path: Path | None = None,
    ) -> None:
        self._network: Any = network
        self._device = device
        self._roi = (patch,) * 3
        self._overlap = overlap
        self._path = path

    def class_scores(self, image: Tensor, numbers: Sequence[int], progress: Progress) -> Floats:
        """The logits (classes, i, j, k) of classes on a whole image, in overlapping windows.

        Args:
            image: (1, 1, i, j, k) float32 on the CPU.
            numbers: The numbers of the classes.
            progress: Reports the windows done; may raise Cancelled.
        """
        from monai.inferers import SlidingWindowInferer

        count, done = window_count(image.shape[2:], self._roi, self._overlap), 0
        vector = torch.tensor(numbers)[:, None].to(self._device)

        def predict(windows: Tensor) -> Tensor:
            nonlocal done
            progress(min(done / count, 1.0), "Predicting the classes")
            done += 1
            return self._run(windows, class_vector=vector)

        # Gaussian weights and the padding as published; assembled on the CPU, which has the most
        # memory.
        inferer = SlidingWindowInferer(
            self._roi,
            sw_batch_size=1,
            overlap=self._overlap,
            mode="gaussian",
            padding_mode="replicate",
            sw_device=self._device,
            device="cpu",
        )
        with torch.inference_mode():
            scores: Floats = inferer(image, predict)[0].numpy()
        return scores

    def click_scores(
        self,
        image: Tensor,
        positions: Floats,
        positive: NDArray[np.bool_],
        number: int | None,
        prior: Floats | None,
        progress: Progress,
    ) -> Floats:
        """The logits (i, j, k) that clicks give, in a window around each.

        Without a prior, voxels outside the windows are NaN, and only what is connected to a
        positive click remains, as MONAI postprocesses it. With one, the clicks correct it: the
        components that they add or remove, and nothing else.

        Args:
            image: (1, 1, i, j, k) float32 on the CPU.
            positions: (n, 3) float32 positions on the image, at least one.
            positive: (n,) whether each is on the object.
            number: The class of the object, `NO_CLASS` or more for one of no class; None for clicks
                that say nothing about it.
            prior: The logits (i, j, k) to correct, or None.
            progress: Reports the windows done; may raise Cancelled.
        """
        from monai.apps.vista3d.inferer import point_based_window_inferer
        from monai.transforms.utils import keep_components_with_positive_points

        done = 0

        def predict(window: Tensor, **prompts: Any) -> Tensor:
            nonlocal done
            progress(min(done / len(positions), 1.0), "Predicting around the clicks")
            done += 1
            return self._run(window.to(self._device), **self._moved(prompts))

        points = torch.from_numpy(positions)[None]
        labels = torch.from_numpy(positive.astype(np.int64))[None]
        if number is not None:
            # Of tumours and vessels, which lie within other classes, clicks are of another kind.
            labels = self._network.convert_point_label(labels, [number])
        with torch.inference_mode(), warnings.catch_warnings():
            # That the image has no place in space, which is of no account here.
            warnings.filterwarnings("ignore", "Setting affine")
            scores = point_based_window_inferer(
                image,
                self._roi,
                predict,
                points,
                labels,
                prompt_class=None if number is None else torch.tensor([number]),
                prev_mask=None if prior is None else torch.from_numpy(prior)[None, None],
                with_coord=True,
            ).as_tensor()
            if prior is None:
                scores = keep_components_with_positive_points(scores, points, labels)
        found: Floats = scores[0, 0].numpy()
        return found

    def windows(self, positions: Floats, shape: Sequence[int]) -> NDArray[np.int64]:
        """(n, 3): the first voxel of the window around each position, which lies within the image.

        Along an axis on which the image is smaller than a window it is 0.
        """
        room = [max(0, n - side) for n, side in zip(shape, self._roi, strict=True)]
        first = np.floor(positions).astype(np.int64) - np.array(self._roi) // 2
        return np.asarray(first.clip(0, room))

    def touch(self, window: NDArray[np.int64], others: NDArray[np.int64]) -> bool:
        """Whether a window overlaps one of others (n, 3), or is beside it."""
        return bool((np.abs(others - window) <= np.array(self._roi) + 1).all(axis=1).any())

    def most_classes(self, shape: Sequence[int], budget_bytes: int) -> int:
        """How many classes' scores of an image fit into a budget, at least one."""
        padded = [max(n, side) for n, side in zip(shape, self._roi, strict=True)]
        return max(1, budget_bytes // (4 * int(np.prod(padded))))

    def _run(self, windows: Tensor, **prompts: Any) -> Tensor:
        """The network's logits (1, objects, i, j, k) of a window, float32 on the CPU."""
        # As published: in 16 bits on a GPU.
        with torch.autocast("cuda", enabled=self._device.type == "cuda"):
            answer: Tensor = self._network(windows, transpose=True, **prompts)
        answer = answer.float().cpu()
        check_finite_output(answer.numpy(), NAME, self._path)
        return answer

    def _moved(self, prompts: dict[str, Any]) -> dict[str, Any]:
        """The prompts with their tensors on the device, except the prior, which may be large."""
        return {
            name: value.to(self._device)
            if isinstance(value, Tensor) and name != "prev_mask"
            else value
            for name, value in prompts.items()
        }
