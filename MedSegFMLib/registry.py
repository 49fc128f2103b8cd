"""Registry of the models by name.

It holds names only: a model's module is imported on first use.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from inspect import signature
from types import ModuleType
from typing import Any, cast

from .errors import ModelError
from .segmenter import ModelCard, Segmenter
from .system.foreign_errors import creating_errors
from .system.installing import extra_command
from .system.suggestions import with_suggestion

# Each module defines CARD and a function create(device=..., **options).
MODELS = {
    "ensam": "MedSegFMLib.models.ensam.model",
    "randomwalk": "MedSegFMLib.models.randomwalk.model",
    "sam": "MedSegFMLib.models.sam.model",
    "medsam": "MedSegFMLib.models.sam.medsam",
    "crossplane": "MedSegFMLib.models.sam.crossplane",
    "sam3d": "MedSegFMLib.models.sam3d.model",
    "medical-sam3": "MedSegFMLib.models.medical_sam3.model",
    "medsam2": "MedSegFMLib.models.medsam2.model",
    "nninteractive": "MedSegFMLib.models.nninteractive.model",
    "sam-med3d": "MedSegFMLib.models.sam_med3d.model",
    "voxtell": "MedSegFMLib.models.voxtell.model",
    "segvol": "MedSegFMLib.models.segvol.model",
    "nnunet": "MedSegFMLib.models.nnunet.model",
    "segresnet": "MedSegFMLib.models.segresnet.model",
    "vista3d": "MedSegFMLib.models.vista3d.model",
    "ellipsoid": "MedSegFMLib.models.ellipsoid",
}

# Earlier names of models, which commands, scripts, saved scenes and results may contain.
ALIASES = {"graphcut": "randomwalk"}

# Packages that are imported by another name than they are installed by.
DISTRIBUTIONS = {
    "nnInteractive.inference.inference_session": "nninteractive",
    "nnInteractive.inference.remote": "nninteractive-client",
    "skimage": "scikit-image",
    "yaml": "PyYAML",
}

# The extras of packages that the extra "models" does not have.
_OWN_EXTRAS = {
    "nninteractive": "models,nninteractive",
    "nninteractive-client": "nninteractive-client",
    "medim": "models,sam-med3d",
    "voxtell": "models,voxtell",
}

# The model used if none is named: the one with the best scores on the real cases.
DEFAULT_MODEL = "ensam"


def resolve_name(name: str) -> str:
    """The current name of a model for an earlier one; any other name unchanged."""
    return ALIASES.get(name, name)


def card(name: str, options: Mapping[str, Any] | None = None) -> ModelCard:
    """The card of a model; needs no package beyond the base installation.

    Args:
        name: a name of `MODELS` or an earlier name.
        options: options of its `create`, with which some models take fewer prompts or need other
            packages.
    """
    module = module_of(name)
    if options and hasattr(module, "card_with"):
        return cast(ModelCard, module.card_with(options))
    return cast(ModelCard, module.CARD).with_options(options or ())


def cards() -> list[ModelCard]:
    """The cards of all models."""
    return [card(name) for name in MODELS]


def missing_packages(model_card: ModelCard) -> list[str]:
    """The packages that a model needs and this Python does not have, as pip names them."""
    missing = (package for package in model_card.packages if not _is_installed(package))
    return [DISTRIBUTIONS.get(package, package) for package in missing]


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:
        # The package that it is a part of.
        return False


def create(name: str, /, device: str = "auto", **options: Any) -> Segmenter:
    """Load a model, ready to segment.

    Args:
        name: a name of `MODELS` or an earlier name.
        device: "auto" (a GPU if the model can use one), "cpu", "gpu" (the first of any kind),
            "cuda:N", "xpu:N" or "mps".
        options: options of the model's own `create`, for instance `weights=FILE`.

    Raises:
        ModelError: an unknown model or option, missing packages, or anything that a model's
            packages raise.
        DeviceError: the device does not exist, or its memory is exhausted.
        WeightsError: the weights are missing or damaged.
    """
    check_creatable(name, options)
    module, needed = module_of(name), card(name, options)
    if module.CARD.weights is not None and options.get("weights") is None:
        from .weights.recorded_options import recorded_options

        options = {**recorded_options(module.CARD.weights), **options}
        check_options(name, options)
    with creating_errors(name) if needed.packages else nullcontext():
        return cast(Segmenter, module.create(device=device, **options))


def check_creatable(name: str, options: Mapping[str, Any]) -> None:
    """Check what `create` needs to be able to begin, without loading anything.

    Args:
        name: a name of `MODELS` or an earlier name.
        options: options of the model's own `create`.

    Raises:
        ModelError: an unknown model or option, or missing packages.
    """
    module = module_of(name)
    needed = card(name, options)
    missing = missing_packages(needed)
    if missing:
        extra = next((_OWN_EXTRAS[each] for each in missing if each in _OWN_EXTRAS), "models")
        raise ModelError(
            f"The model {name} needs {', '.join(missing)}, which is not installed; run: "
            f"{extra_command(extra)}, or use the model randomwalk."
        )
    if "weights" in options and module.CARD.weights is None:
        raise ModelError(f"The model {name} takes no weights; leave them out.")
    check_options(name, options)


def check_options(name: str, options: Iterable[str]) -> None:
    """Check the names of options; their values are checked when the model is created.

    Raises:
        ModelError: the model has no such option.
    """
    module = module_of(name)
    accepted = signature(module.create)
    known = [option for option in accepted.parameters if option != "device"]
    for option in options:
        try:
            accepted.bind_partial(**{option: None})
        except TypeError as error:
            has = f"its options are {', '.join(known)}" if known else "it has none"
            raise ModelError(
                f"The model {name} has no option {with_suggestion(option, known)}; {has}."
            ) from error


@cache
def path_options(name: str) -> frozenset[str]:
    """The options of a model's `create` that name files or folders, by its annotations."""
    parameters = signature(module_of(name).create).parameters
    return frozenset(n for n, found in parameters.items() if "Path" in str(found.annotation))


def module_of(name: str) -> ModuleType:
    """The module of a model, which has its `CARD` and `create`.

    Raises:
        ModelError: there is no such model.
    """
    current = resolve_name(name)
    if current not in MODELS:
        raise ModelError(
            f"There is no model {with_suggestion(name, MODELS)}; the models are "
            f"{', '.join(MODELS)}."
        )
    return import_module(MODELS[current])
