"""Dialogs for files and folders, and for what weights do not say of themselves."""

from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from MedSegFMLib.volumes.io.image_files import WRITERS

from .model.import_dialog import ImportDialog


class Dialogs:
    """The system's dialogs for files and folders, and the panel's own."""

    def open_file(self, title):
        """A file to read; "" if the user cancels."""
        return qt.QFileDialog.getOpenFileName(slicer.util.mainWindow(), title, "", "")

    def open_folder(self, title):
        """A folder to read; "" if the user cancels."""
        return qt.QFileDialog.getExistingDirectory(slicer.util.mainWindow(), title, "")

    def save_file(self, title, name, kinds=None):
        """A file to write; "" if the user cancels.

        Args:
            title: The title of the dialog.
            name: The name to begin with.
            kinds: The filter of file names; None for labelmaps.
        """
        patterns = " ".join(f"*{ending}" for ending in WRITERS)
        kinds = kinds or _("Labelmaps ({patterns})").format(patterns=patterns)
        return qt.QFileDialog.getSaveFileName(slicer.util.mainWindow(), title, name, kinds)

    def show_folder(self, path):
        """Show a folder in the system's file manager; a missing one is made."""
        Path(path).mkdir(parents=True, exist_ok=True)
        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(path))

    def ask_options(self, title, options):
        """The values of options, by name, without those that stay empty; None if the user cancels.

        Args:
            title: The title of the dialog.
            options: The options to ask for; see `ModelOption.at_import`.
        """
        return ImportDialog(title, options, self).ask()

    def load_volume(self):
        """Slicer's own dialog for volumes."""
        slicer.util.openAddVolumeDialog()
