"""Takes the pictures of the guide: `python -m host.screenshots FOLDER` with Testing on the path.

The panel is the module's own, the views are those of Slicer's displayable managers, and both are
drawn by the host: names and captions of the pictures do not call them Slicer's. What they show is
chosen in `picture_subjects.py`.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

_ROOT = Path(__file__).resolve().parents[3]


def main(folder: Path) -> None:
    """Save the panel in its main states, and the views of segmented volumes."""
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["MEDSEGFM_WEIGHTS"] = str(Path(tempfile.mkdtemp()) / "weights")
    from host import application, picture_subjects
    from host.panel_driver import Desk
    from host.views import FourUp, ModelRows

    core = application.start().core
    module = application.load_module(_ROOT / "MedSegFM" / "MedSegFM.py")
    _bare(module, folder / "panel-install.png")
    desk = Desk(module)
    desk.photograph(folder / "panel-empty.png")
    _advanced(desk, folder)
    _adapted(desk, folder)
    _close_scene(desk)
    views = FourUp(core)
    abdomen, tumour = picture_subjects.abdomen(), picture_subjects.tumour()
    for subject in (abdomen, tumour):
        print(f"{subject.name}: {subject.source or 'the real volume is not here'}", flush=True)
    _segmented(desk, views, abdomen, folder)
    _close_scene(desk)
    _open(desk, views, tumour)
    _segment(desk, tumour)
    _show_surfaces(desk, views, tumour)
    _consistency(desk, views, folder)
    _show_surfaces(desk, views, tumour)
    _models(desk, ModelRows(core, 3), views, tumour, folder)
    desk.close()


def _open(desk: Any, views: Any, subject: Any) -> None:
    """Load a volume, which the panel chooses by itself."""
    node = subject.load()
    desk.wait(lambda: desk.panel.logic.volume_node is node)
    views.show(node, subject.ras(subject.look_ijk))


def _segment(desk: Any, subject: Any) -> None:
    """A box around each object, each with a name, and a click."""
    logic = desk.panel.logic
    for name, corners in subject.boxes.items():
        desk.ui.nextSegmentButton.click()
        logic.objects.rename(logic.current_label, name)
        desk.draw_box(*(subject.ras(corner) for corner in corners))
        count = len(logic.prompts.entries)
        desk.wait(lambda count=count: len(logic.prompts.entries) > count)
        desk.wait()
    if subject.excess_ijk is not None:
        desk.ui.negativeButton.click()
        desk.click_in_view(subject.ras(subject.excess_ijk))
        desk.wait(lambda: len(logic.prompts.entries) == len(subject.boxes) + 1)
        desk.wait()
        desk.ui.negativeButton.click()


def _segmented(desk: Any, views: Any, subject: Any, folder: Path) -> None:
    """Organs in the panel and in the views."""
    _open(desk, views, subject)
    _segment(desk, subject)
    desk.photograph(folder / "panel-segmented.png")
    _show_surfaces(desk, views, subject)
    views.photograph(folder / "views-segmented.png")


def _show_surfaces(desk: Any, views: Any, subject: Any) -> None:
    """Show the whole volume and the segments in 3D, without what changed last."""
    _hide_handles()
    logic = desk.panel.logic
    logic.overlay.clear()
    logic.segments.node.CreateClosedSurfaceRepresentation()
    views.show(logic.volume_node, subject.ras(subject.look_ijk))


def _hide_handles() -> None:
    """They come back with the next change of a prompt."""
    import slicer

    for node in slicer.util.getNodesByClass("vtkMRMLMarkupsROINode"):
        node.GetDisplayNode().SetHandlesInteractive(False)


def _close_scene(desk: Any) -> None:
    """Close the scene, as before the next patient."""
    import slicer

    slicer.mrmlScene.Clear()
    desk.wait(lambda: desk.panel.logic.volume_node is None)


def _consistency(desk: Any, views: Any, folder: Path) -> None:
    """The agreement of the planes on the segment, in the panel and in the views."""
    ui, logic = desk.ui, desk.panel.logic
    ui.consistencySection.collapsed = False
    ui.showConsistency.click()
    desk.wait(lambda: logic.consistency.current is not None)
    ui.worstSpotButton.click()
    desk.photograph(folder / "panel-consistency.png")
    _hide_handles()
    views.zoom(logic.consistency.doubtful_position(), 1.1)
    views.photograph(folder / "views-consistency.png")
    ui.showConsistency.click()
    ui.consistencySection.collapsed = True


def _models(desk: Any, rows: Any, views: Any, subject: Any, folder: Path) -> None:
    """Three models on the same boxes: the panel, a row of views for each, and all outlines."""
    ui, section, logic = desk.ui, desk.panel.comparing, desk.panel.logic
    _tick(ui.compareModels, ("ensam", "randomwalk", "ellipsoid"))
    _collapse(ui, True)
    ui.moreSection.collapsed = ui.compareSection.collapsed = False
    subject.add_expert(logic.volume_node)
    ui.compareConsistency.click()
    ui.compareButton.click()
    desk.wait(lambda: bool(section.comparison.results) and not section.comparison.is_running, 300)
    ui.compareReference.setCurrentIndex(ui.compareReference.count - 1)
    desk.wait(lambda: not section.comparison.is_computing)
    ui.compareTable.selectRow(0)
    desk.photograph(folder / "panel-compare.png")
    _hide_handles()
    rows.photograph(folder / "views-models.png")
    ui.compareArrangement.setCurrentIndex(1)
    ui.compareMap.click()
    desk.wait(lambda: section.view.overlay.node is not None)
    _hide_handles()
    views.photograph(folder / "views-outlines.png")


def _tick(models: Any, names: tuple[str, ...]) -> None:
    import qt

    for n in range(models.count):
        item = models.item(n)
        on = item.data(qt.Qt.UserRole) in names
        item.setCheckState(qt.Qt.Checked if on else qt.Qt.Unchecked)


def _collapse(ui: Any, on: bool) -> None:
    for section in (ui.volumeSection, ui.segmentSection, ui.modelSection, ui.promptSection):
        section.collapsed = on


def _advanced(desk: Any, folder: Path) -> None:
    """The section Advanced, with the folder of a user."""
    ui = desk.ui
    _collapse(ui, True)
    ui.advancedSection.collapsed = False
    ui.weightsFolder.text = "~/.local/share/medsegfm/weights"
    desk.photograph(folder / "panel-advanced.png")
    ui.advancedSection.collapsed = True
    _collapse(ui, False)


def _adapted(desk: Any, folder: Path) -> None:
    """A training of tiny weights on three phantoms, on its way."""
    from sam_checkpoints import write_checkpoint

    from host.tiny_sam import TinyTraining
    from MedSegFMLib.weights import installing
    from MedSegFMLib.weights.checksums import sha256_of

    ui, adapting = desk.ui, desk.panel.adapting.adapting
    weights = write_checkpoint(Path(tempfile.mkdtemp()) / "sam.pth")
    installing.import_file("sam", weights, sha256_of(weights))
    for number in (1, 2, 3):
        _segmented_phantom(f"Phantom {number}")
    _collapse(ui, True)
    ui.moreSection.collapsed = ui.adaptSection.collapsed = False
    desk.panel.pump()
    adapting._make_program = TinyTraining
    ui.adaptSteps.value = 400
    assert ui.adaptButton.enabled, ui.adaptHint.text
    ui.adaptButton.click()
    desk.wait(lambda: adapting.minutes_left is not None and adapting.fraction > 0.2)
    desk.photograph(folder / "panel-adapt.png")
    for _ in range(2):
        ui.adaptCancelButton.click()
    desk.wait(lambda: not adapting.is_busy)
    ui.moreSection.collapsed = ui.adaptSection.collapsed = True
    _collapse(ui, False)


def _segmented_phantom(name: str) -> None:
    """The phantom as a volume, with its liver and spleen as segments."""
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


if __name__ == "__main__":
    main(Path(sys.argv[1]))
