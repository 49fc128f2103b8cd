"""The widget of a scripted module in the desktop, which holds the Python object and reloads it."""

from __future__ import annotations

import sys
from typing import Any

import slicer
from PySide6 import QtWidgets

from .widgets import qMRMLWidget


class qSlicerScriptedLoadableModuleWidget(qMRMLWidget):
    """A module's place in Slicer's module panel; it lives as long as Slicer does.

    Args:
        module_name: The name of the module, which is imported already.

    Attributes:
        instance: The module's own widget object, another one after each `reload`.
    """

    def __init__(self, module_name: str) -> None:
        super().__init__()
        self._module_name = module_name
        self._entered = False
        self.setLayout(QtWidgets.QVBoxLayout(self))
        self.layout().setContentsMargins(0, 0, 0, 0)
        self.setMRMLScene(slicer.mrmlScene)
        self._make()

    def self(self) -> Any:
        """The Python object."""
        return self.instance

    def isEntered(self) -> bool:
        return self._entered

    def setup(self) -> None:
        self.instance.setup()

    def enter(self) -> None:
        """The user opens the module."""
        self._entered = True
        self.instance.enter()

    def exit(self) -> None:
        """The user opens another module."""
        self._entered = False
        self.instance.exit()

    def reload(self) -> bool:
        """What `slicer.util.reloadScriptedModule` ends with: setup, and never enter."""
        self._make()
        self.instance.setup()
        return True

    def _make(self) -> None:
        name = f"{self._module_name}Widget"
        self.instance: Any = getattr(sys.modules[self._module_name], name)(self)
        setattr(slicer.modules, name, self.instance)
