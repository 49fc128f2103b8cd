"""The buttons that draw prompts, and their shortcuts."""

import qt
import slicer
from slicer.i18n import tr as _

from .place_mode import PlacedKind

# The button, the kind of prompt it draws, the prompt's name in model cards, and the shortcut.
_BUTTONS = (
    ("boxButton", PlacedKind.BOX, "box", "Shift+B"),
    ("positiveButton", PlacedKind.POSITIVE_CLICK, "point", "Shift+A"),
    ("negativeButton", PlacedKind.NEGATIVE_CLICK, "point", "Shift+X"),
    ("scribbleButton", PlacedKind.SCRIBBLE, "scribble", "Shift+S"),
    ("lassoButton", PlacedKind.LASSO, "lasso", "Shift+L"),
    ("lineButton", PlacedKind.LINE, "line", "Shift+D"),
)


class PromptButtons:
    """Starts and ends drawing with the buttons of the panel."""

    def __init__(self, ui, place_mode):
        self._ui = ui
        self._place_mode = place_mode
        self._offered = ()
        for button_name, kind, _name, key in _BUTTONS:
            button = getattr(ui, button_name)
            button.connect("clicked(bool)", lambda on, kind=kind: self._clicked(kind, on))
            button.toolTip = f"{button.toolTip} ({key})"

    def keys(self):
        """The shortcut of each button, and the button."""
        return [(key, getattr(self._ui, name)) for name, _kind, _prompt, key in _BUTTONS]

    def show(self, card, usable, classes=()):
        """Show the buttons for the prompts that the model takes.

        Args:
            card: The model's card.
            usable: Whether the buttons are enabled.
            classes: The names of the model's classes, to complete typed text with.
        """
        for name, _kind, prompt, _key in _BUTTONS:
            button = getattr(self._ui, name)
            button.visible = prompt in card.accepted
            button.enabled = usable
        self._ui.newSegmentPerBox.visible = "box" in card.prompts
        self._ui.newSegmentPerBox.enabled = usable
        takes_strokes = bool({"scribble", "lasso"}.intersection(card.prompts))
        self._ui.freehand.visible, self._ui.freehand.enabled = takes_strokes, usable
        self._ui.textRow.visible = "text" in card.prompts
        self._ui.textRow.enabled = usable
        self._ui.classesButton.visible = bool(classes)
        self._ui.classesButton.enabled = usable
        if classes != self._offered:
            self._offer(classes)

    def show_active(self):
        """Press the button of the kind that is drawn now."""
        for name, kind, _prompt, _key in _BUTTONS:
            getattr(self._ui, name).checked = self._place_mode.active is kind
        self._ui.movePromptButton.checked = self._place_mode.active is PlacedKind.TARGET

    def _offer(self, classes):
        """Complete typed text to one of the names; list them all in the button's tool tip."""
        self._offered = classes
        completer = None
        if classes:
            completer = qt.QCompleter(list(classes), self._ui.textEdit)
            completer.setCaseSensitivity(qt.Qt.CaseInsensitive)
        self._ui.textEdit.setCompleter(completer)
        self._ui.classesButton.toolTip = _("One segment for each of: {names}").format(
            names=", ".join(classes)
        )

    def _clicked(self, kind, on):
        if on:
            self._place_mode.start(kind)
        else:
            self._place_mode.stop()


HINTS = {
    PlacedKind.BOX: _("Click two opposite corners in a slice view, then drag the handles."),
    PlacedKind.LINE: _("Click both ends of the longest diameter on one slice, then drag its ends."),
    PlacedKind.POSITIVE_CLICK: _("Click on the object; click the button again to stop."),
    PlacedKind.NEGATIVE_CLICK: _(
        "Click on what is not the object; click the button again to stop."
    ),
    PlacedKind.SCRIBBLE: _("Click along the object; a double or right click ends the stroke."),
    PlacedKind.LASSO: _(
        "Click around the object in one slice; a double or right click ends the outline."
    ),
    PlacedKind.TARGET: _("Click the new position of the prompt."),
}

FREEHAND_HINTS = {
    PlacedKind.SCRIBBLE: _("Drag along the object in a slice view; release to end the stroke."),
    PlacedKind.LASSO: _("Drag around the object in a slice view; release to close the outline."),
}


def hint(place_mode):
    """The next step in the views while drawing; None if nothing is drawn."""
    hints = HINTS | FREEHAND_HINTS if place_mode.draws_freehand else HINTS
    return hints.get(place_mode.active)


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
        """Remove the keys: the module is unloaded."""
        for shortcut in self._shortcuts:
            shortcut.enabled = False
            shortcut.setParent(None)
            shortcut.deleteLater()
        self._shortcuts = []
