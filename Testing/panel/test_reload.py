"""*Reload* in Slicer's developer mode: setup again, and never enter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from host.panel_driver import Desk
from processes import is_alive
from waiting import wait_until


@pytest.fixture
def reloaded(bare: Any) -> Iterator[Desk]:
    """A panel with a segment, reloaded once."""
    desk = Desk(bare)
    desk.load()
    desk.box_the_ball()
    desk.reload()
    yield desk
    desk.close()


def observers(thing: Any) -> int:
    """How many observers a vtkObject has."""
    return str(thing).count("vtkObserver (")


def watched(desk: Desk) -> list[Any]:
    """The objects that the panel observes."""
    import slicer

    interaction = slicer.app.applicationLogic().GetInteractionNode()
    logic = desk.panel.logic
    parameters = desk.panel.parameters.parameterNode
    return [slicer.mrmlScene, logic.volume_node, logic.segments.node, parameters, interaction]


def test_the_panel_is_live_without_enter(reloaded: Desk) -> None:
    panel, ui = reloaded.panel, reloaded.ui
    assert panel._timer.active
    assert all(shortcut.enabled for shortcut in panel._shortcuts._shortcuts)
    assert panel.logic.volume_node is panel.parameters.volume is ui.volumeSelector.currentNode()
    assert ui.promptTable.rowCount == 1 and ui.boxButton.enabled
    ui.positiveButton.click()
    reloaded.click_in_view((17, 15, 18))
    reloaded.wait(lambda: ui.promptTable.rowCount == 2)
    reloaded.wait()
    assert reloaded.mask()[12, 15, 17]


def test_the_panel_of_a_module_that_is_not_shown_stays_without_keys(bare: Any) -> None:
    desk = Desk(bare)
    desk.widget.parent.exit()
    desk.reload()
    assert not any(shortcut.enabled for shortcut in desk.panel._shortcuts._shortcuts)
    desk.widget.parent.enter()
    assert all(shortcut.enabled for shortcut in desk.panel._shortcuts._shortcuts)
    desk.close()


def test_the_worker_before_ends(bare: Any) -> None:
    desk = Desk(bare)
    desk.load()
    desk.box_the_ball()
    before = desk.clients[-1].pid
    desk.reload()
    wait_until(lambda: not is_alive(before))
    desk.ui.undoButton.click()
    desk.wait()
    desk.close()


def test_nothing_is_observed_twice(bare: Any) -> None:
    desk = Desk(bare)
    desk.load()
    desk.box_the_ball()
    desk.reload()
    counts = [observers(thing) for thing in watched(desk)]
    assert counts[0] > 0 and counts[1] > 0
    for _ in range(2):
        desk.reload()
        desk.wait()
    assert [observers(thing) for thing in watched(desk)] == counts
    desk.close()


def test_the_widgets_before_are_gone(reloaded: Desk) -> None:
    import slicer

    slicer.app.processEvents()
    parent = reloaded.widget.parent
    assert len(slicer.util.findChildren(parent, name="volumeSelector")) == 1


def test_a_reload_in_the_middle_of_an_answer_gives_the_answer(bare: Any) -> None:
    desk = Desk(bare)
    desk.load()
    desk.draw_box((8, 6, 6), (26, 24, 30))
    desk.wait(lambda: bool(desk.panel.logic.prompts.entries))
    desk.reload()
    desk.wait()
    assert desk.mask().any() and desk.ui.promptTable.rowCount == 1
    desk.close()
