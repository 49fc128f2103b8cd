"""An image painted for a real label map, with a random intensity for each label, after SynthSeg.

Billot B. et al., SynthSeg: Segmentation of brain MRI scans of any contrast and resolution, 2023.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..fields import Frame
from ..random.shapes import to_device
from .pack_format import PackedVolume

# Groups of up to this many labels usually look similar: the left and the right of a structure.
_ALIKE = 4
_LEAST_STEP = 0.15
# Labels of fewer voxels are chosen less often.
_SMALL = 1000


def painted(labels: Tensor, packed: PackedVolume, target: set[int], frame: Frame) -> Tensor:
    """(K, J, I) float32 intensities of about 0 to 1 for (K, J, I) int64 labels of a packed volume.

    Args:
        labels: the labels on the scene's grid.
        packed: the packed volume of the labels.
        target: the labels of the scene's main object; if it has a single intensity, that is made to
            differ from its neighbours'.
        frame: the scene's grid.
    """
    rng = frame.generators.host
    means = _means(packed, target, rng)
    spreads = rng.uniform(0, 0.08) * rng.uniform(0.2, 1.5, len(means))
    spreads[0] *= 0.1
    grain = 0.8 * frame.noise(labels.shape) + 0.6 * frame.fields(rng.uniform(8, 20))[0]
    return to_device(means, frame)[labels] + to_device(spreads, frame)[labels] * grain


def random_labels(packed: PackedVolume, rng: np.random.Generator) -> set[int]:
    """The labels of an object: one, a group listed in the pack, or a few that touch."""
    assert packed.boxes is not None and packed.sizes is not None
    kind = rng.random()
    if kind < 0.5 and packed.groups:
        return set(packed.groups[rng.integers(len(packed.groups))])
    # Specks scattered over a large box are not an object that users would segment.
    boxed = (packed.boxes[:, 3:] - packed.boxes[:, :3]).astype(np.float64).prod(axis=1)
    weights = (packed.sizes / boxed) ** 0.5 * np.minimum(packed.sizes, _SMALL) ** 0.5
    chosen = {int(rng.choice(len(weights), p=weights / weights.sum())) + 1}
    if kind > 0.85 and packed.neighbours is not None:
        for _ in range(int(rng.integers(1, 5))):
            touching = np.isin(packed.neighbours, list(chosen)).any(axis=1)
            if touching.any():
                pairs = packed.neighbours[touching]
                chosen |= set(pairs[rng.integers(len(pairs))].tolist())
    return chosen


def _means(packed: PackedVolume, target: set[int], rng: np.random.Generator) -> NDArray[np.float64]:
    assert packed.boxes is not None
    means = rng.uniform(0, 1, len(packed.boxes) + 1)
    for group in packed.groups:
        if len(group) <= _ALIKE and rng.random() < 0.8:
            means[list(group)] = means[group[0]] + rng.normal(0, 0.02, len(group))
    # The surroundings of a head are air, which is black in most images.
    if rng.random() < 0.8:
        means[0] = rng.uniform(0, 0.05)
    if len(target) <= 2 and packed.neighbours is not None:
        near = packed.neighbours[np.isin(packed.neighbours, list(target)).any(axis=1)]
        around = means[[label for label in np.unique(near) if label not in target]]
        candidates = rng.uniform(0, 1, 12)
        steps = np.abs(candidates[:, None] - around).min(axis=1) if around.size else candidates
        if around.size and np.abs(means[list(target)][0] - around).min() < _LEAST_STEP:
            means[list(target)] = candidates[steps.argmax()]
    return means
