"""The present work in an autosave: saved every few seconds, and taken up after a crash."""

from __future__ import annotations

from ..errors import MedSegFMError
from .autosave import Autosave, Snapshot
from .consistency.tracker import ConsistencyTracker
from .interaction import Interaction
from .scene_follower import SceneFollower
from .updates import Update, Warned
from .workspace import Workspace


class SavedWork:
    """Saves and recovers the work of a `SegmentationLogic`.

    Args:
        workspace: The present work.
        follower: Puts the present work down.
        interaction: Brings the segments to the prompts.
        consistency: Measures the agreement of the planes.
        autosave: Saves the work every few seconds; None for no autosave.
        updates: Gets what the user should see.
    """

    def __init__(
        self,
        workspace: Workspace,
        follower: SceneFollower,
        interaction: Interaction,
        consistency: ConsistencyTracker,
        autosave: Autosave | None,
        updates: list[Update],
    ) -> None:
        self._workspace = workspace
        self._follower = follower
        self._interaction = interaction
        self._consistency = consistency
        self._autosave = autosave
        self._updates = updates

    def snapshot(self) -> Snapshot | None:
        """The contents of an autosave; None if no volume is chosen or nothing was done."""
        return self._workspace.snapshot()

    def recover(self, snapshot: Snapshot) -> None:
        """Take up an autosave, into a new segmentation of the chosen volume.

        Raises:
            PromptError: If it was made for a volume with another grid.
            VolumeError: If no volume is chosen.
        """
        self._workspace.check_fits(snapshot)
        self._follower.leave()
        if not self._workspace.recover(snapshot):
            # It was saved while an answer was awaited.
            self._interaction.show_present()
        self._consistency.measure()

    def save(self) -> None:
        """Save what was done since the last save, if that is long enough ago."""
        autosave = self._autosave
        if autosave is not None and not autosave.is_due():
            return
        self._workspace.is_unsaved = False
        if autosave is None:
            return
        try:
            snapshot = self.snapshot()
            sentence = None if snapshot is None else autosave.save(snapshot)
        except MedSegFMError as error:
            sentence = str(error)
        if sentence is not None:
            self._updates.append(Warned(sentence))

    def release(self) -> None:
        """Let go of the autosave's file."""
        if self._autosave is not None:
            self._autosave.release()
