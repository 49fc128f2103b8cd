"""Limits of answers: segments and masks that they leave alone."""

from __future__ import annotations

from .interaction import Interaction
from .segments.masking import Masking, Overwrite
from .segments.other_segments import OtherSegments
from .segments.writer import SegmentWriter
from .workspace import Workspace


class AnswerLimits:
    """Which voxels answers may take; the limits of a `SegmentationLogic`.

    Args:
        workspace: The present work.
        writer: Writes answers into segments.
        others: The segments that are no objects of the present work.
        interaction: Predicts anew if a limit changes.
    """

    def __init__(
        self,
        workspace: Workspace,
        writer: SegmentWriter,
        others: OtherSegments,
        interaction: Interaction,
    ) -> None:
        self._workspace = workspace
        self._writer = writer
        self._others = others
        self._interaction = interaction

    @property
    def overwrite(self) -> Overwrite | None:
        """Which segments lose voxels to an answer: see `SegmentWriter`."""
        return self._writer.overwrite

    @overwrite.setter
    def overwrite(self, mode: Overwrite | None) -> None:
        self._writer.overwrite = mode

    @property
    def are_masked(self) -> bool:
        """Whether the user's masking in the Segment Editor keeps answers out of some voxels."""
        masking = self._writer.masking()
        return masking != Masking(masking.overwrite)

    @property
    def avoid_others(self) -> bool:
        """Whether answers keep away from the segments that are no objects of the present work."""
        return self._others.are_avoided

    @avoid_others.setter
    def avoid_others(self, on: bool) -> None:
        if on == self._others.are_avoided:
            return
        self._others.are_avoided = on
        if self._workspace.prompts.entries:
            self._interaction.predict_anew()
