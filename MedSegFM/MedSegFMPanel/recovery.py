"""Work that was saved before Slicer ended unexpectedly, offered for the volume it is of."""

from MedSegFMLib.errors import MedSegFMError


class Recovery:
    """What an earlier Slicer has left behind; it is read once, before this one saves anything."""

    def __init__(self, autosave):
        self._autosave = autosave
        try:
            self._snapshot = autosave.read()
        except MedSegFMError:
            # A damaged file cannot be recovered, and the next save replaces it.
            self._snapshot = None

    def fits(self, logic):
        """Whether there is work to recover for the volume that is chosen, and none begun on it."""
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
        """Take it up."""
        logic.recover(self._snapshot)
        self._snapshot = None

    def discard(self):
        """Slicer ends in order: what is worth keeping is in the scene."""
        self._autosave.discard()
