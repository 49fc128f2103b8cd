"""Scenes made from a pack of real images and label maps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...errors import VolumeError
from ...system.memory_cache import LruByteCache
from ...volumes.region import Shape
from ..fields import Frame
from ..random.shapes import compact_shape, local, random_turn
from ..scene import RandomGenerators, Scene
from .intensity_painting import painted, random_labels
from .pack_format import PackedVolume, load_pack
from .regions import random_region, region_table
from .resample import linear, nearest, objects
from .scanner import scanned
from .warp import Affine, positions, random_affine

# The relative frequency of each use: real objects in real images, images painted for label maps,
# regions of real images as objects, and shapes altered in real images.
USES = {"labelled": 0.45, "painted": 0.25, "regions": 0.2, "altered": 0.1}
_TRIES = 6
# Voxels of painted scenes are at least this fraction of the label map's.
_FINEST_PAINTED = 0.8
_LEAST_VOXELS = 20
_MOST_OBJECTS = 4
# Voxels of the latest volumes that are kept in memory.
_CACHED_BYTES = 2_000_000_000


class RecordedSource:
    """An endless source of scenes from the volumes of a pack.

    Args:
        pack: the pack file.
        uses: the uses to draw from, keys of `USES`.

    Raises:
        VolumeError: the pack is missing, damaged or has no volumes for these uses.
    """

    def __init__(self, pack: Path | str, uses: Sequence[str] = tuple(USES)) -> None:
        packed_volumes = load_pack(Path(pack))
        images = [r for r in packed_volumes if r.ranges is not None and len(r.ranges)]
        fit = {
            "labelled": [r for r in packed_volumes if r.image is not None and r.labels is not None],
            "painted": [r for r in packed_volumes if r.image is None],
            "regions": images,
            "altered": images,
        }
        self._uses = {use: USES[use] for use in uses if fit[use]}
        if not self._uses:
            raise VolumeError(
                f"{pack} has no volumes for {', '.join(uses)}; add some and create it again."
            )
        self._fit = fit
        self._arrays: LruByteCache[tuple[torch.device, str, str], Tensor] = LruByteCache(
            _CACHED_BYTES, lambda tensor: tensor.nbytes
        )

    def scene(self, shape_kji: Shape, generators: RandomGenerators) -> Scene:
        """The next scene, with at least one object; the first of them is near the centre.

        Raises:
            VolumeError: no object of the pack is visible in several attempts.
        """
        rng = generators.host
        weights = np.array(list(self._uses.values()))
        use = list(self._uses)[rng.choice(len(weights), p=weights / weights.sum())]
        make = {
            "labelled": self._labelled,
            "painted": self._painted,
            "regions": self._regions,
            "altered": self._altered,
        }[use]
        for _ in range(_TRIES):
            packed = self._random_volume(use, rng)
            scene = make(packed, shape_kji, generators)
            if scene is not None and int((scene.labels == 1).sum()) >= _LEAST_VOXELS:
                break
        else:
            raise VolumeError(
                f"No object of the pack is visible in scenes of {shape_kji} voxels; use larger "
                "scenes."
            )
        return scene

    def _random_volume(self, use: str, rng: np.random.Generator) -> PackedVolume:
        among = self._fit[use]
        # Large volumes contain more; images without labels are rare.
        weights = np.array(
            [np.prod(r.shape_kji) ** 0.5 * (4 if r.labels is None else 1) for r in among]
        )
        return among[rng.choice(len(among), p=weights / weights.sum())]

    def _labelled(
        self, packed: PackedVolume, shape: Shape, generators: RandomGenerators
    ) -> Scene | None:
        assert packed.boxes is not None
        rng = generators.host
        focus = int(rng.integers(len(packed.boxes)))
        affine, frame = _view(packed, packed.boxes[focus], shape, generators)
        where = positions(affine, frame)
        # The object in focus gets label 1; it swaps with the one that had it.
        table = np.arange(len(packed.boxes) + 1)
        table[[1, focus + 1]] = focus + 1, 1
        labels = objects(self._array(packed, "labels", frame), table, where, affine)
        image = linear(self._array(packed, "image", frame), where, affine)
        return _scene(scanned(image, frame, real=True), labels, affine)

    def _painted(
        self, packed: PackedVolume, shape: Shape, generators: RandomGenerators
    ) -> Scene | None:
        assert packed.boxes is not None
        rng = generators.host
        targets = [random_labels(packed, rng) for _ in range(rng.integers(1, _MOST_OBJECTS + 1))]
        boxes = packed.boxes[[label - 1 for label in targets[0]]]
        box = [*boxes[:, :3].min(axis=0).tolist(), *boxes[:, 3:].max(axis=0).tolist()]
        affine, frame = _view(packed, box, shape, generators, _FINEST_PAINTED)
        values = nearest(self._array(packed, "labels", frame), positions(affine, frame))
        table = np.zeros(len(packed.boxes) + 1, np.int64)
        for number, target in reversed(list(enumerate(targets, 1))):
            table[list(target)] = number
        image = painted(values, packed, targets[0], frame)
        return _scene(scanned(image, frame, real=False), _looked_up(table, values, frame), affine)

    def _regions(
        self, packed: PackedVolume, shape: Shape, generators: RandomGenerators
    ) -> Scene | None:
        assert packed.range_boxes is not None
        rng = generators.host
        focus = random_region(packed, rng)
        if focus is None:
            return None
        affine, frame = _view(packed, packed.range_boxes[focus], shape, generators)
        count = int(rng.integers(1, _MOST_OBJECTS + 1))
        table = region_table(packed, focus, count, affine, rng)
        where = positions(affine, frame)
        labels = objects(self._array(packed, "supervoxels", frame), table, where, affine)
        image = linear(self._array(packed, "image", frame), where, affine)
        return _scene(scanned(image, frame, real=True), labels, affine)

    def _altered(
        self, packed: PackedVolume, shape: Shape, generators: RandomGenerators
    ) -> Scene | None:
        assert packed.range_boxes is not None
        rng = generators.host
        focus = random_region(packed, rng)
        if focus is None:
            return None
        affine, frame = _view(packed, packed.range_boxes[focus], shape, generators)
        where = positions(affine, frame)
        image = linear(self._array(packed, "image", frame), where, affine)
        radii = rng.uniform(0.2, 0.75) * np.exp(rng.normal(0, 0.2, 3))
        center = rng.uniform(-0.5, 0.5, 3) * (1 - radii.clip(max=1))
        level = compact_shape(local(frame.position, center, radii, random_turn(rng), frame), frame)
        inside = (level * float(rng.uniform(6, 40))).sigmoid()
        # Texture from another position, with more or less contrast, lighter or darker.
        other = image.flip([int(rng.integers(3))]) if rng.random() < 0.5 else image
        change = rng.uniform(0.12, 0.45) * rng.choice([-1, 1])
        if rng.random() < 0.5:
            altered = rng.uniform(0.3, 1.2) * other + change
        else:
            altered = rng.uniform(0, 1) + rng.uniform(0.1, 0.5) * (other - 0.5)
        image = image + inside * (altered - image)
        return _scene(scanned(image, frame, real=True), (level > 0).short(), affine)

    def _array(self, packed: PackedVolume, name: str, frame: Frame) -> Tensor:
        key = (frame.device, packed.name, name)
        tensor = self._arrays.get(key)
        if tensor is None:
            array = np.asarray(getattr(packed, name))
            tensor = torch.from_numpy(array if array.dtype == np.uint8 else array.astype(np.int16))
            tensor = tensor.to(frame.device)
            self._arrays.put(key, tensor)
        return tensor


def _view(
    packed: PackedVolume,
    box: Sequence[int],
    shape: Shape,
    generators: RandomGenerators,
    finest_step: float = 0.4,
) -> tuple[Affine, Frame]:
    affine = random_affine(
        box, packed.shape_kji, packed.spacing_kji_mm, shape, generators.host, finest_step
    )
    return affine, Frame(shape, affine.spacing_kji_mm, generators)


def _looked_up(table: np.ndarray, values: Tensor, frame: Frame) -> Tensor:
    return torch.from_numpy(table).to(frame.device, torch.int16)[values]


def _scene(image: Tensor, labels: Tensor, affine: Affine) -> Scene:
    return Scene(image, labels, affine.spacing_kji_mm)
