"""The box "Images": a volume for each image that a model of several takes."""

import qt
import slicer
from slicer.i18n import tr as _

from MedSegFMLib.volumes.images import image_names

_CLASS = "vtkMRMLScalarVolumeNode"


class ImageChoice:
    """A row for each image that the loaded model takes of a volume; hidden for models of one.

    Args:
        box: The widget with a form layout that the rows are put into.
        logic: The scene logic, which joins the chosen volumes.
        attempt: Runs an action that may raise a MedSegFMError, and shows its message.
    """

    def __init__(self, box, logic, attempt):
        self._box, self._logic, self._attempt = box, logic, attempt
        self._names = ()
        self._fields = {}
        self._resampled = None
        self._rows = []

    def show(self):
        """Bring the rows to the model, the volumes of the scene and those that are chosen."""
        names = image_names(self._logic.card.channels)
        if names != self._names:
            self._names = names
            self._make_rows()
        self._box.visible = bool(names) and self._logic.volume_node is not None
        if not names:
            return
        volumes = [(node.GetName(), node.GetID()) for node in _volumes()]
        joined = self._logic.images.by_name
        for name, field in self._fields.items():
            node = joined.get(name)
            _fill(field, [(_("None"), ""), *volumes], "" if node is None else node.GetID())
        self._resampled.checked = self._logic.images.are_resampled

    def _make_rows(self):
        for widget in self._rows:
            self._box.layout().removeWidget(widget)
            widget.setParent(None)
            widget.deleteLater()
        self._rows, self._fields = [], {}
        if not self._names:
            return
        for name in self._names:
            field = self._fields[name] = qt.QComboBox()
            field.connect("activated(int)", lambda n, name=name: self._choose(name, n))
            label = qt.QLabel(name)
            label.toolTip = field.toolTip = _(
                "The volume that the model takes as its image {name}; the segmented volume is one "
                "of them."
            ).format(name=name)
            self._add(label, field)
        self._resampled = qt.QCheckBox(_("Resample images on another grid"))
        self._resampled.toolTip = _(
            "Bring images on another grid to that of the segmented volume, by linear "
            "interpolation; otherwise they are refused."
        )
        self._resampled.connect("clicked(bool)", self._resample)
        self._add(self._resampled)

    def _add(self, *widgets):
        self._box.layout().addRow(*widgets)
        self._rows += widgets

    def _choose(self, name, n):
        identifier = self._fields[name].itemData(n)
        node = slicer.mrmlScene.GetNodeByID(identifier) if identifier else None
        self._attempt(self._logic.images.join, name, node)

    def _resample(self, on):
        self._logic.images.are_resampled = on


def _volumes():
    """The volume nodes that a selector lists."""
    scene = slicer.mrmlScene
    count = scene.GetNumberOfNodesByClass(_CLASS)
    nodes = [scene.GetNthNodeByClass(n, _CLASS) for n in range(count)]
    return [n for n in nodes if n.GetClassName() == _CLASS and not n.GetHideFromEditors()]


def _fill(field, items, chosen):
    """Show these items (text, data) in a combo box, if they are others than before."""
    shown = [(field.itemText(n), field.itemData(n)) for n in range(field.count)]
    if shown != items:
        field.clear()
        for text, data in items:
            field.addItem(text, data)
    field.currentIndex = max(0, field.findData(chosen))
