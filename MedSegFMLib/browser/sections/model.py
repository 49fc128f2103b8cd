"""The section "Model": which model runs, where, and what it needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ... import registry
from ...errors import PageError
from ...mrml.words import model_messages
from ...mrml.words.translation import tr as _
from ...registry import DEFAULT_MODEL, MODELS, missing_packages
from ...system.memory.free_memory import free_bytes
from ..fields import Message, choice
from .section import Action, State

if TYPE_CHECKING:
    from ..desk import Desk

_DEVICES = {"auto": _("Auto"), "cpu": _("CPU"), "cuda": _("GPU")}


class ModelSection:
    """Chooses the model.

    Args:
        desk: The work.
    """

    name = "model"

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._faults: dict[str, str] = {}
        self._costs: tuple[object, str] = (None, "")

    def fault(self, name: str) -> str:
        """Why a model cannot run here; "" if it can. Disk and packages are looked at once."""
        if name not in self._faults:
            card = registry.card(name)
            missing = missing_packages(card)
            self._faults[name] = (
                _("{title} needs packages that are not installed: {names}.").format(
                    title=card.title, names=", ".join(missing)
                )
                if missing
                else model_messages.weights_fault(card)
            )
        return self._faults[name]

    def look_again(self) -> None:
        """Look at disk and packages again: another page was opened, or the worker started anew."""
        self._faults.clear()

    def state(self) -> State:
        """See `Section`."""
        logic = self._desk.logic
        name = logic.model
        return {
            "models": [
                {"name": n, "title": registry.card(n).title, "canRun": not self.fault(n)}
                for n in (DEFAULT_MODEL, *(n for n in MODELS if n != DEFAULT_MODEL))
            ],
            "chosen": name,
            "title": registry.card(name).title,
            "summary": registry.card(name).summary,
            "devices": [{"name": n, "title": title} for n, title in _DEVICES.items()],
            "device": logic.device,
            "takes": model_messages.takes(logic.card),
            "costs": self._text_of_costs(),
            "fault": self.fault(name),
        }

    def actions(self) -> Mapping[str, Action]:
        """See `Section`."""
        return {"model": self._set_model, "device": self._set_device, "restart": self._restart}

    def _text_of_costs(self) -> str:
        """Looked up only if what it depends on has changed: free memory changes all the time."""
        logic = self._desk.logic
        geometry = None if logic.volume is None else logic.volume.geometry
        voxels = model_messages.region_voxels(
            logic.card, logic.prompts, logic.current_label, geometry
        )
        known = (logic.model, voxels, self.fault(logic.model))
        if known != self._costs[0]:
            fault = self.fault(logic.model)
            self._costs = known, model_messages.costs(logic.card, fault, free_bytes(), voxels)
        return self._costs[1]

    def _set_model(self, message: Message) -> None:
        self._use(choice(message, "model", tuple(MODELS)), self._desk.logic.device)

    def _set_device(self, message: Message) -> None:
        self._use(self._desk.logic.model, choice(message, "device", tuple(_DEVICES)))

    def _use(self, name: str, device: str) -> None:
        fault = self.fault(name)
        if fault and name != self._desk.logic.model:
            raise PageError(fault)
        self._desk.logic.set_model(name, device)
        self._desk.warm_up()

    def _restart(self, _message: Message) -> None:
        self.look_again()
        self._desk.logic.requests.restart()
        self._desk.warm_up()
        self._desk.status.inform(
            _("The model was restarted; your prompts and segments are unchanged.")
        )
