"""From the features of all slices to class probabilities, patch by patch. Needs torch."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...progress import Progress
from ...system.foreign_errors import check_finite_output, predicting_errors
from ...volumes.region import Shape
from .feature_files import Features
from .patches import PatchGrid, bell

if TYPE_CHECKING:
    from .network import Sam3dDecoder

# The probability of an absent class, well within the range of 16-bit logarithms.
_LEAST_PROBABILITY = 1e-7


def class_scores(
    decoder: Sam3dDecoder,
    features: Sequence[Features],
    windows: PatchGrid,
    shape_kji: Shape,
    progress: Progress,
) -> NDArray[np.float16]:
    """The logarithm of each class's probability (classes, k, j, i) in a region of `shape_kji`.

    Probabilities of overlapping patches are averaged with bell-shaped weights, as in nnU-Net. Only
    a patch's number of slices is processed at a time.

    Args:
        decoder: The decoder.
        features: From `embeddings`, of each image of the volume.
        windows: The patches of the region.
        shape_kji: The shape of the region.
        progress: Reports the patches done.

    Raises:
        DeviceError: If memory runs out.
    """
    import torch

    with torch.inference_mode(), predicting_errors("sam3d"):
        return _class_scores(decoder, features, windows, shape_kji, progress)


def _class_scores(
    decoder: Sam3dDecoder,
    features: Sequence[Features],
    windows: PatchGrid,
    shape_kji: Shape,
    progress: Progress,
) -> NDArray[np.float16]:
    import torch

    device = next(decoder.parameters()).device
    classes, side, depth = decoder.config.classes, windows.patch, windows.depth
    before_k, before_j, before_i = (before for before, _ in windows.padding)
    padded = [n + sum(more) for n, more in zip(shape_kji, windows.padding, strict=True)]
    weights = torch.from_numpy(bell((depth, side, side)))
    # Sums over the patches that cover these slices; they advance with the patches.
    sums = torch.zeros(classes, depth, *padded[1:])
    weight_sums = torch.zeros(depth, *padded[1:])
    scores = np.empty((classes, *shape_kji), np.float16)
    steps = len(windows.slices) * len(windows.corners)
    for number, (first, end) in enumerate(pairwise((*windows.slices, padded[0]))):
        for window, (row, column) in enumerate(windows.corners):
            progress((number * len(windows.corners) + window) / steps, "Predicting the classes")
            parts = [each[window, first : first + depth] for each in features]
            slices = np.concatenate(parts, axis=1, dtype=np.float32)
            patch = torch.from_numpy(slices).transpose(0, 1)[None].to(device)
            probabilities = decoder(patch)[0].softmax(0).cpu()
            rows, columns = slice(row, row + side), slice(column, column + side)
            check_finite_output(probabilities.numpy(), "sam3d")
            sums[:, :, rows, columns] += probabilities * weights
            weight_sums[:, rows, columns] += weights
        done = end - first
        mean = (sums[:, :done] / weight_sums[:done]).clamp(min=_LEAST_PROBABILITY).log()
        low, high = max(first, before_k), min(end, before_k + shape_kji[0])
        if low < high:
            scores[:, low - before_k : high - before_k] = mean[
                :,
                low - first : high - first,
                before_j : before_j + shape_kji[1],
                before_i : before_i + shape_kji[2],
            ].numpy()
        for buffer in (sums, weight_sums[None]):
            buffer[:, : depth - done] = buffer[:, done:].clone()
            buffer[:, depth - done :] = 0
    progress(1.0, "Predicting the classes")
    return scores
