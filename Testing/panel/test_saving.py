"""A scene saved in the middle of anything is the user's own in a Slicer without MedSegFM."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from host.panel_driver import Desk

FOUR_UP = 3


def tick(desk: Desk, *names: str) -> None:
    import qt

    models = desk.ui.compareModels
    for n in range(models.count):
        item = models.item(n)
        on = item.data(qt.Qt.UserRole) in names
        item.setCheckState(qt.Qt.Checked if on else qt.Qt.Unchecked)


def consistency(desk: Desk) -> None:
    """The map of disagreement, the outlines and the suggested click."""
    desk.ui.showConsistency.click()
    desk.wait(lambda: desk.panel.logic.consistency.current is not None)


def plot(desk: Desk) -> None:
    """The chart in the plot view, with the map."""
    consistency(desk)
    desk.ui.plotButton.click()


def rows(desk: Desk) -> None:
    """A row of views for each model of a comparison."""
    tick(desk, "ellipsoid", "randomwalk")
    desk.ui.compareSection.collapsed = False
    desk.ui.compareButton.click()
    desk.wait(lambda: not desk.panel.comparing.comparison.is_computing)
    desk.panel.pump()


def outlines(desk: Desk) -> None:
    """All outlines and the models' disagreement in the user's own views."""
    rows(desk)
    desk.ui.compareArrangement.currentIndex = 1
    desk.ui.compareMap.checked = True
    desk.wait(lambda: desk.panel.comparing.view.overlay.node is not None)


def clicking(desk: Desk) -> None:
    """Place mode: the next clicks in the views become prompts."""
    desk.ui.positiveButton.click()


def moving(desk: Desk) -> None:
    """Place mode for the new position of a prompt."""
    desk.ui.promptTable.selectRow(0)
    desk.ui.movePromptButton.click()


MIDDLES = (consistency, plot, rows, outlines, clicking, moving)


@pytest.fixture
def desk(bare: Any) -> Iterator[Desk]:
    """A segment in a scene with views as the desktop has them, with a foreground of the user's."""
    import slicer

    scene = slicer.mrmlScene
    layout = scene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    layout = layout or scene.AddNewNodeByClass("vtkMRMLLayoutNode")
    layout.SetViewArrangement(FOUR_UP)
    made = [
        scene.AddNewNodeByClass(f"vtkMRML{kind}Node") for kind in ("SliceComposite", "PlotView")
    ]
    found = Desk(bare)
    found.load()
    own = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "PET")
    own.SetAndObserveImageData(found.panel.logic.volume_node.GetImageData())
    made[0].SetForegroundVolumeID(own.GetID())
    made[0].SetForegroundOpacity(0.3)
    found.panel.parameters.model = type(found.panel.parameters.model)["ellipsoid"]
    found.box_the_ball()
    found.panel.logic.overlay.clear()
    yield found
    found.close()
    for node in made:
        scene.RemoveNode(node)


def users_view() -> Any:
    """The slice view that is saved; those of a comparison's rows stay in the scene, unsaved."""
    import slicer

    name = "vtkMRMLSliceCompositeNode"
    count = slicer.mrmlScene.GetNumberOfNodesByClass(name)
    views = [slicer.mrmlScene.GetNthNodeByClass(n, name) for n in range(count)]
    return next(view for view in views if view.GetSaveWithScene())


def save(path: Path) -> None:
    """Write a bundle as Slicer does, which announces it to the scene."""
    import slicer

    scene = slicer.mrmlScene
    scene.StartState(scene.SaveState)
    assert scene.WriteToMRB(str(path))
    scene.EndState(scene.SaveState)


def nodes_in(path: Path) -> dict[str, dict[str, str]]:
    """Each node of a bundle's scene file: its attributes in XML, by identifier."""
    with zipfile.ZipFile(path) as bundle:
        (name,) = (n for n in bundle.namelist() if n.endswith(".mrml"))
        tree = ElementTree.fromstring(bundle.read(name).decode())
    return {node.attrib["id"]: dict(node.attrib) for node in tree if "id" in node.attrib}


def display_state(path: Path) -> dict[str, dict[str, str]]:
    """What shows something, and what is placed: all of it the user's own."""
    kinds = "SliceComposite|Layout|PlotView|Interaction|Selection|SegmentationDisplay|Crosshair"
    # The numbers of later nodes, and what merely remembers the last mode, are nobody's display.
    found = {
        node_id: {k: v for k, v in attributes.items() if k != "lastInteractionMode"}
        for node_id, attributes in nodes_in(path).items()
        if re.match(rf"vtkMRML({kinds})Node", node_id)
    }
    assert len({re.sub(r"Node.*", "", node_id) for node_id in found}) >= 6
    return found


def present_state(desk: Desk) -> tuple[Any, ...]:
    """The same in the scene now."""
    import slicer

    scene, logic = slicer.mrmlScene, desk.panel.logic
    app = slicer.app.applicationLogic()
    composite = scene.GetFirstNodeByClass("vtkMRMLSliceCompositeNode")
    layout = scene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    view = scene.GetFirstNodeByClass("vtkMRMLPlotViewNode")
    display = logic.segments.node.GetDisplayNode()
    selection, interaction = app.GetSelectionNode(), app.GetInteractionNode()
    return (
        composite.GetForegroundVolumeID(),
        composite.GetForegroundOpacity(),
        [composite.GetAttribute(name) for name in composite.GetAttributeNames()],
        layout.GetViewArrangement(),
        view.GetPlotChartNodeID(),
        display.GetSegmentOpacity2DFill(logic.segments.ids[1]),
        selection.GetActivePlaceNodeID(),
        selection.GetActivePlaceNodeClassName(),
        selection.GetActivePlotChartID(),
        interaction.GetCurrentInteractionMode(),
        interaction.GetPlaceModePersistence(),
    )


@pytest.mark.parametrize("middle", MIDDLES, ids=lambda middle: middle.__name__)
def test_the_file_holds_the_users_display_and_the_scene_goes_on(
    desk: Desk, tmp_path: Path, middle: Callable[[Desk], None]
) -> None:
    save(tmp_path / "before.mrb")
    middle(desk)
    now = present_state(desk)
    save(tmp_path / "middle.mrb")
    assert display_state(tmp_path / "middle.mrb") == display_state(tmp_path / "before.mrb")
    assert present_state(desk) == now
    desk.panel.pump()
    assert present_state(desk) == now


@pytest.mark.parametrize("middle", MIDDLES, ids=lambda middle: middle.__name__)
def test_nothing_in_the_file_refers_to_what_is_not_in_it(
    desk: Desk, tmp_path: Path, middle: Callable[[Desk], None]
) -> None:
    middle(desk)
    save(tmp_path / "middle.mrb")
    nodes = nodes_in(tmp_path / "middle.mrb")
    colors = re.compile(r"vtkMRML\w*Color\w*Node")
    for node_id, attributes in nodes.items():
        for role in attributes.get("references", "").split(";"):
            for target in role.partition(":")[2].split():
                assert target in nodes or colors.match(target), f"{node_id} has {role}"


def test_a_foreground_that_the_user_has_chosen_meanwhile_is_saved_and_stays(
    desk: Desk, tmp_path: Path
) -> None:
    import slicer

    consistency(desk)
    composite = users_view()
    own = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "mine")
    composite.SetForegroundVolumeID(own.GetID())
    composite.SetForegroundOpacity(0.9)
    save(tmp_path / "scene.mrb")
    saved = nodes_in(tmp_path / "scene.mrb")[composite.GetID()]
    assert own.GetID() in saved["references"] and "MedSegFM" not in str(saved)
    desk.panel.pump()
    assert composite.GetForegroundVolumeID() == own.GetID()
    assert composite.GetForegroundOpacity() == pytest.approx(0.9)


def test_placing_goes_on_after_the_scene_was_saved(desk: Desk, tmp_path: Path) -> None:
    desk.panel.parameters.model = type(desk.panel.parameters.model)["randomwalk"]
    clicking(desk)
    save(tmp_path / "scene.mrb")
    assert desk.ui.positiveButton.checked
    desk.click_in_view((17, 15, 18))
    desk.wait(lambda: desk.ui.promptTable.rowCount == 2)
    desk.ui.positiveButton.click()
    assert not desk.ui.positiveButton.checked


def test_what_the_user_placed_before_is_chosen_again_after_drawing(desk: Desk) -> None:
    import slicer

    selection = slicer.app.applicationLogic().GetSelectionNode()
    own = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsLineNode", "ruler")
    selection.SetReferenceActivePlaceNodeClassName(own.GetClassName())
    selection.SetActivePlaceNodeID(own.GetID())
    desk.draw_box((2, 2, 4), (6, 6, 9))
    desk.wait(lambda: desk.ui.promptTable.rowCount == 2)
    assert selection.GetActivePlaceNodeID() == own.GetID()
    assert selection.GetActivePlaceNodeClassName() == own.GetClassName()
