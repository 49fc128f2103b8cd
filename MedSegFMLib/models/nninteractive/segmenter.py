"""nnInteractive's session as a `Segmenter`.

A session of the package is a state: its interactions, and the mask so far, which is an input of the
network. That state depends on the prompts and on the previous mask alone, so that it can be made
again at any time: the previous mask is given as the initial one, all prompts but the last are
placed without a prediction, then the last with one. Undo, other objects, other volumes and lost
connections need nothing else. As long as prompts are only added, the session goes on as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ...errors import PromptError
from ...progress import Progress, parts_of
from ...prompts.mask import Mask
from ...prompts.mask_voxels import start_voxels
from ...prompts.types import Prompt, latest_start
from ...prompts.voxels import VoxelMarks, enforce_marks, to_voxels
from ...segmenter import Encoding, ModelCard, Prediction
from ...system.foreign_errors import callers
from ...volumes.geometry import Geometry
from ...volumes.masks import bounding_box
from ...volumes.region import Region
from ...volumes.volume import Volume
from ..common.steps import after_start, without_leading_background
from .intensities import image_of
from .interactions import Placing, placings
from .live_image import LiveImage, NnInteractivePrediction
from .upstream import ConnectionLost, Host

Result = TypeVar("Result")

# The network's choice is all that a session returns; 0.98 as a probability.
_SURE = np.float32(4.0)


@dataclass(frozen=True, eq=False)
class NnInteractiveEncoding(Encoding):
    """A volume to segment; the session that has its image may have moved on to another.

    Attributes:
        volume: the volume.
    """

    volume: Volume


class NnInteractiveSegmenter:
    """The `Segmenter` around sessions of a host.

    Args:
        card: the properties of the model.
        host: where sessions come from.
        every: how boxes are given, see `interactions.flat_boxes`.
    """

    def __init__(self, card: ModelCard, host: Host, every: int) -> None:
        self.card = card
        self._host, self._every = host, every
        self._live: LiveImage | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """None: prompts define the objects."""
        return ()

    def encode(
        self, volume: Volume, region: Region | None, progress: Progress
    ) -> NnInteractiveEncoding:
        """Give the session a volume: all of it, whatever the region, as its zoom may need it.

        Raises:
            VolumeError: the volume cannot be normalised.
        """
        progress = callers(progress)
        progress(0.0, "Preparing the volume")
        self._again_if_lost(lambda: self._session_with(volume))
        progress(1.0, "Preparing the volume")
        whole = Region.whole(volume.geometry.shape_kji)
        return NnInteractiveEncoding(volume.geometry, whole, 0, volume)

    def predict(
        self,
        encoding: Encoding,
        prompts: Sequence[Prompt],
        previous: Prediction | None,
        progress: Progress,
    ) -> Prediction:
        """Segment one object, going on from `previous`, or through all prompts without it.

        Raises:
            PromptError: a prompt is outside the volume, or not supported by the model or its
                weights.
            ModelError: the session fails, or its server cannot be reached.
        """
        if not isinstance(encoding, NnInteractiveEncoding):
            raise TypeError(f"{self.card.title} cannot predict from a {type(encoding).__name__}.")
        progress = callers(progress)
        progress(0.0, "Reading the prompts")
        self.card.check_takes(prompts)
        volume, given = encoding.volume, tuple(prompts)
        answer = self._again_if_lost(lambda: self._answer(volume, given, previous, progress))
        progress(1.0, "Predicting the mask")
        return answer

    def _answer(
        self,
        volume: Volume,
        prompts: tuple[Prompt, ...],
        previous: Prediction | None,
        progress: Progress,
    ) -> Prediction:
        own = after_start(prompts)
        if prompts and isinstance(prompts[-1], Mask) and previous is not None and own:
            # The last prompt is for sessions: voxels to avoid or to keep.
            return previous
        start = latest_start(prompts)
        if not own:
            return _started(start, volume.geometry)
        live = self._session_with(volume)
        known, live.given, live.answer = (live.given, live.answer), (), None
        with self._host.running():
            if previous is None:
                if start is not None and not live.session.supports_initial_label:
                    raise PromptError("These weights of nnInteractive do not start from a mask.")
                live.begin(None if start is None else _started(start, volume.geometry))
                placed, waiting = without_leading_background(own)
            else:
                placed, waiting = own[:-1], own[-1:]
                if known[0] == placed and known[1] is previous:
                    placed = ()
                else:
                    live.begin(previous)
            changed = [live.changed, None if previous is None else previous.region]
            for prompt in placed:
                live.place(self._placings(live, prompt, volume), predicting=False)
            for prompt, share in zip(waiting, parts_of(progress, len(waiting)), strict=True):
                share(0.0, "Predicting the mask")
                changed.append(live.place(self._placings(live, prompt, volume), predicting=True))
        answer = _drawn(live.buffer, [r for r in changed if r is not None], prompts, volume)
        live.given, live.answer = own, answer
        return answer

    def _placings(self, live: LiveImage, prompt: Prompt, volume: Volume) -> list[Placing]:
        return placings(live.session, prompt, volume.geometry, self._every)

    def _session_with(self, volume: Volume) -> LiveImage:
        if self._live is None or self._live.volume is not volume:
            self._live = None
            shown = image_of(volume)
            with self._host.running():
                session = self._host.show(shown)
                buffer = np.zeros(volume.geometry.shape_kji, np.uint8)
                session.set_target_buffer(buffer)
            self._live = LiveImage(session, volume, buffer)
        return self._live

    def _again_if_lost(self, action: Callable[[], Result]) -> Result:
        """Do what needs a session, again on a new connection if the present one is lost."""
        try:
            return action()
        except ConnectionLost:
            self._live = None
            self._host.close()
            return action()


def _started(start: Mask | None, geometry: Geometry) -> Prediction:
    if start is None:
        raise PromptError("There is no prompt for the object; click on it or draw a box.")
    voxels = start_voxels(start, geometry)
    logits = np.where(voxels.inside_kji, _SURE, -_SURE)
    return Prediction(geometry, voxels.region.start_kji, logits)


def _drawn(
    buffer: NDArray[np.uint8],
    changed: Sequence[Region],
    prompts: Sequence[Prompt],
    volume: Volume,
) -> NnInteractivePrediction:
    """The session's mask as a prediction, on the region with all of it, all boxes and all marks."""
    geometry = volume.geometry
    marks = to_voxels(prompts, geometry)
    around = list(marks.boxes)
    if len(marks.voxels_kji):
        around.append(Region.around(marks.voxels_kji))
    if changed:
        seen = Region.enclosing(changed)
        box = bounding_box(buffer[seen.slices])
        if box is not None:
            around.append(Region.from_slices(box).shifted(seen.start_kji))
    region = Region.enclosing(around)
    inside = buffer[region.slices] > 0
    logits = np.where(inside, _SURE, -_SURE)
    here = marks.within(region)
    voxels = here.voxels_kji
    flipped = voxels[inside[tuple(voxels.T)] != here.positive]
    enforce_marks(logits, _only_marks(here), float(_SURE))
    return NnInteractivePrediction(geometry, region.start_kji, logits, flipped_kji=flipped)


def _only_marks(marks: VoxelMarks) -> VoxelMarks:
    """Without fixed voxels, which sessions apply themselves."""
    return replace(marks, fixed=None)
