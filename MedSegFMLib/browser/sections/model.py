"""The section "Model": which model runs, where, with which options, and what it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ... import registry
from ...errors import PageError
from ...mrml.installing import Installing
from ...mrml.words import model_messages
from ...mrml.words.translation import tr as _
from ...registry import DEFAULT_MODEL, MODELS, missing_packages
from ...segmenter import ModelCard
from ...system.memory.free_memory import free_bytes
from ...weights.catalogue import entry
from ..fields import Message, choice, flag, text
from ..model_options import LONGEST, option_rows, start_hint, with_option
from .section import Action, State

if TYPE_CHECKING:
    from ..desk import Desk

_DEVICES = {"auto": _("Auto"), "cpu": _("CPU"), "cuda": _("GPU")}


@dataclass(frozen=True)
class _Needs:
    """The packages and weights that a model lacks on this computer.

    packages, weights: A sentence each; "" if nothing is missing. can_download: Whether its weights
    are missing and published.
    """

    packages: str
    weights: str
    can_download: bool


class ModelSection:
    """Chooses the model, sets its options and downloads its weights.

    Args:
        desk: The work.

    Attributes:
        installing: Downloads weights.
    """

    name = "model"

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._needs: dict[tuple[str, frozenset[str]], _Needs] = {}
        # The options of the models that were chosen before.
        self._options: dict[str, dict[str, Any]] = {}
        self._costs: tuple[object, str] = (None, "")
        self.installing = Installing(desk.status, self._look_after_download)

    def fault(self, name: str) -> str:
        """Why a model cannot run here; "" if it can. Disk and packages are looked at once."""
        needs = self._needs_of(name)
        return needs.packages or needs.weights

    def look_again(self) -> None:
        """Look at disk and packages again: weights have arrived, or the worker is a new one."""
        self._needs.clear()

    def state(self) -> State:
        """See `Section`."""
        logic = self._desk.logic
        name, card = logic.model, registry.card(logic.model)
        return {
            "models": [
                {"name": n, "title": registry.card(n).title, "lacksPackages": self._lacks(n)}
                for n in (DEFAULT_MODEL, *(n for n in MODELS if n != DEFAULT_MODEL))
            ],
            "chosen": name,
            "title": card.title,
            "summary": card.summary,
            "devices": [{"name": n, "title": title} for n, title in _DEVICES.items()],
            "device": logic.device,
            "options": option_rows(card, logic.options),
            "startHint": start_hint(card),
            "takes": model_messages.takes(logic.card),
            "costs": self._text_of_costs(),
            "fault": self.fault(name),
            "canDownload": self._needs_of(name).can_download and not self.installing.is_busy,
            "licence": self._licence(card),
        }

    def actions(self) -> Mapping[str, Action]:
        """See `Section`."""
        return {
            "model": self._set_model,
            "device": self._set_device,
            "option": self._set_option,
            "download": self._download,
            "restart": self._restart,
        }

    def _needs_of(self, name: str) -> _Needs:
        options = self._options_of(name)
        key = (name, frozenset(options))
        if key not in self._needs:
            self._needs[key] = _look(registry.card(name, options))
        return self._needs[key]

    def _lacks(self, name: str) -> bool:
        return bool(self._needs_of(name).packages)

    def _options_of(self, name: str) -> dict[str, Any]:
        logic = self._desk.logic
        return logic.options if name == logic.model else self._options.get(name, {})

    def _licence(self, card: ModelCard) -> State:
        """The question before a download, and the address of the licence; "" for none."""
        if not self._needs_of(card.name).can_download or card.weights is None:
            return {"question": "", "address": ""}
        item = entry(card.weights)
        question = "" if item.permissive else model_messages.licence_question(item, card.title)
        return {"question": question, "address": item.licence_url or ""}

    def _text_of_costs(self) -> str:
        """Looked up only if what it depends on has changed: free memory changes all the time."""
        logic = self._desk.logic
        geometry = None if logic.volume is None else logic.volume.geometry
        voxels = model_messages.region_voxels(
            logic.card, logic.prompts, logic.current_label, geometry
        )
        fault = self.fault(logic.model)
        known = (logic.model, voxels, fault)
        if known != self._costs[0]:
            self._costs = known, model_messages.costs(logic.card, fault, free_bytes(), voxels)
        return self._costs[1]

    def _set_model(self, message: Message) -> None:
        name, logic = choice(message, "model", tuple(MODELS)), self._desk.logic
        if name != logic.model and self._lacks(name):
            raise PageError(self._needs_of(name).packages)
        options = self._options_of(name)
        before = logic.model, logic.options
        self._use(name, logic.device, options)
        self._options[before[0]] = before[1]

    def _set_device(self, message: Message) -> None:
        logic = self._desk.logic
        self._use(logic.model, choice(message, "device", tuple(_DEVICES)), logic.options)

    def _set_option(self, message: Message) -> None:
        logic = self._desk.logic
        name, value = text(message, "name"), text(message, "value", LONGEST).strip()
        options = with_option(registry.card(logic.model), logic.options, name, value)
        if options != logic.options:
            self._use(logic.model, logic.device, options)

    def _use(self, name: str, device: str, options: Mapping[str, Any]) -> None:
        self._desk.logic.set_model(name, device, **options)
        self._desk.warm_up()

    def _download(self, message: Message) -> None:
        name = text(message, "model")
        card = registry.card(self._desk.logic.model, self._desk.logic.options)
        if name != card.name or not self._needs_of(name).can_download or card.weights is None:
            raise PageError(
                _("Another model was chosen meanwhile, or its weights are here; reload the page.")
            )
        # The page's answer counts for the model that it asked about, and no other.
        if not flag(message, "accepted") and not entry(card.weights).permissive:
            self._desk.status.inform(model_messages.not_accepted())
            return
        self.installing.download(card)

    def _look_after_download(self) -> None:
        self.look_again()
        self._desk.warm_up()

    def _restart(self, _message: Message) -> None:
        self.look_again()
        self._desk.logic.requests.restart()
        self._desk.warm_up()
        self._desk.status.inform(
            _("The model was restarted; your prompts and segments are unchanged.")
        )


def _look(card: ModelCard) -> _Needs:
    """Look at packages and weights of a model."""
    missing = missing_packages(card)
    packages = _("{title} needs packages that are not installed: {names}.").format(
        title=card.title, names=", ".join(missing)
    )
    is_missing = card.weights is not None and model_messages.weights_here(card) is None
    return _Needs(
        packages if missing else "",
        model_messages.weights_fault(card),
        is_missing and not missing and model_messages.is_published(card),
    )
