"""Recovery of work that was saved before Slicer ended unexpectedly."""

from MedSegFMLib.errors import MedSegFMError


class Recovery:
    """The work that an earlier Slicer has left; it is read before this one saves anything.

    Args:
        autosave: Reads it.
    """

    def __init__(self, autosave):
        self._autosave = autosave
        try:
            self._snapshot = autosave.read()
        except MedSegFMError:
            # A damaged file cannot be recovered, and the next save replaces it.
            self._snapshot = None

    def fits(self, logic):
        """Whether there is work to recover for the chosen volume, and none was begun on it."""
        found = self._snapshot
        return (
            found is not None
            and not logic.prompts.entries
            and found.volume_name == logic.volume_node.GetName()
            and logic.volume.geometry.matches(
                (found.state.geometry or found.grid), tolerance_mm=0.01
            )
        )

    def recover(self, logic):
        """Restore the work."""
        logic.recover(self._snapshot)
        self._snapshot = None

    def discard(self):
        """Delete the file: Slicer ends normally, and the work is in the scene."""
        self._autosave.discard()
