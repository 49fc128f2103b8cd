"""Weights of a non-permissive licence: shown and accepted before they are downloaded."""

import qt
import slicer
from slicer.i18n import tr as _


def accept(item):
    """Whether the user may download these weights: asks once for a licence that restricts use.

    item: their entry in the catalogue.
    """
    key = f"MedSegFM/acceptedLicences/{item.name}"
    if item.permissive or qt.QSettings().value(key) == item.licence:
        return True
    question = _(
        "The weights of {name} come under the licence {licence}, which restricts what you may use "
        "them for (often: no commercial use). Read it before you go on. Do you accept it?"
    ).format(name=item.name, licence=item.licence)
    if item.licence_url:
        question += f"\n\n{item.licence_url}"
    if not slicer.util.confirmOkCancelDisplay(question, windowTitle=_("Licence of the weights")):
        return False
    qt.QSettings().setValue(key, item.licence)
    return True
