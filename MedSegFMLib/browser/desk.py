"""The work of one user: scene, views and scene logic, with the sections of the page around them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..errors import MedSegFMError, PageError
from ..mrml.logic import SegmentationLogic
from ..mrml.recovery import Recovery
from ..mrml.requests.client import Client
from ..mrml.updates import Written
from ..mrml.words.translation import tr as _
from ..mrml.words.update_messages import show_update
from .fields import Message, text
from .sections.comparison import ComparisonSection
from .sections.consistency import ConsistencySection
from .sections.model import ModelSection
from .sections.prompts import PromptsSection
from .sections.refine import RefineSection
from .sections.review import ReviewSection
from .sections.section import Action, Section, State
from .sections.segments import SegmentsSection
from .sections.status import StatusSection
from .sections.views import ViewsSection
from .sections.volume import VolumeSection
from .slicer_core import Views, application
from .surfaces import Surfaces


class Desk:
    """One session, which one or more pages show. Everything runs on the main thread.

    Args:
        make_client: Makes the client of a worker on a host, "" for this computer.
        autosave: The folder of autosaves.

    Attributes:
        app: The SlicerApp.
        scene: Its vtkMRMLScene.
        images: The views' images by name.
        logic: The scene logic.
        recovery: Autosave, and what others have left.
        status, views, segments, model, volume, comparison, review: Sections of the page.
    """

    def __init__(self, make_client: Callable[[str], Client], autosave: Path) -> None:
        self.app = app = application()
        self.scene = app.scene
        views = Views(app, self._note_view)
        self.images = views.images
        self.recovery = Recovery(autosave)
        self.logic = logic = SegmentationLogic(
            app.scene, make_client, app.app_logic, app.terminologies_logic, self.recovery.autosave
        )
        self.status = StatusSection(self._cancel)
        self.views = ViewsSection(self, views)
        self.volume = VolumeSection(self, self.views.show)
        self.segments = SegmentsSection(self)
        self.model = ModelSection(self)
        self.comparison = ComparisonSection(self)
        self.review = ReviewSection(self)
        self._surfaces = Surfaces(lambda: not logic.is_predicting, self.views.look_at_segments)
        self._sections: tuple[Section, ...] = (
            self.volume,
            self.segments,
            RefineSection(self),
            self.model,
            PromptsSection(self),
            self.status,
            ConsistencySection(self),
            self.comparison,
            self.review,
            self.views,
        )
        self._actions: dict[str, Action] = {}
        for section in self._sections:
            self._actions.update(section.actions())

    @property
    def can_run(self) -> bool:
        """Whether packages and weights of the chosen model are installed."""
        return not self.model.fault(self.logic.model)

    def act(self, message: Message) -> None:
        """Do what a page asks for; an error becomes the status line."""
        try:
            name = text(message, "action")
            action = self._actions.get(name)
            if action is None:
                raise PageError(f"There is no action {name[:40]!a}; reload the page.")
            action(message)
        except MedSegFMError as error:
            self.status.warn(str(error))

    def warm_up(self) -> None:
        """Let an idle worker load the chosen model."""
        logic = self.logic
        if self.can_run and not (logic.is_predicting or logic.consistency.is_measuring):
            logic.requests.warm_up()

    def note_segments(self) -> None:
        """The segments are other ones, not by an answer: their surfaces are made anew."""
        self._surfaces.note_change(self.logic.segments.node)

    @property
    def is_awaiting(self) -> bool:
        """Whether the model is working on an answer."""
        return self.logic.is_predicting and not self.logic.requests.is_held

    def pump(self) -> bool:
        """Follow worker and scene; a timer calls it. Returns whether anything has happened."""
        updates = self.logic.pump()
        for update in updates:
            if isinstance(update, Written):
                self._surfaces.note_change(self.logic.segments.node)
            show_update(update, self.status, self.logic)
        self.segments.follow()
        self.model.installing.pump()
        self.comparison.follow()
        self._surfaces.update(self.logic.segments.node)
        if self.is_awaiting or self.model.installing.is_busy:
            self.status.busy(True, _("The model is being started…"))
        else:
            self.status.busy(self.logic.consistency.is_measuring)
        return bool(updates)

    def state(self) -> Mapping[str, State]:
        """The data that the page shows, by section."""
        return {section.name: section.state() for section in self._sections}

    def close(self) -> None:
        """End the worker. The autosave stays if anything was done: the next start offers it."""
        is_empty = not self.logic.prompts.entries
        self.model.installing.cancel()
        self.comparison.close()
        self.segments.saving.close()
        self.logic.close()
        if is_empty:
            self.recovery.discard()

    def _cancel(self) -> None:
        self.model.installing.cancel()
        self.logic.cancel()

    def _note_view(self, name: str) -> None:
        image: Any = getattr(self, "images", {}).get(name)
        if image is not None:
            image.has_changed = True
