"""From the features of all slices to the probability of each class, patch by patch. Needs torch."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...progress import Progress
from ...system.device import memory_errors
from ...volumes.region import Shape
from .feature_files import Features
from .patches import PatchGrid, bell

if TYPE_CHECKING:
    from .network import Sam3dDecoder

# A class that is nowhere near: of 16 bits, and of a probability in 32, this is well within.
_LEAST_PROBABILITY = 1e-7


def class_scores(
    decoder: Sam3dDecoder,
    features: Features,
    windows: PatchGrid,
    shape_kji: Shape,
    progress: Progress,
) -> NDArray[np.float16]:
    """The logarithm of each class's probability (classes, k, j, i) in a region of `shape_kji`.

    features: as `embeddings` gives them. Overlapping patches' probabilities are averaged under a
    bell, as nnU-Net does. Only as many slices as a patch has are worked on at a time. Raises
    DeviceError without memory.
    """
    import torch

    with torch.inference_mode(), memory_errors("sam3d"):
        return _class_scores(decoder, features, windows, shape_kji, progress)


def _class_scores(
    decoder: Sam3dDecoder,
    features: Features,
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
    # Sums over the patches that see these slices; they move on with the patches.
    sums = torch.zeros(classes, depth, *padded[1:])
    weight_sums = torch.zeros(depth, *padded[1:])
    scores = np.empty((classes, *shape_kji), np.float16)
    steps = len(windows.slices) * len(windows.corners)
    for number, (first, end) in enumerate(pairwise((*windows.slices, padded[0]))):
        for window, (row, column) in enumerate(windows.corners):
            progress((number * len(windows.corners) + window) / steps, "Predicting the classes")
            seen = np.array(features[window, first : first + depth], np.float32)
            patch = torch.from_numpy(seen).transpose(0, 1)[None].to(device)
            likely = decoder(patch)[0].softmax(0).cpu()
            here = (slice(row, row + side), slice(column, column + side))
            sums[:, :, here[0], here[1]] += likely * weights
            weight_sums[:, here[0], here[1]] += weights
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
        for held in (sums, weight_sums[None]):
            held[:, : depth - done] = held[:, done:].clone()
            held[:, depth - done :] = 0
    progress(1.0, "Predicting the classes")
    return scores
