"""A trial of new weights: loaded as their model loads them, and run once on a small phantom.

The phantom is a bright ball in noise. A network of slices gets one slice of it, another network the
whole of it, which is one patch of the usual networks of classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .. import registry
from ..errors import (
    Cancelled,
    DeviceError,
    MissingPartError,
    ModelError,
    PromptError,
    VolumeError,
    WeightsError,
)
from ..progress import Progress, part_of
from ..prompts.types import Box, Prompt, Text
from ..segmenter import ModelCard, Prediction, Segmenter
from ..system.memory.device_memory import free_for
from ..system.memory.free_memory import free_bytes
from ..volumes.geometry import Geometry
from ..volumes.images import Channels, combined, image_names
from ..volumes.volume import Volume
from .class_based.segmenter import Scored
from .common.weights_files import check_files

# The beginning of the sentence on a run that was left out.
LEFT_OUT = "The run on a phantom was left out"

_SIDE, _RADIUS = 40, 9
_SPACING_MM = 1.5
# Intensities of soft tissue and of a vessel with contrast agent in CT, in Hounsfield units.
_AROUND_HU, _BALL_HU, _NOISE_HU = 40, 300, 12
# Of the phantom's ball and the answer to its box; trained weights reach 0.9 and more.
_LEAST_DICE = 0.5
# A name that every model of free words knows.
_WORD = "liver"
# A network of this size on disk takes so many times that while it is loaded.
_COPIES = 2.2
_LOADED = 0.3
_MOST_CHARACTERS = 200
# Raised by packages that run a network if its weights or its description do not fit together.
_FAULTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)


class PhantomTrial:
    """The `Trial` of weights, for one import.

    Args:
        options: the options that the weights need.

    Attributes:
        left_out: a sentence on why the run was left out and the values alone were checked; "" if it
            was not.
    """

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        self.left_out = ""
        self._options = dict(options or {})

    def __call__(self, name: str, path: Path, progress: Progress) -> None:
        """Try the weights of a name.

        Raises:
            WeightsError: they cannot be loaded, compute no finite numbers, or the same everywhere,
                or, if their model must, do not find the ball.
            Cancelled: `progress` raised it.
        """
        card = next(card for card in map(registry.card, registry.MODELS) if card.weights == name)
        progress(0.0, "Loading the weights")
        obstacle = _obstacle(card, path)
        try:
            if not obstacle:
                share = part_of(progress, _LOADED, 1.0)
                _load_and_run(card, path, self._options, share)
        except (DeviceError, MissingPartError, PromptError, VolumeError) as error:
            obstacle = str(error)
        if obstacle:
            reason = obstacle.rstrip(".").replace(str(path), "the file")
            self.left_out = f"{LEFT_OUT} ({reason})."
            check_files(path, progress)
        progress(1.0, "Trying the weights")


def _load_and_run(
    card: ModelCard, path: Path, options: Mapping[str, str], progress: Progress
) -> None:
    """Load weights and run them once.

    Raises:
        WeightsError: they cannot be loaded, or the result is not one of usable weights.
        DeviceError, MissingPartError, PromptError, VolumeError: this computer, or this phantom,
            does not allow it.
    """
    try:
        _run(_loaded(card, path, options), path, progress)
    except (Cancelled, DeviceError, PromptError, VolumeError, WeightsError):
        raise
    except _FAULTS as error:
        reason = " ".join(str(error).split()).rstrip(".")[:_MOST_CHARACTERS]
        raise WeightsError(
            f"{path} cannot be run on a phantom ({reason}); use weights as they were published or "
            "trained."
        ) from error


def _loaded(card: ModelCard, path: Path, options: Mapping[str, str]) -> Segmenter:
    try:
        return registry.create(card.name, weights=path, **{**card.trial_options, **options})
    except ModelError as error:
        # Another package, or an option that the user must name with these weights.
        raise MissingPartError(str(error)) from error


def _obstacle(card: ModelCard, path: Path) -> str:
    """Why this computer cannot run a model; "" if it may."""
    missing = registry.missing_packages(card)
    if missing:
        return f"{', '.join(missing)} is not installed"
    size = sum(file.stat().st_size for file in _files(path))
    needed = max(card.memory_bytes(_SIDE**3), round(size * _COPIES))
    # It is loaded on the CPU, and runs on a GPU if there is one.
    for free in (free_bytes(), free_for("cpu" if card.cpu_only else "auto")):
        if free is not None and needed > free:
            return f"it needs {needed / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free"
    return ""


def _files(path: Path) -> list[Path]:
    return [file for file in (path, *path.rglob("*")) if file.is_file()]


def _run(model: Segmenter, path: Path, progress: Progress) -> None:
    """Segment the phantom, and judge the result."""
    card = model.card
    volume, ball = phantom(slices=1 if card.dimensions == 2 else _SIDE)
    encoding = model.encode(_repeated(volume, card.channels), None, part_of(progress, 0.0, 0.7))
    prompt = _prompt(model, volume.geometry, ball)
    answer = model.predict(encoding, [prompt], None, part_of(progress, 0.7, 1.0))
    values = encoding.scores if isinstance(encoding, Scored) else answer.logits_kji
    if not np.isfinite(values).all():
        raise _useless(path, "computes values that are not finite numbers")
    if values.min() == values.max() and not card.can_predict_empty:
        raise _useless(path, "computes the same value everywhere")
    found = _dice(answer, ball)
    if card.finds_ball and found < _LEAST_DICE:
        raise _useless(
            path,
            f"does not find a bright ball in its box (Dice {found:.2f}, at least {_LEAST_DICE})",
        )


def phantom(slices: int) -> tuple[Volume, NDArray[np.bool_]]:
    """A bright ball in noise: int16, and its mask, both (k, j, i); a single slice is its middle."""
    shape = (slices, _SIDE, _SIDE)
    k, j, i = (np.arange(n) - (n - 1) / 2 for n in shape)
    distance = np.sqrt(k[:, None, None] ** 2 + j[:, None] ** 2 + i**2)
    ball = distance <= _RADIUS
    noise = np.random.default_rng(0).normal(0, _NOISE_HU, shape)
    image = np.round(np.where(ball, _BALL_HU, _AROUND_HU) + noise).astype(np.int16)
    return Volume(image, Geometry.from_spacing(shape, (_SPACING_MM,) * 3)), ball


def _repeated(volume: Volume, channels: Channels) -> Volume:
    """The phantom as every image that a model takes at once."""
    names = image_names(channels)
    return combined(dict.fromkeys(names, volume)) if names else volume


def _prompt(model: Segmenter, geometry: Geometry, ball: NDArray[np.bool_]) -> Prompt:
    if "box" not in model.card.prompts:
        return Text(model.classes[0] if model.classes else _WORD)
    kji = np.argwhere(ball)
    return Box.from_ijk(
        geometry, kji.min(axis=0)[::-1].tolist(), (kji.max(axis=0) + 1)[::-1].tolist()
    )


def _dice(answer: Prediction, ball: NDArray[np.bool_]) -> float:
    mask = answer.mask.array_kji > 0
    total = int(mask.sum() + ball.sum())
    return 2 * int((mask & ball).sum()) / total


def _useless(path: Path, fault: str) -> WeightsError:
    return WeightsError(
        f"The network with the weights {path} {fault}, so that they are damaged or untrained; use "
        "weights as they were published or trained."
    )
