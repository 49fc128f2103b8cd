"""The buttons that draw prompts: which the model takes, which is on, and their shortcuts."""

import qt
import slicer
from slicer.i18n import tr as _

# Button, what it draws, the prompt name in model cards, and its shortcut.
_BUTTONS = (
    ("boxButton", "box", "box", "Shift+B"),
    ("positiveButton", "positive", "point", "Shift+A"),
    ("negativeButton", "negative", "point", "Shift+X"),
    ("scribbleButton", "scribble", "scribble", "Shift+S"),
    ("lassoButton", "lasso", "lasso", "Shift+L"),
)


class PromptButtons:
    """Drawing starts and ends with the buttons of the panel."""

    def __init__(self, ui, placement):
        self._ui = ui
        self._placement = placement
        self._offered = ()
        for button_name, drawn, _kind, key in _BUTTONS:
            button = getattr(ui, button_name)
            button.connect("clicked(bool)", lambda on, drawn=drawn: self._clicked(drawn, on))
            button.toolTip = f"{button.toolTip} ({key})"

    def keys(self):
        """(shortcut, what it clicks) of each button."""
        return [(key, getattr(self._ui, name)) for name, _drawn, _kind, key in _BUTTONS]

    def show(self, card, usable, classes=()):
        """Show the buttons that the model takes; let them be used where `usable`.

        classes: what the model knows by name, to be offered where a text is typed.
        """
        for name, _drawn, kind, _key in _BUTTONS:
            button = getattr(self._ui, name)
            button.visible = kind in card.prompts
            button.enabled = usable
        self._ui.textRow.visible = "text" in card.prompts
        self._ui.textRow.enabled = usable
        self._ui.classesButton.visible = bool(classes)
        self._ui.classesButton.enabled = usable
        if classes != self._offered:
            self._offer(classes)

    def show_active(self):
        """Press the button of what is being drawn, and tell what to do in the views."""
        for name, drawn, _kind, _key in _BUTTONS:
            getattr(self._ui, name).checked = self._placement.active == drawn
        self._ui.movePromptButton.checked = self._placement.active == "pick"

    def _offer(self, classes):
        """Complete what is typed to one of the names; show them all as the button's tip."""
        self._offered = classes
        completer = None
        if classes:
            completer = qt.QCompleter(list(classes), self._ui.textEdit)
            completer.setCaseSensitivity(qt.Qt.CaseInsensitive)
        self._ui.textEdit.setCompleter(completer)
        self._ui.classesButton.toolTip = _("One segment for each of: {names}").format(
            names=", ".join(classes)
        )

    def _clicked(self, drawn, on):
        if on:
            self._placement.start(drawn)
        else:
            self._placement.stop()


HINTS = {
    "box": _("Click two opposite corners in a slice view, then drag the handles."),
    "positive": _("Click on the object; click the button again to stop."),
    "negative": _("Click on what is not the object; click the button again to stop."),
    "scribble": _("Click along the object; a double click ends the stroke."),
    "lasso": _("Click around the object in one slice; a double click ends the outline."),
    "pick": _("Click where the prompt shall be."),
}


class Shortcuts:
    """Keys that click buttons, only while the module is open.

    They belong to the main window, so that they work while the mouse is over a slice view.
    """

    def __init__(self, parent, buttons):
        self._shortcuts = []
        for key, button in buttons:
            shortcut = qt.QShortcut(qt.QKeySequence(key), slicer.util.mainWindow() or parent)
            shortcut.connect("activated()", button.click)
            shortcut.enabled = False
            self._shortcuts.append(shortcut)

    def enable(self, on):
        """Switch the keys on or off."""
        for shortcut in self._shortcuts:
            shortcut.enabled = on

    def remove(self):
        """Take the keys away for good, when the module is unloaded."""
        for shortcut in self._shortcuts:
            shortcut.enabled = False
            shortcut.setParent(None)
            shortcut.deleteLater()
        self._shortcuts = []
