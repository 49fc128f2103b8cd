"""The host takes Slicer's own Python files where they are named."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
OPEN_PANEL = """
from pathlib import Path
from host import application
application.start()
widget = application.open_panel(application.load_module(Path("MedSegFM/MedSegFM.py").resolve()))
import slicer.ScriptedLoadableModule, slicer.parameterNodeWrapper, slicer.packaging, slicer.i18n
for name in ("ScriptedLoadableModule", "parameterNodeWrapper", "packaging", "i18n"):
    print(getattr(slicer, name).__file__)
import SampleData
print(SampleData.__file__)
widget.cleanup()
"""


def open_panel(base_python: Path) -> subprocess.CompletedProcess[str]:
    """Open the panel in another process with SLICER_BASE_PYTHON set."""
    environment = {
        **os.environ,
        "SLICER_BASE_PYTHON": str(base_python),
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'Testing/support'}",
    }
    return subprocess.run(
        [sys.executable, "-c", OPEN_PANEL],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_files_of_slicer_base_python_are_used(tmp_path: Path) -> None:
    # As in an install tree: bin/Python and lib/Slicer-5.12/qt-scripted-modules.
    named, modules = tmp_path / "bin/Python", tmp_path / "lib/Slicer-5.12/qt-scripted-modules"
    shutil.copytree(ROOT / "Testing/support/host/base_python/slicer", named / "slicer")
    modules.mkdir(parents=True)
    shutil.copy(ROOT / "Testing/support/host/base_python/SampleData.py", modules)
    done = open_panel(named)
    assert done.returncode == 0, done.stderr
    found = [Path(line).resolve() for line in done.stdout.split()]
    assert len(found) == 5 and all(path.is_relative_to(tmp_path) for path in found)


def test_a_stand_in_serves_for_a_file_that_the_named_folder_lacks(tmp_path: Path) -> None:
    stand_ins = ROOT / "Testing/support/host/base_python"
    shutil.copytree(stand_ins / "slicer", tmp_path / "slicer")
    (tmp_path / "slicer/packaging.py").unlink()
    done = open_panel(tmp_path)
    assert done.returncode == 0, done.stderr
    found = [Path(line) for line in done.stdout.split()]
    assert [path.is_relative_to(stand_ins) for path in found] == [False, False, True, False, True]


def test_a_wrong_slicer_base_python_is_one_sentence(tmp_path: Path) -> None:
    done = open_panel(tmp_path)
    assert done.returncode != 0
    assert f"SLICER_BASE_PYTHON is {tmp_path}, which has no slicer/" in done.stderr


def selector(**settings: object) -> Any:
    """A node selector as a module's `.ui` file makes it, on the scene."""
    import slicer

    made = slicer.qMRMLNodeComboBox()
    made.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    for name, value in settings.items():
        setattr(made, name, value)
    made.setMRMLScene(slicer.mrmlScene)
    return made


def add_volumes(*names: str, kind: str = "vtkMRMLScalarVolumeNode") -> list[Any]:
    import slicer

    return [slicer.mrmlScene.AddNewNodeByClass(kind, name) for name in names]


def test_a_selector_chooses_nothing_by_itself(bare: Any) -> None:
    before = add_volumes("a")[0]
    made = selector()
    assert made.currentIndex == -1 and made.currentNode() is None
    add_volumes("b")
    assert made.currentIndex == -1
    made.setCurrentNode(before)
    assert made.currentNodeID == before.GetID()
    made.setCurrentNode(None)
    assert made.currentIndex == -1
    made.setMRMLScene(None)


def test_none_is_an_entry_where_it_is_enabled(bare: Any) -> None:
    made = selector(noneEnabled=True)
    add_volumes("a")
    assert made.currentIndex == 0 and made.currentNode() is None and made.nodeCount() == 1
    made.setMRMLScene(None)


def test_a_selector_lists_derived_classes_unless_it_is_forbidden(bare: Any) -> None:
    add_volumes("labels", kind="vtkMRMLLabelMapVolumeNode")
    every, own = selector(), selector(showChildNodeTypes=False)
    assert (every.nodeCount(), own.nodeCount()) == (1, 0)
    for made in (every, own):
        made.setMRMLScene(None)


def test_the_one_before_follows_a_current_node_that_is_removed(bare: Any) -> None:
    import slicer

    first, second, third = add_volumes("a", "b", "c")
    made = selector()
    made.setCurrentNode(third)
    slicer.mrmlScene.RemoveNode(third)
    assert made.currentNode() is second
    made.setCurrentNode(first)
    slicer.mrmlScene.RemoveNode(first)
    assert made.currentIndex == -1
    made.setMRMLScene(None)


def test_a_collapsed_section_remembers_what_was_hidden_and_shown(bare: Any) -> None:
    import ctk
    import qt

    section = ctk.ctkCollapsibleButton()
    layout = qt.QVBoxLayout(section)
    hidden, shown, later = (qt.QLabel(name) for name in ("hidden", "shown", "later"))
    for label in (hidden, shown, later):
        layout.addWidget(label)
    hidden.visible = later.visible = False
    section.show()
    section.collapsed = True
    assert not shown.isVisible()
    later.visible = True
    assert not later.isVisible()
    section.collapsed = False
    assert shown.isVisible() and later.isVisible() and not hidden.isVisible()
    section.close()


def test_reload_sets_up_another_widget_and_does_not_enter_it(bare: Any) -> None:
    import slicer
    from host.module_widget import qSlicerScriptedLoadableModuleWidget

    calls: list[str] = []

    class Widget:
        def __init__(self, parent: Any) -> None:
            calls.append("made")

        def setup(self) -> None:
            calls.append("setup")

        def enter(self) -> None:
            calls.append("enter")

    sys.modules["Fake"] = SimpleNamespace(FakeWidget=Widget)  # type: ignore[assignment]
    try:
        representation = qSlicerScriptedLoadableModuleWidget("Fake")
        representation.enter()
        representation.reload()
        assert calls == ["made", "enter", "made", "setup"] and representation.isEntered()
        assert slicer.modules.FakeWidget is representation.instance
    finally:
        del sys.modules["Fake"], slicer.modules.FakeWidget
