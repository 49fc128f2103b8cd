"""Stand-in for Slicer's parameter node wrapper: typed parameters in a node, synced with widgets."""

import enum
import typing

import qt
import slicer
import vtk


class Choice:
    def __init__(self, choices):
        self.choices = choices


def parameterNodeWrapper(cls):
    kinds = typing.get_type_hints(cls, include_extras=True)
    kinds = {name: _split(kind) for name, kind in kinds.items()}
    defaults = {name: getattr(cls, name, _default(*kind)) for name, kind in kinds.items()}
    for name, kind in kinds.items():
        setattr(cls, name, _property(name, *kind, defaults[name]))
    cls._kinds = kinds

    def __init__(self, node, prefix=None):
        self.parameterNode = node
        self._guis = {}
        for name, value in defaults.items():
            is_node = isinstance(kinds[name][0], type) and issubclass(
                kinds[name][0], slicer.vtkMRMLNode
            )
            if not is_node and not node.GetParameter(name):
                setattr(self, name, value)

    cls.__init__ = __init__
    cls.connectGui, cls.disconnectGui = _connect_gui, _disconnect_gui
    cls.AddObserver = lambda self, *words: self.parameterNode.AddObserver(*words)
    cls.RemoveObserver = lambda self, tag: self.parameterNode.RemoveObserver(tag)
    return cls


def _split(kind):
    choices = ()
    if typing.get_origin(kind) is typing.Annotated:
        choices = next((m.choices for m in kind.__metadata__ if isinstance(m, Choice)), ())
        kind = typing.get_args(kind)[0]
    kind = next((k for k in typing.get_args(kind) if k is not type(None)), kind)
    return kind, choices


def _default(kind, choices):
    if choices:
        return choices[0]
    if issubclass(kind, enum.Enum):
        return next(iter(kind))
    return None if issubclass(kind, slicer.vtkMRMLNode) else kind()


def _property(name, kind, choices, default):
    def read(self):
        node = self.parameterNode
        if issubclass(kind, slicer.vtkMRMLNode):
            return node.GetNodeReference(name)
        text = node.GetParameter(name)
        if not text:
            return default
        if issubclass(kind, enum.Enum):
            return kind[text]
        return text == "true" if kind is bool else kind(text)

    def write(self, value):
        node = self.parameterNode
        _check(name, kind, value)
        if issubclass(kind, slicer.vtkMRMLNode):
            node.SetNodeReferenceID(name, value.GetID() if value else None)
            return
        if choices and value not in choices:
            raise ValueError(f"{name} is {value!r}; it must be one of {choices}.")
        if isinstance(value, enum.Enum):
            value = value.name
        node.SetParameter(name, str(value).lower() if kind is bool else str(value))

    return property(read, write)


def _check(name, kind, value):
    """As Slicer's serializers: no conversion, and no node but of the class or derived from it."""
    if value is None and issubclass(kind, slicer.vtkMRMLNode):
        return
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise TypeError(f"{name} takes {kind.__name__}, not {value!r}.")


# How a widget of each class is read and written, and which signal tells of a change.
_WAYS = {
    "QCheckBox": ("toggled", lambda w: w.checked, lambda w, v: setattr(w, "checked", v)),
    "QLineEdit": ("textChanged", lambda w: w.text, lambda w, v: setattr(w, "text", v)),
    "QComboBox": ("currentIndexChanged", lambda w: w.currentIndex, None),
    "qMRMLNodeComboBox": (
        "currentNodeChanged",
        lambda w: w.currentNode(),
        lambda w, v: w.setCurrentNode(v),
    ),
}


def _connect_gui(self, gui):
    links = []
    for widget in (
        gui.findChildren(qt.QWidget) if hasattr(gui, "findChildren") else vars(gui).values()
    ):
        name = widget.property("SlicerParameterName")
        if not name:
            continue
        kind, choices = self._kinds[name]
        signal, read, write = _WAYS[type(widget).__name__]
        if write is None:
            values = list(choices or kind)
            label = getattr(kind, "label", lambda e: e.name)
            widget.clear()
            for value in values:
                widget.addItem(value if choices else label(value))

            def write(w, v, values=values):
                w.currentIndex = values.index(v)

            def read(w, values=values):
                return values[w.currentIndex]

        write(widget, getattr(self, name))

        def changed(*_, name=name, widget=widget, read=read):
            if not self._guis.get("updating"):
                setattr(self, name, read(widget))

        getattr(widget, signal).connect(changed)
        links.append((name, widget, signal, changed, write))

    def update(*_):
        if self._guis.get("updating"):
            return
        self._guis["updating"] = True
        for name, widget, _signal, _changed, write in links:
            write(widget, getattr(self, name))
        self._guis["updating"] = False

    tag = self.parameterNode.AddObserver(vtk.vtkCommand.ModifiedEvent, update)
    self._guis[tag] = links
    return tag


def _disconnect_gui(self, tag):
    for _name, widget, signal, changed, _write in self._guis.pop(tag, ()):
        getattr(widget, signal).disconnect(changed)
    self.parameterNode.RemoveObserver(tag)
