"""One call of a container of the CVPR 2025 challenge: an npz file with prompts in, labels out."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..datasets.challenge_boxes import read_box_list
from ..datasets.challenge_npz import has_labels, read_image, read_labels, read_spacing
from ..datasets.challenge_prompts import FilePrompts, read_prompts
from ..errors import CasesError, PromptError
from ..metrics.challenge import challenge_scores, instance_f1, text_scores
from ..prompts.mask import Mask
from ..prompts.prompt_list import PromptList
from ..prompts.types import Box, Point, Prompt, Text, is_positive
from ..segmenter import ModelCard, Segmenter
from ..session.session import Session
from ..system.atomic_files import atomic_path
from ..volumes.volume import Volume


@dataclass(frozen=True)
class Request:
    """The image and the prompts of a file.

    Attributes:
        path: the file.
        image: its image.
        labels: the label of each class, in order.
        boxes: the voxel bounds (k, j, i) of each class; None without boxes.
        prompts: its other prompts.
        others: labels of the file itself that have no prompt.
    """

    path: Path
    image: Volume
    labels: tuple[int, ...]
    boxes: list[tuple[tuple[int, int, int], tuple[int, int, int]]] | None
    prompts: FilePrompts
    others: tuple[int, ...] = ()

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of its prompts: some of boxes, clicks and texts."""
        there = {
            "boxes": self.boxes,
            "clicks": any(self.prompts.clicks or ()),
            "texts": self.prompts.texts,
        }
        return tuple(kind for kind, given in there.items() if given)


@dataclass(frozen=True)
class Score:
    """The scores of an answer; None for one that does not apply."""

    case: str = field(metadata={"column": "CaseName"})
    seconds: float = field(metadata={"column": "RunningTime"})
    dsc: float | None = field(metadata={"column": "DSC"})
    nsd: float | None = field(metadata={"column": "NSD"})
    f1: float | None = field(metadata={"column": "F1"})


def read_request(path: Path, spacing_order: str) -> Request:
    """Read a file with its prompts.

    Raises:
        VolumeError: it cannot be read.
        CasesError: it has no prompts, or boxes and clicks of different numbers of classes.
    """
    image = read_image(path, spacing_order)
    boxes, prompts = read_box_list(path), read_prompts(path)
    previous = prompts.previous_kji
    if previous is not None and previous.shape != image.geometry.shape_kji:
        raise CasesError(
            f"{path}: 'prev_pred' has the shape {previous.shape}, and its image "
            f"{image.geometry.shape_kji}; they must be the same."
        )
    counts = {len(each) for each in (boxes, prompts.clicks) if each is not None}
    if len(counts) > 1:
        raise CasesError(
            f"{path} has boxes for {len(boxes or ())} classes and clicks for "
            f"{len(prompts.clicks or ())}; there must be one for each."
        )
    if not counts:
        if not prompts.texts:
            raise CasesError(f"{path} has no boxes, clicks or text_prompts; add what is wanted.")
        present = None if prompts.is_instances else _present(path, image)
        others = tuple(label for label in present or () if label not in prompts.texts)
        return Request(path, image, tuple(prompts.texts), None, prompts, others)
    (count,) = counts
    labels = tuple(range(1, count + 1))
    present = _present(path, image)
    if present is not None:
        if len(present) != count:
            raise CasesError(
                f"{path} has prompts for {count} classes, and {len(present)} labels in 'gts'; "
                "there must be one for each."
            )
        labels = present
    return Request(path, image, labels, boxes, prompts)


def left_empty(request: Request, card: ModelCard, from_previous: bool = False) -> list[str]:
    """The names of the classes that stay empty: the model gets no prompt on the object.

    Args:
        request: the file.
        card: the card of the model.
        from_previous: as for `answer`.
    """
    wanted = _prompts_by_label(request, card, from_previous)
    labels = [label for label, given in wanted.items() if not any(map(is_positive, given))]
    names = request.prompts.texts
    return [names.get(label, f"label {label}") for label in sorted([*labels, *request.others])]


def _present(path: Path, image: Volume) -> tuple[int, ...] | None:
    """The labels above 0 that a file holds itself, ascending; None without `gts`."""
    if not has_labels(path):
        return None
    values = np.unique(read_labels(path, image.geometry).array_kji)
    return tuple(int(value) for value in values if value > 0)


def answer(request: Request, segmenter: Segmenter, from_previous: bool = False) -> NDArray[Any]:
    """The label map (K, J, I) of all classes, which compete for voxels.

    All prompts of a class are given in their order, box, then clicks, or its text. The same prompts
    give the same answer as in a session that never ended.

    Args:
        request: the file.
        segmenter: the model.
        from_previous: whether a class with clicks starts from its voxels in `prev_pred` and gets
            its last click only.

    Raises:
        PromptError: the model takes none of the prompts of the file, or only some on background.
    """
    wanted = _prompts_by_label(request, segmenter.card, from_previous)
    if request.kinds and not any(wanted.values()):
        raise PromptError(
            f"{request.path} has only {' and '.join(request.kinds)}, but {segmenter.card.title} "
            f"takes {', '.join(segmenter.card.prompts)}; choose another --model, or add prompts "
            "that it takes to the file."
        )
    # Without any of these the session says that only background is marked.
    wanted = {n: given for n, given in wanted.items() if any(map(is_positive, given))} or wanted
    session = Session(segmenter, request.image)
    prompts, numbers = PromptList(), {}
    for label, given in wanted.items():
        if given:
            prompts = prompts.with_object(request.prompts.texts.get(label))
            numbers[prompts.labels[-1]] = label
            for prompt in given:
                prompts = prompts.added(prompts.labels[-1], prompt)
    dtype = np.uint8 if max(request.labels) < 256 else np.uint16
    labels_kji: NDArray[Any] = np.zeros(request.image.geometry.shape_kji, dtype)
    if numbers:
        session.change(prompts)
        for number, prediction in session.predict_all().items():
            labels_kji[prediction.region.slices][prediction.logits_kji > 0] = numbers[number]
    return labels_kji


def write_answer(path: Path, labels_kji: NDArray[Any]) -> None:
    """Write `segs`, whole or not at all.

    Raises:
        OutputError: the file cannot be written.
    """
    with atomic_path(path) as beside:
        np.savez_compressed(beside, segs=labels_kji)


def score(
    request: Request,
    card: ModelCard,
    reference: Path,
    labels_kji: NDArray[Any],
    seconds: float,
    from_previous: bool = False,
) -> Score:
    """The scores of an answer as the challenge's scripts compute them.

    If texts alone were used to ask, those of CVPR25_text_eval.py: Dice and surface Dice of all
    labels with a text, or F1 if they are instances. Otherwise, also if the file has texts that the
    model was not given, those of CVPR25_iter_eval.py after one step.

    Args:
        request: the file.
        card: the card of the model.
        reference: the file with the labels.
        labels_kji: the answer.
        seconds: the time that it took.
        from_previous: as for `answer`.

    Raises:
        VolumeError: the reference cannot be read.
    """
    truth = read_labels(reference, request.image.geometry).array_kji
    spacing, name = read_spacing(request.path), request.path.name
    if not _asks_with_texts_alone(request, card, from_previous):
        dsc, nsd = challenge_scores(truth, labels_kji, spacing)
    elif request.prompts.is_instances:
        return Score(name, seconds, None, None, round(instance_f1(truth, labels_kji), 4))
    else:
        dsc, nsd = text_scores(truth, labels_kji, spacing, tuple(request.prompts.texts))
    return Score(name, seconds, round(dsc, 4), round(nsd, 4), None)


def _asks_with_texts_alone(request: Request, card: ModelCard, from_previous: bool) -> bool:
    wanted = _prompts_by_label(request, card, from_previous).values()
    given = [prompt for prompts in wanted for prompt in prompts]
    return bool(given) and all(isinstance(prompt, Text) for prompt in given)


def _prompts_by_label(
    request: Request, card: ModelCard, from_previous: bool
) -> dict[int, list[Prompt]]:
    """The prompts of each class that the model takes."""
    return {
        label: _prompts(request, n, label, card, from_previous)
        for n, label in enumerate(request.labels)
    }


def _prompts(
    request: Request, n: int, label: int, card: ModelCard, from_previous: bool
) -> list[Prompt]:
    """The prompts of a class that the model takes."""
    geometry = request.image.geometry
    given: list[Prompt] = []
    clicks = () if request.prompts.clicks is None else request.prompts.clicks[n]
    previous = request.prompts.previous_kji
    if from_previous and previous is not None and "mask" in card.prompts and clicks:
        mask = previous == label
        if mask.any():
            given.append(Mask.from_array(mask, geometry))
            clicks = clicks[-1:]
    if not given and request.boxes is not None and "box" in card.prompts:
        start_kji, stop_kji = request.boxes[n]
        given.append(Box.from_ijk(geometry, start_kji[::-1], stop_kji[::-1]))
    if "point" in card.prompts:
        given += [Point.from_ijk(geometry, place[::-1], positive) for place, positive in clicks]
    if not given and "text" in card.prompts and label in request.prompts.texts:
        given.append(Text(request.prompts.texts[label]))
    return given
