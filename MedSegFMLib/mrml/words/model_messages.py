"""Facts about a model in plain words, from its card."""

from __future__ import annotations

from ... import registry
from ...errors import WeightsError
from ...prompts.prompt_list import PromptList
from ...prompts.types import Text
from ...segmenter import ModelCard, ModelOption
from ...session.region_of_interest import prompt_region
from ...volumes.geometry import Geometry
from ...volumes.region import Region
from ...weights import store
from ...weights.catalogue import Entry, entry
from .translation import tr as _

# The region for which memory is estimated while no prompt says how large the object is.
_TYPICAL_VOXELS = 96**3


def takes(card: ModelCard) -> str:
    """The prompts that a model takes, and its images."""
    names = {
        "box": _("boxes"),
        "line": _("lines"),
        "point": _("clicks"),
        "scribble": _("scribbles"),
        "lasso": _("lassos"),
        "text": _("text"),
        "mask": _("segments to start from"),
    }
    prompts = ", ".join(names[name] for name in card.accepted)
    images = ", ".join(card.modalities)
    if card.modalities == ("any",):
        images = _("images of any kind")
    return _("Takes {prompts}; for {images}, in {n}D.").format(
        prompts=prompts, images=images, n=card.dimensions
    )


def weights_here(card: ModelCard) -> store.Installed | None:
    """The installed weights of a model; None if it has none or needs none."""
    here = [item for item in store.installed() if item.name == card.weights]
    return here[0] if here else None


def weights_fault(card: ModelCard) -> str:
    """The reason why a model's weights cannot be loaded; "" if there is none."""
    if card.weights is None:
        return ""
    found = weights_here(card)
    if found is None:
        if is_published(card):
            return _("Its weights are not installed yet; download or import them.")
        if is_trained_here(card):
            return _(
                "Its weights come from your own training; see Adapt to my site, or import a file."
            )
        return _("Its weights are not published yet; import a file, or choose another model.")
    if not found.fault and card.base is not None:
        here = {item.name: item for item in store.installed()}
        if card.base not in here:
            return _("It also needs the weights of {base}; install those first.").format(
                base=registry.card(card.base).title
            )
        return here[card.base].fault or ""
    return found.fault or ""


def is_trained_here(card: ModelCard) -> bool:
    """Whether the weights of a model are made by its users only."""
    try:
        return card.weights is not None and entry(card.weights).recipe is not None
    except WeightsError:
        return False


def is_published(card: ModelCard) -> bool:
    """Whether the weights of a model can be downloaded."""
    try:
        return card.weights is not None and entry(card.weights).is_published
    except WeightsError:
        return False


def licence_question(item: Entry, title: str) -> str:
    """The question before weights are downloaded whose licence restricts their use.

    Args:
        item: The entry of the weights in the catalogue.
        title: The title of the model.
    """
    return _(
        "The weights of {title} come under the licence {licence}, which restricts what you may use "
        "them for (often: no commercial use). Read it before you go on. Do you accept it?"
    ).format(title=title, licence=item.licence)


def not_accepted() -> str:
    """The sentence if the user does not accept a licence."""
    return _("Nothing was downloaded: the licence was not accepted.")


def downloaded(left_out: str) -> str:
    """The sentence after a download.

    Args:
        left_out: A sentence on what of the trial was left out; "" if nothing was.
    """
    return " ".join((_("The weights were downloaded and verified."), left_out)).strip()


def unknown_at_import() -> str:
    """The sentence above the options that weights do not say of themselves."""
    return _(
        "These weights do not say everything that the model must know of them. Fill in what their "
        "authors state; it is recorded, and holds whenever the weights are used. Fields that show "
        "a default may stay empty."
    )


def default_value(option: ModelOption) -> str:
    """The value of an option that is not given, or words for the model's own choice."""
    return option.default or _("model's own")


def default_choice(option: ModelOption) -> str:
    """The title of the choice not to set an option."""
    return _("Default ({value})").format(value=default_value(option))


def region_voxels(
    card: ModelCard, prompts: PromptList, label: int, geometry: Geometry | None
) -> int:
    """The number of voxels that a model uses for an object; an estimate without prompts."""
    if geometry is None:
        return _TYPICAL_VOXELS
    given = prompts.own(label)
    if any(isinstance(prompt, Text) for prompt in given):
        return Region.whole(geometry.shape_kji).size
    if not given:
        return min(_TYPICAL_VOXELS, Region.whole(geometry.shape_kji).size)
    return prompt_region(given, geometry, card.region_rule).size


def costs(card: ModelCard, fault: str, free_bytes: int | None, voxels: int) -> str:
    """Weights, licence, and the memory for a region against the free memory.

    Args:
        card: The model's card.
        fault: See `weights_fault`.
        free_bytes: The free memory; None if it is not known.
        voxels: The number of voxels of the region.
    """
    if card.weights is None:
        weights = _("No weights needed.")
    else:
        weights = fault or _("Weights are installed.")
    licence = _("Licence: {licence}.").format(licence=card.weights_licence or card.code_licence)
    needed = card.memory_bytes(voxels)
    if free_bytes is None:
        memory = _("Memory: about {needed}.").format(needed=_size(needed))
    else:
        memory = _("Memory: about {needed} of {free} free.").format(
            needed=_size(needed), free=_size(free_bytes)
        )
        if needed > free_bytes:
            memory += " " + _("Close other programs or draw a smaller box.")
    return f"{weights} {licence}\n{memory}"


def _size(number: float) -> str:
    return f"{number / 1e9:.1f} GB" if number >= 1e9 else f"{number / 1e6:.0f} MB"
