"""The dialog for what imported weights do not say of themselves, such as their classes."""

import qt
import slicer
from slicer.i18n import tr as _

from MedSegFMLib.mrml.words.model_messages import unknown_at_import


class ImportDialog:
    """Asks for options, a row for each.

    Args:
        title: The title of the dialog.
        options: The options; see `ModelOption.at_import`.
        dialogs: Dialogs for files and folders.

    Attributes:
        fields: The field of each option, by name.
    """

    def __init__(self, title, options, dialogs):
        self.dialog = qt.QDialog(slicer.util.mainWindow())
        self.dialog.windowTitle = title
        self.fields = {}
        self._dialogs = dialogs
        rows = qt.QFormLayout(self.dialog)
        sentence = qt.QLabel(unknown_at_import())
        sentence.wordWrap = True
        rows.addRow(sentence)
        for option in options:
            self._add_row(rows, option)
        buttons = qt.QDialogButtonBox()
        buttons.setStandardButtons(qt.QDialogButtonBox.Ok | qt.QDialogButtonBox.Cancel)
        buttons.connect("accepted()", self.dialog.accept)
        buttons.connect("rejected()", self.dialog.reject)
        rows.addRow(buttons)

    def ask(self):
        """The values by name, without empty ones; None if the user cancels."""
        try:
            if self.dialog.exec_() != qt.QDialog.Accepted:
                return None
            values = {name: field.text.strip() for name, field in self.fields.items()}
            return {name: value for name, value in values.items() if value}
        finally:
            self.dialog.deleteLater()

    def _add_row(self, rows, option):
        field = self.fields[option.name] = qt.QLineEdit()
        field.placeholderText = option.default
        label = qt.QLabel(_(option.title))
        for widget in (label, field):
            widget.toolTip = _(option.description)
        if option.at_import == "text":
            rows.addRow(label, field)
            return
        button = qt.QPushButton(_("Browse…"))
        button.connect("clicked(bool)", lambda _on: self._browse(option, field))
        line = qt.QHBoxLayout()
        line.addWidget(field)
        line.addWidget(button)
        rows.addRow(label, line)

    def _browse(self, option, field):
        is_folder = option.at_import == "folder"
        choose = self._dialogs.open_folder if is_folder else self._dialogs.open_file
        field.text = choose(_(option.title)) or field.text
