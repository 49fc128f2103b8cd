"""Scenes made from a pack of real images and label maps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...errors import VolumeError
from ...volumes.region import Shape
from ..fields import Frame
from ..random.shapes import compact_shape, local, random_turn
from ..scene import Chance, Scene
from .intensity_painting import painted, random_labels
from .pack_format import Recording, load_recordings
from .regions import random_region, region_table
from .resample import linear, nearest, objects
from .scanner import scanned
from .warp import Placement, positions, random_placement

# How often each use is drawn: real objects on real images, images painted for label maps, regions
# of real images as objects, and shapes altered in real images.
USES = {"labelled": 0.45, "painted": 0.25, "regions": 0.2, "altered": 0.1}
_TRIES = 6
# Labels are not drawn finer than they were recorded.
_FINEST_PAINTED = 0.8
_LEAST_VOXELS = 20
_MOST_OBJECTS = 4


class RecordedSource:
    """Scenes from the recordings of a pack, without end.

    Raises VolumeError where the pack is missing, damaged or holds nothing of the uses asked for.
    """

    def __init__(self, pack: Path | str, uses: Sequence[str] = tuple(USES)) -> None:
        recordings = load_recordings(Path(pack))
        images = [r for r in recordings if r.ranges is not None and len(r.ranges)]
        fit = {
            "labelled": [r for r in recordings if r.image is not None and r.labels is not None],
            "painted": [r for r in recordings if r.image is None],
            "regions": images,
            "altered": images,
        }
        self._uses = {use: USES[use] for use in uses if fit[use]}
        if not self._uses:
            raise VolumeError(f"{pack} holds no recordings for {', '.join(uses)}.")
        self._fit = fit
        self._held: dict[tuple[torch.device, str, str], Tensor] = {}

    def scene(self, shape_kji: Shape, chance: Chance) -> Scene:
        """The next scene: one object at least, the first of them in the middle third or so."""
        rng = chance.host
        weights = np.array(list(self._uses.values()))
        use = list(self._uses)[rng.choice(len(weights), p=weights / weights.sum())]
        make = {
            "labelled": self._labelled,
            "painted": self._painted,
            "regions": self._regions,
            "altered": self._altered,
        }[use]
        for _ in range(_TRIES):
            recording = self._random_recording(use, rng)
            scene = make(recording, shape_kji, chance)
            if scene is not None and int((scene.labels == 1).sum()) >= _LEAST_VOXELS:
                break
        else:
            raise VolumeError(f"No object of the pack is visible in scenes of {shape_kji} voxels.")
        return scene

    def _random_recording(self, use: str, rng: np.random.Generator) -> Recording:
        among = self._fit[use]
        # Large volumes hold more to see; images without labels are rare.
        weights = np.array(
            [np.prod(r.shape_kji) ** 0.5 * (4 if r.labels is None else 1) for r in among]
        )
        return among[rng.choice(len(among), p=weights / weights.sum())]

    def _labelled(self, recording: Recording, shape: Shape, chance: Chance) -> Scene | None:
        assert recording.boxes is not None
        rng = chance.host
        focus = int(rng.integers(len(recording.boxes)))
        placement, frame = _view(recording, recording.boxes[focus], shape, chance)
        where = positions(placement, frame)
        # The object in focus becomes 1, the others follow.
        table = np.arange(len(recording.boxes) + 1)
        table[[1, focus + 1]] = focus + 1, 1
        labels = objects(self._array(recording, "labels", frame), table, where, placement)
        image = linear(self._array(recording, "image", frame), where, placement)
        return _scene(scanned(image, frame, real=True), labels, placement)

    def _painted(self, recording: Recording, shape: Shape, chance: Chance) -> Scene | None:
        assert recording.boxes is not None
        rng = chance.host
        targets = [random_labels(recording, rng) for _ in range(rng.integers(1, _MOST_OBJECTS + 1))]
        boxes = recording.boxes[[label - 1 for label in targets[0]]]
        box = [*boxes[:, :3].min(axis=0).tolist(), *boxes[:, 3:].max(axis=0).tolist()]
        placement, frame = _view(recording, box, shape, chance, _FINEST_PAINTED)
        found = nearest(self._array(recording, "labels", frame), positions(placement, frame))
        table = np.zeros(len(recording.boxes) + 1, np.int64)
        for number, target in reversed(list(enumerate(targets, 1))):
            table[list(target)] = number
        image = painted(found, recording, targets[0], frame)
        return _scene(scanned(image, frame, real=False), _looked_up(table, found, frame), placement)

    def _regions(self, recording: Recording, shape: Shape, chance: Chance) -> Scene | None:
        assert recording.range_boxes is not None
        rng = chance.host
        focus = random_region(recording, rng)
        if focus is None:
            return None
        placement, frame = _view(recording, recording.range_boxes[focus], shape, chance)
        count = int(rng.integers(1, _MOST_OBJECTS + 1))
        table = region_table(recording, focus, count, placement, rng)
        where = positions(placement, frame)
        labels = objects(self._array(recording, "supervoxels", frame), table, where, placement)
        image = linear(self._array(recording, "image", frame), where, placement)
        return _scene(scanned(image, frame, real=True), labels, placement)

    def _altered(self, recording: Recording, shape: Shape, chance: Chance) -> Scene | None:
        assert recording.range_boxes is not None
        rng = chance.host
        focus = random_region(recording, rng)
        if focus is None:
            return None
        placement, frame = _view(recording, recording.range_boxes[focus], shape, chance)
        where = positions(placement, frame)
        image = linear(self._array(recording, "image", frame), where, placement)
        radii = rng.uniform(0.2, 0.75) * np.exp(rng.normal(0, 0.2, 3))
        center = rng.uniform(-0.5, 0.5, 3) * (1 - radii.clip(max=1))
        level = compact_shape(local(frame.position, center, radii, random_turn(rng), frame), frame)
        inside = (level * float(rng.uniform(6, 40))).sigmoid()
        # Another place's texture, with more or less contrast, lighter or darker.
        other = image.flip([int(rng.integers(3))]) if rng.random() < 0.5 else image
        change = rng.uniform(0.12, 0.45) * rng.choice([-1, 1])
        if rng.random() < 0.5:
            altered = rng.uniform(0.3, 1.2) * other + change
        else:
            altered = rng.uniform(0, 1) + rng.uniform(0.1, 0.5) * (other - 0.5)
        image = image + inside * (altered - image)
        return _scene(scanned(image, frame, real=True), (level > 0).short(), placement)

    def _array(self, recording: Recording, name: str, frame: Frame) -> Tensor:
        key = (frame.device, recording.name, name)
        if key not in self._held:
            array = getattr(recording, name)
            held = torch.from_numpy(array if array.dtype == np.uint8 else array.astype(np.int16))
            self._held[key] = held.to(frame.device)
        return self._held[key]


def _view(
    recording: Recording,
    box: Sequence[int],
    shape: Shape,
    chance: Chance,
    finest_step: float = 0.4,
) -> tuple[Placement, Frame]:
    placement = random_placement(
        box, recording.shape_kji, recording.spacing_kji_mm, shape, chance.host, finest_step
    )
    return placement, Frame(shape, placement.spacing_kji_mm, chance)


def _looked_up(table: np.ndarray, found: Tensor, frame: Frame) -> Tensor:
    return torch.from_numpy(table).to(frame.device, torch.int16)[found]


def _scene(image: Tensor, labels: Tensor, placement: Placement) -> Scene:
    return Scene(image, labels, placement.spacing_kji_mm)
