"""The few questions that need a window of their own."""

from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from MedSegFMLib.volumes.io.image_files import WRITERS


class Dialogs:
    """Files and folders, asked for or shown with the system's dialogs."""

    def open_file(self, title):
        """A file to read; empty where the user thought better of it."""
        return qt.QFileDialog.getOpenFileName(slicer.util.mainWindow(), title, "", "")

    def open_folder(self, title):
        """A folder to read; empty where the user thought better of it."""
        return qt.QFileDialog.getExistingDirectory(slicer.util.mainWindow(), title, "")

    def save_file(self, title, name, kinds=None):
        """A file to write; empty if the user cancels. kinds: None for labelmaps."""
        patterns = " ".join(f"*{ending}" for ending in WRITERS)
        kinds = kinds or _("Labelmaps ({patterns})").format(patterns=patterns)
        return qt.QFileDialog.getSaveFileName(slicer.util.mainWindow(), title, name, kinds)

    def show_folder(self, path):
        """Show a folder in the system's file manager; it is made where it is not there."""
        Path(path).mkdir(parents=True, exist_ok=True)
        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(path))

    def load_volume(self):
        """Slicer's own dialog for volumes."""
        slicer.util.openAddVolumeDialog()
