"""The box "Options": a row for each option that the card of the chosen model names.

Private options, such as a server, which gets the volume, are kept in the user's settings. Those of
a scene, which may be someone else's, do not count.
"""

import json

import qt
from slicer.i18n import tr as _

from MedSegFMLib import registry
from MedSegFMLib.errors import MedSegFMError
from MedSegFMLib.model_choice import choice_text
from MedSegFMLib.mrml.words.model_messages import default_choice, default_value
from MedSegFMLib.system.json_files import parse_json

_LARGEST_BYTES = 100_000


class ModelOptions:
    """Shows the options of a model, and reports the user's changes.

    Args:
        box: The widget with a form layout that the rows are put into.
        changed: Called when the user has changed an option, with the options of all models as JSON,
            without private ones.
    """

    def __init__(self, box, changed):
        self._box, self._changed = box, changed
        self._card = None
        self._chosen = {}
        self._rows = []

    def show(self, card, text):
        """Show the options of a model; returns those that are not its defaults.

        Args:
            card: The model's card.
            text: The options of all models as JSON; what cannot be read counts as no options.
        """
        self._chosen = _read(text)
        if card is not self._card:
            self._card = card
            self._make_rows()
        self._box.visible = bool(card.options)
        return {option.name: value for option in card.options if (value := self._value(option))}

    def _make_rows(self):
        for widget in self._rows:
            self._box.layout().removeWidget(widget)
            widget.setParent(None)
            widget.deleteLater()
        self._rows = []
        for option in self._card.options:
            field = _field(option, self._value(option), self._set)
            label = qt.QLabel(_(option.title))
            for widget in (label, field):
                widget.toolTip = _(option.description)
            self._box.layout().addRow(label, field)
            self._rows += [label, field]

    def _value(self, option):
        if option.is_private:
            return _stored(self._card, option)
        return self._chosen.get(self._card.name, {}).get(option.name, "")

    def _set(self, option, value):
        if value == self._value(option):
            return
        own = {n: v for n, v in self._chosen.get(self._card.name, {}).items() if n != option.name}
        if option.is_private:
            qt.QSettings().setValue(_place(self._card, option), value)
        elif value:
            own[option.name] = value
        self._changed(json.dumps(self._chosen | {self._card.name: own}))


def option_texts(text):
    """The models that have options of the user, with these options, as `model_choice` reads them.

    Args:
        text: The options of all models as JSON; private ones are those of the user's settings.
    """
    chosen = _read(text)
    own = {card.name: own_options(card.name) for card in registry.cards()}
    models = {name: {**chosen.get(name, {}), **values} for name, values in own.items()}
    return [choice_text(name, options) for name, options in models.items() if options]


def own_options(name):
    """The user's own values of the private options of a model, by option."""
    card = registry.card(name)
    private = (option for option in card.options if option.is_private)
    return {option.name: value for option in private if (value := _stored(card, option))}


def with_options(text, name, options):
    """The options of all models as JSON, in which the model `name` has these."""
    return json.dumps(_read(text) | {name: {n: str(v) for n, v in options.items()}})


def _field(option, value, changed):
    if not option.choices:
        field = qt.QLineEdit(value)
        field.placeholderText = default_value(option)
        if option.is_secret:
            field.setEchoMode(qt.QLineEdit.Password)
        field.connect("editingFinished()", lambda: changed(option, field.text.strip()))
        return field
    field = qt.QComboBox()
    field.addItem(default_choice(option), "")
    for choice in option.choices:
        field.addItem(choice, choice)
    field.currentIndex = max(0, field.findData(value))
    field.connect("activated(int)", lambda n: changed(option, field.itemData(n)))
    return field


def _stored(card, option):
    return str(qt.QSettings().value(_place(card, option)) or "")


def _place(card, option):
    return f"MedSegFM/options/{card.name}/{option.name}"


def _read(text):
    try:
        found = parse_json(text or "{}", dict, _LARGEST_BYTES)
    except (MedSegFMError, ValueError):
        return {}
    return {
        model: {str(name): str(value) for name, value in own.items()}
        for model, own in found.items()
        if isinstance(own, dict)
    }
