"""The section "Volume": what is segmented, sample data, and recovery."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ...errors import MedSegFMError, PageError
from ...mrml.nodes.volume_nodes import add_volume_node
from ...mrml.words.messages import volume_hint
from ...mrml.words.translation import tr as _
from ...volumes.volume import Volume
from ..dicom_files import DicomFiles, Images
from ..fields import Message, text
from .section import Action, State

if TYPE_CHECKING:
    from ..desk import Desk


class VolumeSection:
    """Chooses the volume.

    Args:
        desk: The work.
        shown: Called with the node of a volume that was chosen.
    """

    name = "volume"

    def __init__(self, desk: Desk, shown: Callable[[Any], None]) -> None:
        self._desk, self._shown = desk, shown
        self._nodes: list[Any] = []
        # The nodes share their voxels.
        self._volumes: list[Volume] = []
        self._dicom = DicomFiles()
        self._dicom.install()
        self._fault = ""
        self._opening = ""

    def opening(self, name: str) -> None:
        """Show that a volume is being read; "" if that has ended."""
        self._opening = name

    def add(self, volume: Volume, name: str, images: Images | None = None) -> Any:
        """Add a volume to the scene and choose it; returns its node.

        Args:
            volume: The volume.
            name: The name of its node.
            images: Its DICOM images; None if it is not DICOM.
        """
        node = add_volume_node(self._desk.scene, volume, name, copied=False)
        self._nodes.append(node)
        self._volumes.append(volume)
        self._dicom.note(node, images or {})
        self.choose(node)
        return node

    def choose(self, node: Any) -> None:
        """Segment a volume; one that cannot be segmented is explained."""
        desk = self._desk
        self._fault = ""
        try:
            desk.logic.set_volume(node)
        except MedSegFMError as error:
            self._fault = str(error)
            return
        desk.status.clear()
        self._shown(node)
        desk.warm_up()

    def state(self) -> State:
        """See `Section`."""
        logic = self._desk.logic
        volume = logic.volume
        facts = ""
        if volume is not None:
            k, j, i = volume.geometry.shape_kji
            spacing = " × ".join(f"{mm:.3g}" for mm in volume.geometry.spacing_ijk_mm)
            facts = _("{i} × {j} × {k} voxels of {spacing} mm").format(
                i=i, j=j, k=k, spacing=spacing
            )
        chosen = logic.volume_node
        return {
            "choices": [{"id": node.GetID(), "name": node.GetName()} for node in self._nodes],
            "chosen": "" if chosen is None else chosen.GetID(),
            "name": "" if chosen is None else chosen.GetName(),
            "facts": facts,
            "hint": volume_hint(volume is not None, self._fault),
            "isFault": bool(self._fault),
            "opening": self._opening,
            "canRecover": volume is not None and self._desk.recovery.fits(logic),
        }

    def actions(self) -> Mapping[str, Action]:
        """See `Section`."""
        return {"sample": self._sample, "chooseVolume": self._choose, "recover": self._recover}

    def _sample(self, _message: Message) -> None:
        from ...synthesis.phantom import make_abdomen

        self.add(make_abdomen().image, _("MedSegFM phantom"))

    def _choose(self, message: Message) -> None:
        wanted = text(message, "id")
        found = next((node for node in self._nodes if node.GetID() == wanted), None)
        if found is None:
            raise PageError(f"There is no volume {wanted[:40]!a}; reload the page.")
        self.choose(found)

    def _recover(self, _message: Message) -> None:
        self._desk.recovery.recover(self._desk.logic)
