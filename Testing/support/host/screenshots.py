"""Takes the pictures of the guide: `python -m host.screenshots FOLDER` with Testing on the path."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

# What the terminology calls organs of the phantom.
_SEGMENTS = {"kidney L": "left kidney", "kidney R": "right kidney"}
_ROOT = Path(__file__).resolve().parents[3]


def main(folder: Path) -> None:
    """Save the panel in its main states, and the four views of a segmented phantom."""
    os.environ["MEDSEGFM_WEIGHTS"] = str(Path(tempfile.mkdtemp()) / "weights")
    from host import application
    from host.panel_driver import Desk
    from host.views import FourUp

    app = application.start()

    module = application.load_module(_ROOT / "MedSegFM" / "MedSegFM.py")
    _bare(module, folder / "panel-install.png")
    views = FourUp(app.core)
    desk = Desk(module)
    desk.photograph(folder / "panel-empty.png")
    desk.ui.sampleButton.click()
    desk.wait(lambda: desk.panel.logic.volume is not None)
    phantom = _Phantom()
    for name in ("liver", "spleen", "kidney L", "kidney R"):
        desk.ui.nextSegmentButton.click()
        desk.panel.logic.rename(desk.panel.logic.current_label, _SEGMENTS.get(name, name))
        desk.draw_box(*phantom.box(name))
        count = len(desk.panel.logic.prompts.entries)
        desk.wait(lambda count=count: len(desk.panel.logic.prompts.entries) > count)
        if name == "liver":
            desk.photograph(folder / "panel-busy.png")
        desk.wait()
    desk.ui.positiveButton.click()
    desk.click_in_view(phantom.center("kidney R"))
    desk.wait(lambda: len(desk.panel.logic.prompts.entries) == 5)
    desk.wait()
    desk.ui.positiveButton.click()
    desk.photograph(folder / "panel-segmented.png")
    desk.panel.logic.overlay.clear()
    segmentation = desk.panel.logic.segments.node
    segmentation.CreateClosedSurfaceRepresentation()
    views.show(desk.panel.logic.volume_node, phantom.center("lesion"))
    views.photograph(folder / "slicer-views.png")
    _compared(desk, views, folder)
    _models(desk, views, phantom, folder)
    desk.ui.advancedSection.collapsed = False
    desk.ui.weightsFolder.text = "~/.local/share/medsegfm/weights"
    desk.photograph(folder / "panel-advanced.png")
    desk.ui.advancedSection.collapsed = True
    _adapted(desk, folder)
    desk.close()


def _compared(desk: Any, views: Any, folder: Path) -> None:
    """The comparison of the planes for the last segment, in the panel and in the views."""
    import slicer

    ui, logic = desk.ui, desk.panel.logic
    ui.consistencySection.collapsed = False
    ui.showConsistency.click()
    desk.wait(lambda: logic.consistency is not None)
    ui.worstSpotButton.click()
    desk.photograph(folder / "panel-consistency.png")
    for node in slicer.util.getNodesByClass("vtkMRMLMarkupsROINode"):
        node.GetDisplayNode().SetHandlesInteractive(False)
    views.zoom(logic.doubtful_position(), 2.2)
    views.photograph(folder / "slicer-consistency.png")
    ui.showConsistency.click()
    ui.consistencySection.collapsed = True


def _models(desk: Any, views: Any, phantom: _Phantom, folder: Path) -> None:
    """Three models on the same boxes: the panel, a row of views for each, and all outlines."""
    import qt
    import slicer

    from host.views import ModelRows
    from MedSegFMLib.prompts.json_format import write_prompts
    from MedSegFMLib.prompts.prompt_list import PromptList

    ui, section, logic = desk.ui, desk.panel.comparing, desk.panel.logic
    boxes = [entry for entry in logic.prompts.entries if hasattr(entry[1], "edges_ras")]
    desk.panel.dialogs.path = str(Path(tempfile.mkdtemp()) / "boxes.json")
    write_prompts(PromptList(logic.prompts.objects, tuple(boxes)), desk.panel.dialogs.path)
    for n in range(ui.compareModels.count):
        item = ui.compareModels.item(n)
        wanted = item.data(qt.Qt.UserRole) in ("ensam", "randomwalk", "ellipsoid")
        item.setCheckState(qt.Qt.Checked if wanted else qt.Qt.Unchecked)
    for other in (ui.volumeSection, ui.segmentSection, ui.modelSection, ui.promptSection):
        other.collapsed = True
    ui.moreSection.collapsed = ui.compareSection.collapsed = False
    truth = phantom.add_reference("liver", logic.volume_node)
    ui.compareConsistency.click()
    rows = ModelRows(views._core, 3)
    ui.comparePromptsButton.click()
    desk.wait(lambda: bool(section.comparison.results) and not section.comparison.is_running, 300)
    ui.compareReference.setCurrentIndex(ui.compareReference.count - 1)
    desk.wait(lambda: not section.comparison.scoring.is_busy)
    ui.compareTable.selectRow(0)
    desk.photograph(folder / "panel-compare.png")
    rows.photograph(folder / "slicer-models.png")
    ui.compareArrangement.setCurrentIndex(1)
    ui.compareMap.click()
    desk.wait(lambda: section.view.overlay.node is not None)
    views.photograph(folder / "slicer-models-outlines.png")
    ui.compareCloseButton.click()
    slicer.mrmlScene.RemoveNode(truth)
    ui.compareSection.collapsed = ui.moreSection.collapsed = True
    for other in (ui.volumeSection, ui.segmentSection, ui.modelSection, ui.promptSection):
        other.collapsed = False


def _adapted(desk: Any, folder: Path) -> None:
    """A training on this volume and two more, on its way; it only pretends to learn."""
    from MedSegFMPanel.model import messages as model_facts

    from host.fake_training import FakeProgram
    from MedSegFMLib.weights.store import Installed

    ui, adapting = desk.ui, desk.panel.adapting.adapting
    here = model_facts.weights_here
    model_facts.weights_here = lambda card: Installed(card.name, Path(card.name), "", 1, False)
    for number in (2, 3):
        _segmented_volume(f"Abdomen {number}")
    for section in (ui.volumeSection, ui.segmentSection, ui.modelSection, ui.promptSection):
        section.collapsed = True
    ui.moreSection.collapsed = ui.adaptSection.collapsed = False
    desk.panel.pump()
    adapting._make_program = lambda _recipe, settings: FakeProgram("slow", settings)
    ui.adaptSteps.value = 400
    ui.adaptButton.click()
    desk.wait(lambda: adapting.minutes_left is not None and adapting.fraction > 0.2)
    desk.photograph(folder / "panel-adapt.png")
    for _ in range(2):
        ui.adaptCancelButton.click()
    desk.wait(lambda: not adapting.is_busy)
    model_facts.weights_here = here


def _segmented_volume(name: str) -> None:
    """The phantom once more, with its liver and spleen as segments."""
    import slicer

    from MedSegFMLib.synthesis.phantom import make_abdomen

    phantom = make_abdomen()
    geometry = phantom.image.geometry
    volume = slicer.util.addVolumeFromArray(phantom.image.array_kji, geometry.ijk_to_ras, name)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", f"{name} segmentation")
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    for organ in ("liver", "spleen"):
        segment_id = node.GetSegmentation().AddEmptySegment("", organ)
        mask = phantom.labels.array_kji == phantom.label(organ)
        slicer.util.updateSegmentBinaryLabelmapFromArray(
            mask.astype(np.uint8), node, segment_id, volume
        )


def _bare(module: Any, path: Path) -> None:
    """The panel of a Slicer without the light requirements."""
    import slicer.packaging

    from host.panel_driver import Desk

    check = slicer.packaging.pip_check
    slicer.packaging.pip_check = lambda *_: False
    desk = Desk(module)
    desk.photograph(path)
    desk.close()
    slicer.packaging.pip_check = check


class _Phantom:
    """Where the organs of the sample are, in RAS millimetres."""

    def __init__(self) -> None:
        from MedSegFMLib.synthesis.phantom import make_abdomen

        self._phantom = make_abdomen()

    def _places(self, organ: str) -> np.ndarray:
        labels = self._phantom.labels
        kji = np.argwhere(labels.array_kji == self._phantom.label(organ))
        matrix = labels.geometry.ijk_to_ras
        return kji[:, ::-1] @ matrix[:3, :3].T + matrix[:3, 3]

    def box(self, organ: str) -> tuple[Any, Any]:
        """Two opposite corners around an organ."""
        places = self._places(organ)
        return tuple(places.min(axis=0) - 3), tuple(places.max(axis=0) + 3)

    def add_reference(self, organ: str, volume_node: Any) -> Any:
        """What an organ really is, as a segmentation of its own that the views do not show."""
        import slicer

        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Truth")
        node.CreateDefaultDisplayNodes()
        node.GetDisplayNode().SetVisibility(False)
        node.SetReferenceImageGeometryParameterFromVolumeNode(volume_node)
        segment_id = node.GetSegmentation().AddEmptySegment("", organ)
        mask = self._phantom.labels.array_kji == self._phantom.label(organ)
        slicer.util.updateSegmentBinaryLabelmapFromArray(
            mask.astype(np.uint8), node, segment_id, volume_node
        )
        return node

    def center(self, organ: str) -> Any:
        """A place in an organ: the voxel nearest to its centre."""
        places = self._places(organ)
        return tuple(places[np.argmin(np.linalg.norm(places - places.mean(axis=0), axis=1))])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
