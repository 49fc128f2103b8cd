"""What SAM3's detector says of a region's slices, asked once for each words, slice and box."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...progress import Progress, part_of
from ...segmenter import Encoding, Logits
from ...system.memory_cache import LruByteCache
from ..planar.fusion import FAR_LOGIT
from ..planar.propagation import Ask, Marks, PicturePrompt
from ..sam.encoding import Stack
from ..sam.feature_cache import SliceFeatures
from ..sam.preprocessing import picture_logits
from .preprocessing import Sam3Pictures, relative
from .runtime import Sam3Runtime, SliceQuestion

# Of the time of a slice, this part is for looking at it.
_LOOKING = 0.85

HalfLogits = NDArray[np.float16]

Asked = tuple[str, str, int, PicturePrompt]
"""Words, plane, slice and box."""

Tracked = tuple[str | None, str, Marks]
"""Words, plane, and prompts on the stack; no words where clicks alone say what it is."""


@dataclass(frozen=True, eq=False)
class Found:
    """How surely what was asked for is on a slice, 0 to 1, and its logits on the region."""

    score: float
    logits: HalfLogits


@dataclass(frozen=True, eq=False)
class WordsEncoding(Encoding):
    """A region's stacks by plane.

    volume_id: which volume it is a region of.
    answers: the detector's, (rows, columns) of the region's slices, by words, plane, slice, box.
    tracked: the tracker's, of the slices it came to.
    """

    volume_id: int
    stacks: dict[str, Stack]
    answers: LruByteCache[Asked, Found]
    tracked: LruByteCache[Tracked, Mapping[int, HalfLogits]]


def answer_caches(
    budget: int,
) -> tuple[LruByteCache[Asked, Found], LruByteCache[Tracked, Mapping[int, HalfLogits]]]:
    """Empty caches of so many bytes each, for the detector's answers and the tracker's."""
    return (
        LruByteCache(budget, lambda found: found.logits.nbytes),
        LruByteCache(budget, lambda way: sum(logits.nbytes for logits in way.values())),
    )


def halved(logits: Logits) -> HalfLogits:
    """Logits as they are kept; rounded before the first use too: the same prompts, one answer."""
    return np.asarray(logits.clip(-FAR_LOGIT, FAR_LOGIT), np.float16)


class SliceAsker:
    """Looks at slices and asks the detector about them, both once as long as memory allows.

    threshold: what scores less, from 0 to 1, is not there.
    """

    def __init__(
        self,
        runtime: Sam3Runtime,
        pictures: Sam3Pictures,
        features: SliceFeatures,
        threshold: float,
    ) -> None:
        self._runtime = runtime
        self._pictures = pictures
        self._features = features
        self._threshold = threshold

    def look(
        self, encoding: WordsEncoding, name: str, indices: Sequence[int], progress: Progress
    ) -> list[HalfLogits]:
        """The features (tokens, channels) of slices of a stack, in 16 bits."""
        stack = encoding.stacks[name]
        return self._features.of(
            [(encoding.volume_id, stack.key(index)) for index in indices],
            stack.pictures[list(indices)],
            self._pictures.fit((stack.pictures.shape[1], stack.pictures.shape[2])),
            progress,
        )

    def ask(
        self,
        encoding: WordsEncoding,
        name: str,
        asks: Sequence[Ask],
        phrase: str,
        progress: Progress,
    ) -> list[Found]:
        """What is on slices of a stack, those remembered and those found now."""
        stack = encoding.stacks[name]
        keys = [(phrase, name, index, prompt) for index, prompt in asks]
        known = [encoding.answers.get(key) for key in keys]
        new = [n for n, answer in enumerate(known) if answer is None]
        if new:
            picture = (stack.pictures.shape[1], stack.pictures.shape[2])
            fit = self._pictures.fit(picture)
            features = self.look(
                encoding, name, [asks[n][0] for n in new], part_of(progress, 0.0, _LOOKING)
            )
            questions = []
            for n in new:
                box = stack.on_picture(asks[n][1]).box
                questions.append(SliceQuestion(phrase, box and relative(box, picture)))
            answers = self._runtime.decode(
                features, questions, self._threshold, part_of(progress, _LOOKING, 1.0)
            )
            for n, answer in zip(new, answers, strict=True):
                logits = np.full(stack.shape[1:], -FAR_LOGIT, np.float32)
                if answer.logits is not None:
                    logits = stack.of_region(picture_logits(self._pictures, answer.logits, fit))
                found = Found(answer.score, halved(logits))
                encoding.answers.put(keys[n], found)
                known[n] = found
        return [found for found in known if found is not None]
