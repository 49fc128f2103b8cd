"""A model that is asked in words, and asks back where it may have found the wrong place.

It looks twice: at the patient, and at the patient's mirror image with left and right exchanged in
the words. If these looks, its own planes and other models agree, its answer is the answer. If not,
the answer is a question, and a mask is only made once a click has decided.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...errors import PromptError
from ...progress import Progress, part_of, parts_of
from ...prompts.mask import Mask
from ...prompts.types import Point, Prompt, Text, is_start, prompt_name
from ...prompts.voxels import to_voxels
from ...segmenter import (
    Encoding,
    Logits,
    ModelCard,
    Prediction,
    Segmenter,
    probabilities,
)
from ...system.memory_cache import LruByteCache
from ...volumes.region import Region, on_region
from ...volumes.volume import Volume
from .bound import agreement_bound
from .looks import Looks, compared
from .mirror import Mirror

_log = logging.getLogger(__name__)
# Of the memory of what was compared, in one encoding.
_BUDGET_BYTES = 1 << 27


def asking(segmenter: Segmenter, others: Sequence[Segmenter] = ()) -> Segmenter:
    """The model as it asks back, if it takes free words; any other model itself.

    Args:
        segmenter: the model.
        others: further models that take words, which are asked for the same.
    """
    return AskingSegmenter(segmenter, others) if segmenter.card.takes_words else segmenter


def asking_card(card: ModelCard) -> ModelCard:
    """The card of a model as it asks back: one that takes no clicks takes those that decide."""
    if not card.takes_words or "point" in card.prompts:
        return card
    return ModelCard(**{**vars(card), "prompts": (*card.prompts, "point")})


@dataclass(frozen=True, eq=False)
class _Compared:
    """The model's own answer, and its looks; None if there is only one."""

    answer: Prediction
    looks: Looks | None

    @property
    def nbytes(self) -> int:
        planes = sum(plane.nbytes for plane in self.answer.planes.values())
        looks = 0 if self.looks is None else self.looks.nbytes
        return self.answer.logits_kji.nbytes + planes + looks


@dataclass(frozen=True, eq=False)
class _AskedEncoding(Encoding):
    """The features of each look, made once they are needed, and what was compared."""

    volume: Volume
    own: Encoding
    further: dict[str, Encoding]
    answers: LruByteCache[tuple[Prompt, ...], _Compared]


class AskingSegmenter:
    """A model behind its own interface; see `asking`."""

    def __init__(
        self, segmenter: Segmenter, others: Sequence[Segmenter] = (), bound: float | None = None
    ) -> None:
        self._segmenter = segmenter
        self._others = tuple(others)
        self._bound = agreement_bound() if bound is None else bound
        self.card = asking_card(segmenter.card)

    @property
    def classes(self) -> tuple[str, ...]:
        """The model's classes."""
        return self._segmenter.classes

    def encode(self, volume: Volume, region: Region | None, progress: Progress) -> Encoding:
        """Encode a region (None: all) of a volume."""
        own = self._segmenter.encode(volume, region, progress)
        answers = LruByteCache[tuple[Prompt, ...], _Compared](_BUDGET_BYTES, lambda c: c.nbytes)
        nbytes = (2 + len(self._others)) * own.nbytes + _BUDGET_BYTES
        return _AskedEncoding(own.geometry, own.region, nbytes, volume, own, {}, answers)

    def predict(
        self,
        encoding: Encoding,
        prompts: Sequence[Prompt],
        previous: Prediction | None,
        progress: Progress,
    ) -> Prediction:
        """Segment one object, or ask for its place (`Prediction.question`, with an empty mask).

        Words alone are asked about. With a box, a mask to start from, or, for a model that takes
        them, a mark, the user has shown the place. For a model that takes no clicks, one decides
        among the places, and one for the background rules its place out.

        Raises:
            PromptError: a click is at none of the places; further errors are those of the model.
        """
        assert isinstance(encoding, _AskedEncoding), "encodings are those of this object"
        takes_clicks = "point" in self._segmenter.card.prompts
        clicks = [] if takes_clicks else [p for p in prompts if isinstance(p, Point)]
        given = [p for p in prompts if p not in clicks]
        is_named = any(isinstance(p, Text) for p in given)
        others = [p for p in given if not isinstance(p, Text | Mask) or is_start(p)]
        if clicks and (others or not is_named):
            kinds = sorted({prompt_name(p) for p in others} | {"point"})
            raise PromptError(
                f"{self._segmenter.card.title} takes a click only to decide which place its words "
                f"mean, not {' and '.join(kinds)} alone; name the object, and leave out the rest."
            )
        if others or not is_named:
            return self._segmenter.predict(encoding.own, given, previous, progress)
        found = self._looked(encoding, tuple(given), previous, progress)
        answer = found.answer
        if found.looks is None and not clicks:
            return answer
        looks = found.looks or _only(answer)
        chosen, ruled_out = self._decided(looks, clicks)
        if looks.agreement >= self._bound:
            return _without(answer, looks, ruled_out) if ruled_out else answer
        logits = looks.drawn(chosen)
        question = None if chosen else looks.question(ruled_out, self._bound)
        return Prediction(answer.geometry, looks.region.start_kji, logits, question=question)

    def _decided(self, looks: Looks, clicks: Sequence[Point]) -> tuple[set[int], set[int]]:
        """The numbers of the places that clicks chose, and that they ruled out."""
        chosen: set[int] = set()
        ruled_out: set[int] = set()
        region = looks.region
        for click in clicks:
            (voxel,) = to_voxels([click], looks.geometry).voxels_kji
            number = looks.place_at((voxel - np.array(region.start_kji)).tolist())
            if click.positive and not number:
                i, j, k = voxel[::-1].tolist()
                raise PromptError(
                    f"{self.card.title} finds nothing at the click on voxel {i} {j} {k} for these "
                    f"words, and a click can only decide among {len(looks.places)} places that it "
                    "finds; click at one of them, or use a model that takes clicks by themselves."
                )
            if number:
                (ruled_out if not click.positive else chosen).add(number)
        return chosen - ruled_out, ruled_out

    def _looked(
        self,
        encoding: _AskedEncoding,
        prompts: tuple[Prompt, ...],
        previous: Prediction | None,
        progress: Progress,
    ) -> _Compared:
        """The model's own answer and the comparison of all looks."""
        known = encoding.answers.get(prompts)
        if known is not None:
            progress(1.0, "Comparing the looks")
            return known
        share, mirror_share, *shares = parts_of(progress, 2 + len(self._others))
        answer = self._segmenter.predict(encoding.own, prompts, previous, share)
        looks = dict(answer.planes) if len(answer.planes) > 1 else {}
        found = {name: (answer.region, plane) for name, plane in looks.items()}
        found = found or {"own": (answer.region, probabilities(answer.logits_kji))}
        mirrored = self._mirrored(encoding, prompts, mirror_share)
        if mirrored is not None:
            found["mirror image"] = mirrored
        for other, part in zip(self._others, shares, strict=True):
            texts = [p for p in prompts if isinstance(p, Text)]
            features = self._features(encoding, other.card.name, other, encoding.volume, part)
            theirs = other.predict(features, texts, None, part_of(part, 0.5, 1.0))
            found[other.card.name] = (theirs.region, probabilities(theirs.logits_kji))
        progress(1.0, "Comparing the looks")
        compare = None
        if len(found) > 1:
            region = Region.enclosing([where for where, _ in found.values()])
            placed = {name: on_region(look, where, region) for name, (where, look) in found.items()}
            compare = compared(answer.geometry, region, _allowed(placed, prompts, answer, region))
        result = _Compared(answer, compare)
        encoding.answers.put(prompts, result)
        return result

    def _mirrored(
        self, encoding: _AskedEncoding, prompts: Sequence[Prompt], progress: Progress
    ) -> tuple[Region, Logits] | None:
        """Region and probabilities of the look at the mirror image; None if words lack for it."""
        mirror = Mirror.of(encoding.volume)
        mirrored = mirror.volume(encoding.volume)
        region = mirror.region(encoding.region)
        features = self._features(
            encoding, "mirror image", self._segmenter, mirrored, progress, region
        )
        try:
            answer = self._segmenter.predict(
                features, mirror.words(prompts), None, part_of(progress, 0.5, 1.0)
            )
        except PromptError as error:
            # Phrases that were embedded beforehand may lack the other side.
            _log.info("There is no look at the mirror image: %s", error)
            progress(1.0, "Looking at the mirror image")
            return None
        found = mirror.array(probabilities(answer.logits_kji))
        return mirror.region(answer.region), found

    def _features(
        self,
        encoding: _AskedEncoding,
        name: str,
        segmenter: Segmenter,
        volume: Volume,
        progress: Progress,
        region: Region | None = None,
    ) -> Encoding:
        """The features of a further look, encoded once."""
        features = encoding.further.get(name)
        if features is None:
            share = part_of(progress, 0.0, 0.5)
            features = segmenter.encode(volume, region or encoding.region, share)
            encoding.further[name] = features
        return features


def _allowed(
    looks: Mapping[str, Logits], prompts: Sequence[Prompt], answer: Prediction, region: Region
) -> Mapping[str, Logits]:
    """Probabilities on a region without the voxels that masks keep out of the object."""
    masks = [prompt for prompt in prompts if isinstance(prompt, Mask)]
    fixed = to_voxels(masks, answer.geometry).within(region).fixed if masks else None
    if fixed is None:
        return looks
    allowed = {}
    for name, look in looks.items():
        allowed[name] = look.copy()
        part = allowed[name][fixed.region.slices]
        part[fixed.fixed_kji & ~fixed.inside_kji] = 0
    return allowed


def _only(answer: Prediction) -> Looks:
    """The places of an answer that nothing contradicts."""
    own = probabilities(answer.logits_kji)
    return compared(answer.geometry, answer.region, {"own": own})


def _without(answer: Prediction, looks: Looks, ruled_out: set[int]) -> Prediction:
    """An answer without the places that the user ruled out."""
    logits = answer.logits_kji.copy()
    assert looks.part is not None, "there are places"
    here = looks.part.shifted(looks.region.start_kji).intersection(answer.region)
    if here is not None:
        there = here.relative_to(looks.region).relative_to(looks.part)
        part = logits[here.relative_to(answer.region).slices]
        gone = np.isin(looks.numbers[there.slices], list(ruled_out))
        part[gone] = np.minimum(part[gone], -np.abs(part[gone]) - 1)
    return replace(answer, logits_kji=logits, planes={})
