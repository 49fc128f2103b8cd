"""A network that finds what words name on slices, as a model of volumes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..byte_cache import ByteCache
from ..planar.fusion import FAR_LOGIT, FUSIONS
from ..planar.walk import Ask, Marks, PicturePrompt, Walk, walk
from ..progress import Progress, part_of, parts_of
from ..prompt_voxels import VoxelMarks, to_voxels
from ..prompts import Prompt
from ..region import Region
from ..segmenter import Encoding, Logits, ModelCard, Prediction, probabilities
from ..volume import Volume
from .medical_sam3_pictures import Sam3Pictures, relative
from .medical_sam3_runtime import Sam3Runtime, SliceQuestion
from .medical_sam3_walk import drive, region_of, walk_words
from .medical_sam3_words import VISUAL
from .planar_features import SliceFeatures
from .planar_stacks import Stack, cut_stacks
from .sam_pictures import picture_logits

# Of each voxel and plane, the answers to so many sets of words are remembered, two bytes each.
_ANSWERS_REMEMBERED = 2
_BYTES_PER_LOGIT = 2

# Of the time of a slice, this part is for looking at it.
_LOOKING = 0.85

_Answered = tuple[str, str, int, PicturePrompt]


@dataclass(frozen=True, eq=False)
class WordsEncoding(Encoding):
    """A region's stacks by plane.

    volume_id: which volume it is a region of.
    answers: (rows, columns) logits of the region's slices in 16 bits, by words, plane, slice, box.
    """

    volume_id: int
    stacks: dict[str, Stack]
    answers: ByteCache[_Answered, NDArray[np.float16]]


class WordsSegmenter:
    """The `Segmenter` around SAM3.

    planes: in turn; without a box the later ones look only where the first found the object.
    threshold: what scores less, from 0 to 1, is not there. step_mm: with words alone, slices that
    far apart are looked at first. cache_bytes: the memory for features of slices.
    """

    def __init__(
        self,
        card: ModelCard,
        runtime: Sam3Runtime,
        fusion: str,
        planes: Sequence[str],
        threshold: float,
        step_mm: float,
        cache_bytes: int,
    ) -> None:
        self.card = card
        self._runtime = runtime
        self._pictures = Sam3Pictures(runtime.side)
        self._fused = FUSIONS[fusion]
        self._planes = tuple(planes)
        self._threshold = threshold
        self._step_mm = step_mm
        self._features = SliceFeatures(runtime, self._pictures, cache_bytes)

    def encode(self, volume: Volume, region: Region | None, progress: Progress) -> WordsEncoding:
        """Cut a region (None: all) into slices; the network looks at those that are asked.

        The pictures show the whole width and height of the volume. Raises VolumeError where that
        holds NaN or infinity.
        """
        progress(0.0, "Preparing the slices")
        geometry = volume.geometry
        region = region or Region.whole(geometry.shape_kji)
        number, window = self._features.window_of(volume)
        progress(0.3, "Preparing the slices")
        array = volume.array_kji
        found = cut_stacks(array, geometry, region, window, self._planes, whole_pictures=True)
        stacks = {name: found[name] for name in self._planes if name in found}
        progress(1.0, "The slices are prepared")
        budget = _ANSWERS_REMEMBERED * _BYTES_PER_LOGIT * len(stacks) * region.size
        held = sum(stack.pictures.nbytes for stack in stacks.values())
        answers: ByteCache[_Answered, NDArray[np.float16]] = ByteCache(budget, lambda a: a.nbytes)
        return WordsEncoding(geometry, region, held + budget, number, stacks, answers)

    def predict(
        self,
        encoding: Encoding,
        prompts: Sequence[Prompt],
        previous: Prediction | None,
        progress: Progress,
    ) -> Prediction:
        """Find one object after words, a box, or both.

        Several phrases are taken as one, with commas between. Prompts outside the region say
        nothing. Raises PromptError for a prompt outside the volume, one the model does not take, or
        words that are too many, DeviceError without memory.
        """
        if not isinstance(encoding, WordsEncoding):
            raise TypeError(f"{self.card.name} cannot predict from a {type(encoding).__name__}.")
        self.card.check_takes(prompts)
        progress(0.0, "Reading the prompts")
        region = encoding.region
        marks = to_voxels(prompts, encoding.geometry).within(region)
        phrase = ", ".join(marks.phrases) or VISUAL
        by_plane: dict[str, Logits] = {}
        boxes = marks.boxes
        absent = not boxes and not marks.phrases
        share = part_of(progress, 0.0, 0.95)
        shares = parts_of(share, max(1, len(encoding.stacks)))
        for (name, stack), part in zip(encoding.stacks.items(), shares, strict=False):
            found: Mapping[int, Logits] = {}
            if not absent:
                on_stack = stack.marks(_boxed(marks, boxes), region.shape_kji)
                going = walk(on_stack) if boxes else walk_words(stack.shape, self._stride(stack))
                found = self._walked(encoding, name, going, on_stack, phrase, part)
            by_plane[name] = _on_region(stack, found)
            if not boxes and not absent:
                # The other planes look where the first one found it: a box, and the words again.
                there = region_of(by_plane[name] > 0)
                boxes, absent = ((there,), False) if there is not None else ((), True)
        progress(0.95, "Bringing the planes together")
        planes = {name: stack.plane for name, stack in encoding.stacks.items()}
        fused = self._fused(by_plane, planes)
        progress(1.0, "The object is drawn")
        likely = {name: probabilities(logits) for name, logits in by_plane.items()}
        return Prediction(encoding.geometry, region.start_kji, fused, likely)

    def _stride(self, stack: Stack) -> int:
        """How many slices apart those are that words alone are tried on first."""
        return max(1, int(self._step_mm / stack.plane.spacing_mm[0]))

    def _walked(
        self,
        encoding: WordsEncoding,
        name: str,
        going: Walk,
        marks: Marks,
        phrase: str,
        progress: Progress,
    ) -> Mapping[int, Logits]:
        def asked(asks: list[Ask], share: Progress) -> list[Logits]:
            return self._ask(encoding, name, asks, phrase, share)

        return drive(going, marks, asked, progress)

    def _ask(
        self,
        encoding: WordsEncoding,
        name: str,
        asks: Sequence[Ask],
        phrase: str,
        progress: Progress,
    ) -> list[Logits]:
        """The logits of slices on the region, those remembered and those found now."""
        stack = encoding.stacks[name]
        keys = [(phrase, name, index, prompt) for index, prompt in asks]
        known = [encoding.answers.get(key) for key in keys]
        new = [n for n, answer in enumerate(known) if answer is None]
        if new:
            indices = [asks[n][0] for n in new]
            picture = (stack.pictures.shape[1], stack.pictures.shape[2])
            fit = self._pictures.fit(picture)
            features = self._features.of(
                [(encoding.volume_id, stack.key(index)) for index in indices],
                stack.pictures[indices],
                fit,
                part_of(progress, 0.0, _LOOKING),
            )
            questions = []
            for n in new:
                box = stack.on_picture(asks[n][1]).box
                questions.append(SliceQuestion(phrase, box and relative(box, picture)))
            answers = self._runtime.decode(
                features, questions, self._threshold, part_of(progress, _LOOKING, 1.0)
            )
            for n, answer in zip(new, answers, strict=True):
                kept = np.full(stack.shape[1:], -FAR_LOGIT, np.float16)
                if answer.logits is not None:
                    logits = stack.of_region(picture_logits(self._pictures, answer.logits, fit))
                    # Rounded before the first use as well: the same prompts, the same answer.
                    kept[...] = logits.clip(-FAR_LOGIT, FAR_LOGIT)
                encoding.answers.put(keys[n], kept)
                known[n] = kept
        return [np.asarray(answer, np.float32) for answer in known]


def _boxed(marks: VoxelMarks, boxes: tuple[Region, ...]) -> VoxelMarks:
    """The same words with other boxes."""
    return VoxelMarks(boxes, marks.voxels_kji, marks.positive, marks.phrases)


def _on_region(stack: Stack, walked: Mapping[int, Logits]) -> Logits:
    """The logits (K, J, I) of the region, far below 0 on slices that were not asked."""
    logits = np.full(stack.shape, -FAR_LOGIT, np.float32)
    for index, picture in walked.items():
        logits[index] = picture
    return stack.plane.unstack(logits)
