"""SegVol as a `Segmenter`: a look at the whole volume, and closer ones at what it found there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import PromptError
from ...progress import Progress, part_of, parts_of
from ...prompts.types import Prompt
from ...prompts.voxels import VoxelMarks, enforce_marks, to_voxels
from ...segmenter import Encoding, Logits, ModelCard, Prediction
from ...system.foreign_errors import callers
from ...system.memory_cache import LruByteCache
from ...volumes.region import Region, on_region, shape_triple
from ...volumes.volume import Volume
from .intensities import Bounds
from .prompts import WindowPrompts, nearest_exact
from .torch_runtime import TorchRuntime
from .zoom import WholeLook, averaged, closer_region, windows_of

# A marked voxel gets at least this logit, and voxels beyond the foreground minus this, whatever the
# prediction.
_CLICK_LOGIT = 1.0
# 42 windows of the published network.
_FEATURES_BYTES = 1 << 28


@dataclass(frozen=True, eq=False)
class VolumeEncoding(Encoding):
    """A volume with the features of the whole of it, and of windows that were looked at.

    Attributes:
        volume: In RAS, as the network sees it.
        bounds: Its intensities that become 0 and 1.
        foreground: The part that the network sees.
        whole: The features of that part.
        windows: Of windows of it.
    """

    volume: Volume
    bounds: Bounds
    foreground: Region
    whole: Any
    windows: LruByteCache[Region, Any]


class SegVolSegmenter:
    """The `Segmenter` around a network.

    Args:
        card: The properties of the model.
        runtime: The network.
        zooms: Whether the object is looked at in the volume's own voxels.
    """

    classes: tuple[str, ...] = ()

    def __init__(self, card: ModelCard, runtime: TorchRuntime, zooms: bool) -> None:
        self.card = card
        self._runtime = runtime
        self._zooms = zooms

    def encode(self, volume: Volume, region: Region | None, progress: Progress) -> VolumeEncoding:
        """Look at the whole volume, whatever the region.

        Raises:
            VolumeError: If the volume contains NaN or infinity.
            DeviceError: If memory runs out.
            ModelError: If the network fails.
        """
        progress = callers(progress)
        progress(0.0, "Preparing the volume")
        volume.intensity_range()
        turned = volume.reoriented("RAS")
        bounds = Bounds.of(turned.array_kji)
        foreground = bounds.foreground(turned.array_kji)
        part = turned.array_kji[foreground.slices]
        pairs = zip(part.shape, self._runtime.config.window, strict=True)
        image = part[np.ix_(*(nearest_exact(voxels, size) for voxels, size in pairs))]
        whole = self._runtime.encode(bounds.normalised(image), part_of(progress, 0.1, 1.0))
        windows: LruByteCache[Region, Any] = LruByteCache(
            _FEATURES_BYTES, lambda tensor: tensor.nbytes
        )
        nbytes = turned.array_kji.nbytes + whole.nbytes + _FEATURES_BYTES
        return VolumeEncoding(
            volume.geometry,
            Region.whole(volume.geometry.shape_kji),
            nbytes,
            turned,
            bounds,
            foreground,
            whole,
            windows,
        )

    def predict(
        self,
        encoding: Encoding,
        prompts: Sequence[Prompt],
        previous: Prediction | None,
        progress: Progress,
    ) -> Prediction:
        """Segment one object; every clicked voxel gets the label of its click.

        Of several texts the last counts; several boxes are the one around them.

        Raises:
            PromptError: For a prompt outside the volume, or one that the model does not take.
            DeviceError: If memory runs out.
            ModelError: If the network fails.
        """
        if not isinstance(encoding, VolumeEncoding):
            raise TypeError(f"{self.card.title} cannot predict from a {type(encoding).__name__}.")
        progress = callers(progress)
        progress(0.0, "Reading the prompts")
        self.card.check_takes(prompts)
        marks = to_voxels(prompts, encoding.volume.geometry)
        if not (marks.boxes or marks.phrases or len(marks.voxels_kji)):
            raise PromptError("There is no prompt for the object; name it, click or draw a box.")
        window = self._runtime.config.window
        given = WindowPrompts.resized(marks, encoding.foreground, window)
        if given.is_empty:
            # All boxes and clicks are beyond the foreground, where there is nothing to find.
            far = np.full(window, -_CLICK_LOGIT, np.float32)
        else:
            far = self._runtime.decode(encoding.whole, given)
        look = WholeLook(encoding.foreground, far)
        found, seen, logits = look.object_box(), None, None
        if found is not None:
            seen = found
            if self._zooms:
                seen = closer_region(found, encoding.foreground, window)
                logits = self._closer(encoding, look, seen, marks, part_of(progress, 0.1, 1.0))
        region = _answered(seen, marks)
        answer = _whole_logits(look, region)
        if seen is not None and logits is not None:
            answer[seen.relative_to(region).slices] = logits
        enforce_marks(answer, marks.within(region), _CLICK_LOGIT)
        progress(1.0, "Predicting the mask")
        return _turned_back(answer, region, encoding)

    def _closer(
        self,
        encoding: VolumeEncoding,
        look: WholeLook,
        region: Region,
        marks: VoxelMarks,
        progress: Progress,
    ) -> Logits:
        """The logits of a region, looked at in windows of the volume's own voxels."""
        windows = windows_of(region, self._runtime.config.window)
        inside = look.on(region) > 0
        parts = []
        for window, share in zip(windows, parts_of(progress, len(windows)), strict=True):
            features = encoding.windows.get(window)
            if features is None:
                image = self._image(encoding, region, window)
                features = self._runtime.encode(image, share)
                encoding.windows.put(window, features)
            share(1.0, "Predicting the mask")
            here = on_region(inside, region, window)
            given = WindowPrompts.in_window(marks, window, here, len(windows) == 1)
            parts.append((window, self._runtime.decode(features, given)))
        return averaged(parts, region)

    def _image(self, encoding: VolumeEncoding, region: Region, window: Region) -> Logits:
        """A window (k, j, i), 0 to 1; beyond the region 0."""
        common = window.intersection(region)
        assert common is not None, "every window has a part of the region"
        array: NDArray[Any] = encoding.volume.array_kji[common.slices]
        return on_region(encoding.bounds.normalised(array), common, window)


def _answered(seen: Region | None, marks: VoxelMarks) -> Region:
    """The region of the answer: the object, all boxes and all clicks; else a voxel."""
    parts = [*([] if seen is None else [seen]), *marks.boxes]
    if len(marks.voxels_kji):
        parts.append(Region.around(marks.voxels_kji))
    return Region.enclosing(parts) if parts else Region((0, 0, 0), (1, 1, 1))


def _whole_logits(look: WholeLook, region: Region) -> Logits:
    """The look at the whole on a region; beyond the foreground is background."""
    answer = np.full(region.shape_kji, -_CLICK_LOGIT, np.float32)
    common = region.intersection(look.region)
    if common is not None:
        answer[common.relative_to(region).slices] = look.on(common)
    return answer


def _turned_back(logits: Logits, region: Region, encoding: VolumeEncoding) -> Prediction:
    """The prediction in the axes of the volume as it is stored."""
    part = Volume(logits, encoding.volume.geometry.crop(region))
    back = part.reoriented(encoding.geometry.axis_codes)
    first = encoding.geometry.ijk_from_ras(back.geometry.origin_ras)[::-1]
    offset = shape_triple(np.rint(first).astype(int).tolist())
    return Prediction(encoding.geometry, offset, back.array_kji)
