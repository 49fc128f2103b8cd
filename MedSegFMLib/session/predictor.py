"""Predictions of one object in its region of interest, with caches of what was computed before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TypeVar

from ..errors import DeviceError
from ..progress import Progress, part_of, parts_of, parts_of_the_rest
from ..prompts.line_marks import without_lines
from ..prompts.mask import Mask
from ..prompts.types import Box, Prompt
from ..segmenter import Encoding, Prediction, Segmenter
from ..system.device import forget_frames, is_gpu_out_of_memory, release_gpu_memory
from ..system.foreign_errors import check_finite_output, predicting_errors
from ..system.memory_cache import LruByteCache
from ..volumes.region import Region
from ..volumes.volume import Volume
from .looks import Look, RegionChooser, looks_after, tube_follower
from .region_limit import Note, RegionLimit, core_region
from .region_of_interest import grown_region, growths, prompt_region
from .start import Start, composed, corrects, model_prompts, started
from .steps import LookedStep, PredictedStep, from_the_first_shown

# How often the region of an object that reaches its border is enlarged.
_MOST_GROWTHS = 3
# The share of the remaining progress of each step of looks: a click has two, a long stroke many.
_STEP_OF_A_LOOK = 0.3


@dataclass(frozen=True)
class _Where:
    """Where a model looks: in a region, None for one around the prompts, which grows or not."""

    region: Region | None
    fixed: bool


_Chain = tuple[_Where, Mask | None, tuple[tuple[Prompt, ...], ...]]


_Step = PredictedStep | LookedStep
# The result of an action that a GPU may have no memory for.
_Found = TypeVar("_Found")


class Predictor:
    """A model on a volume.

    Args:
        segmenter: the model.
        volume: the volume.
        budget_bytes: the memory budget of the cached encodings, and likewise of the cached
            predictions.
        note: called with a sentence if a GPU's memory is too small for a region; None to log it.
    """

    def __init__(
        self, segmenter: Segmenter, volume: Volume, budget_bytes: int, note: Note | None = None
    ) -> None:
        self._segmenter = segmenter
        self._volume = volume
        self._limit = RegionLimit(segmenter.card.title, note)
        self._encodings: LruByteCache[Region, Encoding] = LruByteCache(
            budget_bytes, lambda e: e.nbytes
        )
        # The key is the region that objects share, the mask that the object starts from and all
        # steps up to this one: the prediction of a model that continues from its previous one
        # depends on all of them.
        self._steps: LruByteCache[_Chain, _Step] = LruByteCache(budget_bytes, lambda s: s.nbytes)

    def answer(
        self,
        taken: Sequence[tuple[Prompt, ...]],
        shared: Region | None,
        progress: Progress,
        redraw: bool = False,
        fixed: bool = False,
    ) -> Prediction:
        """The prediction for an object, with what its masks decide.

        Args:
            taken: its prompts after each step, as `PromptList.steps` returns them, at least one.
            shared: the region that all objects share; None if each has its own.
            progress: reports progress.
            redraw: whether the model draws an object again that only starts from a mask.
            fixed: whether the region, `shared`, does not grow with the object.
        """
        geometry, card = self._volume.geometry, self._segmenter.card
        taken = [without_lines(prompts, card.prompts, geometry) for prompts in taken]
        last = taken[-1]
        start = Start.of(last)
        where = _Where(shared, fixed)
        if start is None:
            return self._latest(None, taken, where, progress).prediction
        corrected = corrects(start, last, geometry)
        if not corrected and not redraw:
            progress(1.0, "Starting from the mask")
            return started(start, last, geometry)
        steps = [
            model_prompts(card, start, prompts, geometry)
            for prompts in taken
            if len(prompts) > start.index
        ]
        if not corrected:
            return self._latest(start, steps, where, progress).prediction
        plain = self._latest(start, steps[:1], where, part_of(progress, 0, 0.5)).prediction
        answer = self._latest(start, steps, where, part_of(progress, 0.5, 1)).prediction
        return composed(start, last, plain, answer)

    def _latest(
        self,
        start: Start | None,
        taken: Sequence[tuple[Prompt, ...]],
        where: _Where,
        progress: Progress,
    ) -> _Step:
        """The model's prediction after the last of `taken`, from the latest cached step.

        A model that continues from its previous prediction goes through every step, so that the
        same prompts always give the same mask.
        """
        card = self._segmenter.card
        if not card.uses_previous:
            taken = taken[-1:]
        if start is None:
            taken = from_the_first_shown(taken)
        mask = start.mask if start else None
        chains = [(where, mask, tuple(taken[: n + 1])) for n in range(len(taken))]
        step: _Step | None = None
        cached = len(taken)
        while step is None and cached > 0:
            cached -= 1
            step = self._steps.get(chains[cached])
        first = 0 if step is None else cached + 1
        if step is None and start is not None and card.starts_from == "previous":
            step = PredictedStep(started(start, (start.mask,), self._volume.geometry), ())
        for n, share in enumerate(parts_of(progress, len(taken) - first), first):
            around = taken[n] if mask is None else (*taken[n], mask)
            step = self._predict_step(taken[n], where, around, step, share)
            self._steps.put(chains[n], step)
        assert step is not None, "taken has at least one step"
        return step

    def _predict_step(
        self,
        prompts: tuple[Prompt, ...],
        where: _Where,
        around: Sequence[Prompt],
        before: _Step | None,
        progress: Progress,
    ) -> _Step:
        rule = self._segmenter.card.region_rule
        boxed = any(isinstance(prompt, Box) for prompt in prompts)
        # A box or a mask says how large the object is.
        is_sized = boxed or len(around) > len(prompts)
        chooses = rule.chooses_size and isinstance(self._segmenter, RegionChooser)
        if chooses and where.region is None and not is_sized:
            seen = before.looks if isinstance(before, LookedStep) else ()
            looks = self._looks(prompts, seen, progress)
            if looks:
                return LookedStep(looks, prompts)
        geometry = self._volume.geometry
        seen_before = before.regions if before else ()
        region = where.region or prompt_region(around, geometry, rule)
        region = Region.enclosing([region, *seen_before])
        core = core_region(around, geometry)
        if core is not None:
            core = Region.enclosing([core, *seen_before])
        previous = before.found if before else None
        # A box limits the object; without one the region grows with the object.
        grows = growths(0 if where.fixed or boxed else _MOST_GROWTHS)
        found = self._predicted(region, core or region, prompts, previous, grows, progress)
        return PredictedStep(found, prompts)

    def _looks(
        self, prompts: tuple[Prompt, ...], before: Sequence[Look], progress: Progress
    ) -> tuple[Look, ...]:
        """The looks of a model that chooses its regions, after a step."""
        segmenter, volume = self._segmenter, self._volume
        assert isinstance(segmenter, RegionChooser), "only such a model has looks"

        parts = parts_of_the_rest(progress, _STEP_OF_A_LOOK)

        def chosen(mark: Prompt, most_voxels: int | None) -> Region:
            share = next(parts)

            def choose() -> Region:
                with self._boundary():
                    return segmenter.choose_region(volume, prompts, mark, most_voxels, share)

            found = self._unless_full(choose)
            return choose() if isinstance(found, DeviceError) else found

        def predicted(
            region: Region, core: Region, given: tuple[Prompt, ...], previous: Prediction | None
        ) -> Prediction:
            return self._predicted(region, core, given, previous, tube_follower(), next(parts))

        return looks_after(before, prompts, volume.geometry, predicted, chosen)

    def _predicted(
        self,
        region: Region,
        core: Region,
        prompts: tuple[Prompt, ...],
        previous: Prediction | None,
        grows: Callable[[Prediction], bool],
        progress: Progress,
    ) -> Prediction:
        """The prediction on a region, or a smaller one with `core` if memory is short.

        The region is enlarged if the prediction touches its faces and `grows` is true of it.
        """
        region = self._limit.fitted(region, core)
        parts = parts_of_the_rest(progress)

        def tried(on: Region) -> Prediction | DeviceError:
            return self._tried(on, prompts, previous, next(parts))

        found = tried(region)
        while isinstance(found, DeviceError):
            smaller = self._limit.smaller(region, core)
            if smaller is None:
                raise found
            region = smaller
            found = tried(region)
        while grows(found):
            grown = grown_region(found.logits_kji > 0, region, self._volume.geometry)
            larger = None if grown is None else self._limit.fitted(grown, region)
            if larger is None or larger == region:
                break
            answer = tried(larger)
            if isinstance(answer, DeviceError):
                self._limit.stays(region, larger)
                break
            found, region = answer, larger
        return found

    def _tried(
        self,
        region: Region,
        prompts: tuple[Prompt, ...],
        previous: Prediction | None,
        progress: Progress,
    ) -> Prediction | DeviceError:
        """The prediction on a region, or the error if the GPU has no memory for it."""
        return self._unless_full(lambda: self._on_region(region, prompts, previous, progress))

    def _unless_full(self, action: Callable[[], _Found]) -> _Found | DeviceError:
        """The result of an action, or the error if the GPU has no memory for it, which is freed."""
        try:
            return action()
        except DeviceError as error:
            if not is_gpu_out_of_memory(error):
                raise
            full = error
        # Outside the handler, because what it refers to holds the GPU's memory.
        forget_frames(full)
        self._encodings.clear()
        release_gpu_memory()
        return full

    def _on_region(
        self,
        region: Region,
        prompts: tuple[Prompt, ...],
        previous: Prediction | None,
        progress: Progress,
    ) -> Prediction:
        encoding = self._encode(region, part_of(progress, 0, 0.5))
        with self._boundary():
            prediction = self._segmenter.predict(
                encoding, prompts, previous, part_of(progress, 0.5, 1)
            )
        check_finite_output(prediction.logits_kji, self._segmenter.card.name)
        return prediction

    def _encode(self, region: Region, progress: Progress) -> Encoding:
        encoding = self._encodings.get(region)
        if encoding is None:
            with self._boundary():
                encoding = self._segmenter.encode(self._volume, region, progress)
            self._encodings.put(region, encoding)
        return encoding

    def _boundary(self) -> AbstractContextManager[None]:
        """The boundary to the packages of others that the model needs, if it does."""
        card = self._segmenter.card
        return predicting_errors(card.name) if card.packages else nullcontext()
