"""The models by name. Only names stand here; a model's module is imported when it is asked for."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from importlib.util import find_spec
from inspect import signature
from types import ModuleType
from typing import Any, cast

from .errors import ModelError
from .segmenter import ModelCard, Segmenter

# Each module has a CARD and a function create(device=..., **options).
MODELS = {
    "ensam": "MedSegFMLib.models.ensam.model",
    "randomwalk": "MedSegFMLib.models.randomwalk.model",
    "sam": "MedSegFMLib.models.sam.model",
    "medsam": "MedSegFMLib.models.sam.medsam",
    "crossplane": "MedSegFMLib.models.sam.crossplane",
    "sam3d": "MedSegFMLib.models.sam3d.model",
    "medical-sam3": "MedSegFMLib.models.medical_sam3.model",
    "nnunet": "MedSegFMLib.models.nnunet.model",
    "segresnet": "MedSegFMLib.models.segresnet.model",
    "ellipsoid": "MedSegFMLib.models.ellipsoid",
}

# Earlier names of models: commands, scripts, saved scenes and results may hold them.
ALIASES = {"graphcut": "randomwalk"}

# The model that runs where none is named: the one that measures best on the real cases.
DEFAULT_MODEL = "ensam"


def resolve_name(name: str) -> str:
    """The present name of a model for an earlier one; any other name as it is."""
    return ALIASES.get(name, name)


def card(name: str) -> ModelCard:
    """The card of a model; needs no package beyond the light installation."""
    return cast(ModelCard, _module(name).CARD)


def cards() -> list[ModelCard]:
    """The cards of all models."""
    return [card(name) for name in MODELS]


def missing_packages(model_card: ModelCard) -> list[str]:
    """The packages a model needs and this Python lacks."""
    return [package for package in model_card.packages if find_spec(package) is None]


def create(name: str, /, device: str = "auto", **options: Any) -> Segmenter:
    """Load a model, ready to segment.

    device: "auto" (a GPU where the model can use one), "cpu", "cuda" or "cuda:N".
    options: what the model's own `create` takes, for instance `weights=FILE`.

    Raises ModelError for an unknown model or option, or missing packages, DeviceError for a device
    that is not there, WeightsError for weights that are missing or damaged.
    """
    module = _module(name)
    missing = missing_packages(module.CARD)
    if missing:
        raise ModelError(
            f"The model {name} needs {', '.join(missing)}, not installed here; run: "
            f"pip install {' '.join(missing)}, or use the model randomwalk."
        )
    if "weights" in options and module.CARD.weights is None:
        raise ModelError(f"The model {name} takes no weights; leave them out.")
    _check_options(name, module, options)
    return cast(Segmenter, module.create(device=device, **options))


def _check_options(name: str, module: ModuleType, options: Iterable[str]) -> None:
    taken = signature(module.create)
    known = [option for option in taken.parameters if option != "device"]
    for option in options:
        try:
            taken.bind_partial(**{option: None})
        except TypeError as error:
            has = f"its options are {', '.join(known)}" if known else "it has none"
            raise ModelError(f"The model {name} has no option '{option}'; {has}.") from error


def _module(name: str) -> ModuleType:
    present = resolve_name(name)
    if present not in MODELS:
        raise ModelError(f"There is no model '{name}'; the models are {', '.join(MODELS)}.")
    return import_module(MODELS[present])
