"""Starts the host: `qt`, `ctk`, and what the real `slicer` of slicer-core lacks of the desktop.

Slicer's own Python files (ScriptedLoadableModule, parameterNodeWrapper, packaging, i18n) are used
where SLICER_BASE_PYTHON names the folder that holds `slicer/ScriptedLoadableModule.py`, and
SampleData.py where it lies in that folder or where a source or install tree of Slicer has it.
Stand-ins serve for each file that is not there.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

_MANY_REFERENCES = 1 << 30
_STAND_INS = Path(__file__).with_name("base_python")


# Where SampleData.py lies, seen from the folder that SLICER_BASE_PYTHON names: beside the package,
# in a source tree (Base/Python), in an install tree (bin/Python).
_SAMPLE_DATA = (
    ".",
    "../../Modules/Scripted/SampleData",
    "../../lib/Slicer-*/qt-scripted-modules",
)


class _ModuleManager:
    """Tells the modules' widgets that theirs is about to be unloaded."""

    def __init__(self) -> None:
        self.slots: list[Callable[[str], None]] = []

    def connect(self, signal: str, slot: Callable[[str], None]) -> None:
        assert signal == "moduleAboutToBeUnloaded(QString)"
        self.slots.append(slot)

    def module(self, name: str) -> Any:
        import slicer

        return getattr(slicer.modules, name.lower(), None)

    def disconnect(self, _signal: str, slot: Callable[[str], None]) -> None:
        self.slots.remove(slot)


class HostApplication:
    """`slicer.app` with what modules ask of it; `core` is the real scene and logic."""

    applicationName = "Slicer"
    documentationBaseUrl = "https://slicer.readthedocs.io/"

    def __init__(self, core: Any, qt_application: Any) -> None:
        self.core = core
        self._qt = qt_application
        self._manager = _ModuleManager()
        self._started: list[Callable[[], None]] = []
        self.temporaryPath = tempfile.mkdtemp(prefix="slicer-host-")

    def connect(self, signal: str, slot: Callable[[], None]) -> None:
        """Keep what waits for the end of the start-up."""
        if signal == "startupCompleted()":
            self._started.append(slot)

    def complete_startup(self) -> None:
        """Call what waits for the end of the start-up, once; what one raises is not hidden."""
        started, self._started = self._started, []
        for slot in started:
            slot()

    def testingEnabled(self) -> bool:
        return True

    def commandOptions(self) -> SimpleNamespace:
        return SimpleNamespace(noMainWindow=True, testingEnabled=True)

    def moduleManager(self) -> _ModuleManager:
        return self._manager

    def applicationLogic(self) -> Any:
        return self.core.app_logic

    def layoutManager(self) -> None:
        """There is no desktop to lay out."""

    def topLevelWidgets(self) -> list[Any]:
        """No main window among them."""
        return []

    def translate(self, _context: str, text: str) -> str:
        return text

    def moduleDocumentationUrl(self, name: str) -> str:
        return f"{self.documentationBaseUrl}{name}"

    def processEvents(self) -> None:
        self._qt.processEvents()

    def settings(self) -> Any:
        import qt

        return qt.QSettings()

    userSettings = settings


@cache
def _keep_none() -> None:
    """Give None so many references that what PySide6 takes too many of them does not end Python.

    Its signals release None once too often for each None that they carry; after some hundred tests
    in one process, Python ended with "deallocating None". From Python 3.12 on, None is immortal.
    """
    if sys.version_info < (3, 12):
        references = ctypes.c_ssize_t.from_address(id(None))
        references.value += _MANY_REFERENCES


def start() -> HostApplication:
    """Start the host once per process; afterwards `import slicer, qt, ctk, vtk` work as at home."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    folders = _base_python()
    import slicer
    import slicer.util
    import vtk  # noqa: F401
    from PySide6.QtCore import QCoreApplication, QSettings
    from PySide6.QtWidgets import QApplication
    from trame_slicer.core import SlicerApp

    from . import pythonqt, segment_editor_effects, widgets

    _keep_none()
    qt_application = QApplication.instance() or QApplication(["Slicer"])
    QCoreApplication.setOrganizationName("SlicerHost")
    QSettings.setDefaultFormat(QSettings.Format.IniFormat)
    QSettings.setPath(
        QSettings.Format.IniFormat, QSettings.Scope.UserScope, tempfile.mkdtemp(prefix="settings-")
    )
    segment_editor_effects.install()
    sys.modules["qt"] = pythonqt.qt_module(widgets.stand_in)
    ctk = sys.modules["ctk"] = ModuleType("ctk")
    ctk.__getattr__ = slicer.__getattr__ = widgets.stand_in_or_raise  # type: ignore[method-assign]
    tree_views = sys.modules["qSlicerSubjectHierarchyModuleWidgetsPythonQt"] = ModuleType("tree")
    tree_views.__getattr__ = widgets.stand_in_or_raise  # type: ignore[method-assign]

    slicer.app = HostApplication(SlicerApp(), qt_application)
    slicer.modules = vars(slicer).get("modules") or SimpleNamespace()
    slicer.__path__[:0] = [str(folder / "slicer") for folder in folders]
    sys.path += [str(_sample_data(folders)), str(_STAND_INS)]
    use_scene()
    return slicer.app


def use_scene() -> None:
    """Make the host's scene and logics Slicer's own again, whoever used others meanwhile."""
    import slicer

    core = slicer.app.core
    slicer.mrmlScene = core.scene
    logics = {
        "segmentations": core.segmentations_logic,
        "volumes": core.volumes_logic,
        "markups": core.app_logic.GetModuleLogic("Markups"),
        "terminologies": core.terminologies_logic,
        "plots": _plots_logic(core),
    }
    for name, logic in logics.items():
        setattr(slicer.modules, name, SimpleNamespace(logic=lambda logic=logic: logic))


@cache
def _plots_logic(core: Any) -> Any:
    """Slicer's own logic of charts, which the core does not make itself."""
    import slicer

    logic = slicer.vtkSlicerPlotsLogic()
    logic.SetMRMLApplicationLogic(core.app_logic)
    logic.SetMRMLScene(core.scene)
    return logic


def load_module(path: Path) -> Any:
    """Import a scripted module's file and construct its module object, as Slicer does at start."""
    import slicer

    name = path.stem
    # Slicer has the folders of its modules on the path.
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    parent = SimpleNamespace(path=str(path), title="", name=name)
    parent.instance = getattr(module, name)(parent)
    parent.widgetRepresentation = cache(lambda: _representation(name))
    setattr(slicer.modules, name.lower(), parent)
    slicer.app.complete_startup()
    return module


def open_panel(module: Any) -> Any:
    """The module's widget, made, set up and entered as on the user's first click on the module."""
    import slicer

    name = module.__name__
    representation = _representation(name)
    getattr(slicer.modules, name.lower()).widgetRepresentation = lambda: representation
    representation.enter()
    return representation.instance


def _representation(name: str) -> Any:
    """A module's widget, set up and not entered."""
    from .module_widget import qSlicerScriptedLoadableModuleWidget

    representation = qSlicerScriptedLoadableModuleWidget(name)
    representation.setup()
    return representation


def reload_panel(module: Any) -> Any:
    """The widget after a click on *Reload*, by the real `slicer.util.reloadScriptedModule`."""
    import slicer

    slicer.util.reloadScriptedModule(module.__name__)
    return getattr(slicer.modules, f"{module.__name__}Widget")


def _base_python() -> list[Path]:
    """The folders with Slicer's Python files, the first with a file wins."""
    named = os.environ.get("SLICER_BASE_PYTHON")
    if named and not (Path(named) / "slicer" / "ScriptedLoadableModule.py").is_file():
        raise FileNotFoundError(
            f"SLICER_BASE_PYTHON is {named}, which has no slicer/ScriptedLoadableModule.py; name "
            "Slicer's folder Base/Python, or leave it unset."
        )
    return [Path(named), _STAND_INS] if named else [_STAND_INS]


def _sample_data(folders: list[Path]) -> Path:
    """The folder with the first SampleData.py."""
    for folder in folders:
        for place in _SAMPLE_DATA:
            for found in sorted(folder.glob(f"{place}/SampleData.py")):
                return found.parent
    raise FileNotFoundError("The stand-in SampleData.py is missing from the test support.")
