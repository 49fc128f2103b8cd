"""Effects of the segment editor: Slicer's own by name only, and those that modules register.

`qSlicerSegmentEditorScriptedEffect` has the rules of its C++ source: the folder of the file names
the Python module, and the file names the class.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import slicer
from PySide6 import QtWidgets

_BUILT_IN = ("Threshold", "Paint", "Draw", "Erase", "Scissors", "Islands", "Smoothing")
_registered: list[Any] = []


class _Effect:
    """What all effects have; the real ones are QObjects."""

    def __init__(self, name: str = "UnnamedEffect") -> None:
        self.name, self.title = name, name
        self.perSegment = self.requireSegments = True
        self.widget: Any = None
        self._node: Any = None
        self._layout: Any = None

    def set_up(self, widget: Any, layout: Any) -> None:
        """The editor takes the effect in."""
        self.widget = widget
        frame = QtWidgets.QWidget()
        self._layout = QtWidgets.QVBoxLayout(frame)
        self._frame = frame
        frame.setVisible(False)
        layout.addWidget(frame)
        self.setupOptionsFrame()

    def setParameterSetNode(self, node: Any) -> None:
        self._node = node

    def parameterSetNode(self) -> Any:
        return self._node

    def addOptionsWidget(self, widget: Any) -> None:
        self._layout.addWidget(widget)

    def setupOptionsFrame(self) -> None: ...

    def activate(self) -> None:
        self._frame.setVisible(True)

    def deactivate(self) -> None:
        self._frame.setVisible(False)

    def clone(self) -> Any:
        return _Effect(self.name)


class qSlicerSegmentEditorScriptedEffect(_Effect):
    """An effect whose work is done by a Python object."""

    def __init__(self, _parent: Any = None) -> None:
        super().__init__("UnnamedScriptedEffect")
        self._python: Any = None

    def setPythonSource(self, path: str) -> bool:
        if "\\" in path or not path.endswith((".py", ".pyc")):
            return False
        module_name, class_name = Path(path).parent.name, Path(path).stem
        class_name += "" if class_name.endswith("Effect") else "Effect"
        module = sys.modules.setdefault(module_name, ModuleType(module_name))
        if not hasattr(module, class_name):
            spec = importlib.util.spec_from_file_location(module_name, path)
            assert spec is not None and spec.loader is not None
            module.__file__ = path
            exec(compile(Path(path).read_text("utf-8"), path, "exec"), vars(module))
        self._python = getattr(module, class_name)(self)
        setattr(slicer, module_name, self._python)
        return True

    def self(self) -> Any:
        return self._python

    def setupOptionsFrame(self) -> None:
        self._call("setupOptionsFrame")

    def activate(self) -> None:
        super().activate()
        self._call("activate")

    def deactivate(self) -> None:
        super().deactivate()
        self._call("deactivate")

    def clone(self) -> Any:
        return self._python.clone()

    def _call(self, name: str) -> None:
        method = getattr(self._python, name, None)
        if method is not None:
            method()


class qSlicerSegmentEditorEffectFactory:
    """Keeps one effect of each name; each editor gets a clone."""

    def instance(self) -> qSlicerSegmentEditorEffectFactory:
        return self

    def registerEffect(self, effect: Any) -> bool:
        if any(known.name == effect.name for known in _registered):
            return False
        _registered.append(effect)
        return True


class AbstractScriptedSegmentEditorEffect:
    """The base class of Slicer's own Python files for effects."""

    def __init__(self, scriptedEffect: Any) -> None:
        self.scriptedEffect = scriptedEffect

    def register(self) -> None:
        qSlicerSegmentEditorEffectFactory().instance().registerEffect(self.scriptedEffect)


def make_all() -> list[Any]:
    """A new effect of each that there is."""
    own = [_Effect(name) for name in _BUILT_IN]
    return [*own, *(effect.clone() for effect in _registered)]


def install() -> None:
    """Make the modules that effects import."""
    host = sys.modules[__name__]
    sys.modules["qSlicerSegmentationsEditorEffectsPythonQt"] = host
    if importlib.util.find_spec("SegmentEditorEffects") is None:
        sys.modules["SegmentEditorEffects"] = host
