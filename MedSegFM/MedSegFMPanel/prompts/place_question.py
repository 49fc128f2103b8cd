"""The question where the current segment is, with its numbered places and an answer for each."""

from slicer.i18n import tr as _


class PlaceQuestionRow:
    """Shows the places that the model asks about, and takes the answer.

    Args:
        ui: The named widgets of the panel.
        logic: The scene logic.
        attempt: Runs an action that may raise a MedSegFMError, and shows its message.
    """

    def __init__(self, ui, logic, attempt):
        self._ui, self._logic, self._attempt = ui, logic, attempt
        self._shown = ()
        ui.placeList.connect("currentIndexChanged(int)", self._go)
        ui.placeHereButton.connect("clicked(bool)", lambda _on: self._answer(True))
        ui.placeNotHereButton.connect("clicked(bool)", lambda _on: self._answer(False))
        self.show()

    def show(self):
        """Bring the widgets to the question about the current segment."""
        ui, logic = self._ui, self._logic
        question = logic.questions.place
        is_asked = question is not None
        for widget in (ui.placeQuestion, ui.placeList, ui.placeHereButton, ui.placeNotHereButton):
            widget.visible = is_asked
        places = question.places if is_asked else ()
        if places == self._shown:
            return
        # Before items are added: the list signals each addition as a choice.
        self._shown = ()
        ui.placeList.clear()
        if not is_asked:
            return
        ui.placeQuestion.text = _(
            "Where is {name}? The looks of the model disagree ({agreement:.2f}, at least "
            "{bound:.2f} is an answer). Click at one of the numbers in the views, or choose here."
        ).format(
            name=logic.prompts.name(logic.current_label),
            agreement=question.agreement,
            bound=question.bound,
        )
        for place in places:
            ui.placeList.addItem(
                _("Place {number}: {ml:.2f} ml, probability {score:.2f}").format(
                    number=place.number, ml=place.millilitres, score=place.score
                )
            )
        self._shown = places
        self._go(0)

    def _go(self, at):
        if 0 <= at < len(self._shown):
            self._logic.questions.go_to_place(self._shown[at].number)

    def _answer(self, is_there):
        at = self._ui.placeList.currentIndex
        if 0 <= at < len(self._shown):
            self._attempt(self._logic.questions.answer_place, self._shown[at].number, is_there)
