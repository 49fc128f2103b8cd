"""Qt classes of PySide6 that behave as PythonQt shows them to a Slicer module.

Qt properties are read and written as attributes, `objectName` is `name`, and
`widget.connect("clicked(bool)", slot)` works beside `widget.clicked.connect(slot)`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import Any

from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets
from PySide6.QtCore import QObject

_MODULES = (QtWidgets, QtGui, QtCore, QtUiTools)

# Properties whose getters are virtual: Qt itself looks whether Python overrides them, so that a
# property read from there would ask for itself without end.
_VIRTUAL = {"sizeHint", "minimumSizeHint"}


def _property_name(thing: QObject, name: str) -> str | None:
    if name in _VIRTUAL:
        return None
    name = "objectName" if name == "name" else name
    return name if QObject.metaObject(thing).indexOfProperty(name) >= 0 else None


class PythonQtWays:
    """Goes before a Qt class among the bases."""

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("__"):
            return super().__getattribute__(name)
        # QObject.connect would win over a method of this class.
        if name in ("connect", "disconnect"):
            return lambda signal, slot: self._signal_call(name, signal, slot)
        if name == "findChildren":
            return self._find_children
        found = _property_name(self, name)  # type: ignore[arg-type]
        if found is not None:
            return QObject.property(self, found)  # type: ignore[arg-type]
        return super().__getattribute__(name)

    def __setattr__(self, name: str, value: Any) -> None:
        found = _property_name(self, name)  # type: ignore[arg-type]
        if found is None:
            super().__setattr__(name, value)
        else:
            QObject.setProperty(self, found, value)  # type: ignore[arg-type]

    def _find_children(self, kind: type, *words: Any, **named: Any) -> list[Any]:
        # Classes of `qt` do not derive from one another; those of Qt behind them do.
        native = next(c for c in kind.__mro__ if c is not kind and issubclass(c, QObject))
        wrapped = issubclass(kind, PythonQtWays)
        return QObject.findChildren(self, native if wrapped else kind, *words, **named)  # type: ignore[call-overload, no-any-return]

    def _signal_call(self, verb: str, signature: str, slot: Callable[..., Any]) -> bool:
        signal = object.__getattribute__(self, signature.partition("(")[0])
        getattr(signal, verb)(slot)
        return True


@cache
def qt_class(name: str) -> Any:
    """What `qt.<name>` is; AttributeError where Qt has none."""
    module = next((module for module in _MODULES if hasattr(module, name)), None)
    if module is None:
        raise AttributeError(f"Qt has no {name} in {', '.join(m.__name__ for m in _MODULES)}.")
    found = getattr(module, name)
    if isinstance(found, type) and issubclass(found, QObject):
        return type(name, (PythonQtWays, found), {})
    return found


class UiLoader(QtUiTools.QUiLoader):
    """Loads a `.ui` file with the classes of `qt`, and stand-ins for those of ctk and slicer."""

    def __init__(self, stand_ins: Callable[[str], type | None]) -> None:
        super().__init__()
        self._stand_ins = stand_ins

    def createWidget(self, class_name, parent=None, name=""):  # type: ignore[no-untyped-def]
        widget = (self._stand_ins(class_name) or qt_class(class_name))(parent)
        widget.setObjectName(name)
        return widget


def qt_module(stand_ins: Callable[[str], type | None]) -> ModuleType:
    """The module `qt`."""
    module = ModuleType("qt")
    module.__getattr__ = qt_class  # type: ignore[method-assign]
    module.QUiLoader = lambda: UiLoader(stand_ins)  # type: ignore[attr-defined]
    module.QFileDialog = _FileDialog  # type: ignore[attr-defined]
    return module


class _FileDialog:
    """PythonQt gives the path alone, PySide6 a pair; no test waits for a dialog.

    answer: the path that the next dialog returns.
    """

    answer = ""

    @classmethod
    def _path(cls, *_: Any) -> str:
        return cls.answer

    getOpenFileName = getSaveFileName = getExistingDirectory = _path
