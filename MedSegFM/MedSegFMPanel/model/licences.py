"""Licences that restrict use: shown and accepted before weights are downloaded."""

import qt
import slicer
from slicer.i18n import tr as _

from MedSegFMLib.mrml.words.model_messages import licence_question


def accept(item, title):
    """Whether the user may download weights; a restrictive licence is shown once.

    Args:
        item: The entry of the weights in the catalogue.
        title: The title of the model.
    """
    key = f"MedSegFM/acceptedLicences/{item.name}"
    if item.permissive or qt.QSettings().value(key) == item.licence:
        return True
    question = licence_question(item, title)
    if item.licence_url:
        question += f"\n\n{item.licence_url}"
    if not slicer.util.confirmOkCancelDisplay(question, windowTitle=_("Licence of the weights")):
        return False
    qt.QSettings().setValue(key, item.licence)
    return True
