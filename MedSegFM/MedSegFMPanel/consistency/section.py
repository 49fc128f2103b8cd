"""The section "Consistency": where the planes disagree, the worst spots, and a question."""

import slicer
from slicer.i18n import tr as _

from MedSegFMLib.mrml.consistency.contours import PLANE_COLORS
from MedSegFMLib.mrml.consistency.overlay import COLORS
from MedSegFMLib.mrml.words import messages
from MedSegFMLib.mrml.words.planes import PLANES

from .plot_layout import PlotLayout


class ConsistencySection:
    """Shows the agreement of the planes for the current segment.

    Args:
        ui: The named widgets of the panel.
        logic: The scene logic.
        attempt: Runs an action that may raise a MedSegFMError, and shows its message.
    """

    def __init__(self, ui, logic, attempt):
        self._ui, self._logic = ui, logic
        self._plot = PlotLayout()
        logic.while_saving.add(self._plot)
        for button, action in (
            (ui.worstSpotButton, logic.consistency.go_to_next_spot),
            (ui.belongsButton, lambda: logic.questions.answer_doubt(True)),
            (ui.notPartButton, lambda: logic.questions.answer_doubt(False)),
        ):
            button.connect("clicked(bool)", lambda _on, action=action: attempt(action))
        ui.plotButton.connect("clicked(bool)", lambda _on: self._show_plot())
        ui.planesLegend.text = _legend()
        ui.mapLegend.styleSheet = _gradient()

    def keys(self):
        """The shortcut of each button, and the button."""
        ui = self._ui
        return [
            ("Shift+W", ui.worstSpotButton),
            ("Shift+G", ui.belongsButton),
            ("Shift+H", ui.notPartButton),
        ]

    def apply(self, parameters):
        """Bring the scene logic to the parameters."""
        self._logic.consistency.switch(parameters.showConsistency)
        self._logic.consistency.shows_contours = parameters.showContours

    def show(self):
        """Bring the widgets to the result for the current segment."""
        ui, logic = self._ui, self._logic
        found, doubtful = logic.consistency.current, logic.consistency.doubtful_position()
        ui.consistencyHint.text = messages.consistency_hint(
            logic.consistency.is_on,
            logic.prompts,
            found,
            logic.is_predicting,
            logic.consistency.is_measuring,
        )
        ui.consistencyHint.visible = bool(ui.consistencyHint.text)
        ui.consistencyScores.text = "" if found is None else messages.consistency_scores(found)
        ui.consistencyScores.visible = bool(ui.consistencyScores.text)
        spot = None if found is None or logic.consistency.spot is None else logic.consistency.spot
        ui.spotLabel.text = "" if spot is None else messages.spot_sentence(found.hot_spots, spot)
        ui.spotLabel.visible = bool(ui.spotLabel.text)
        ui.worstSpotButton.text = _("Worst spot") if spot is None else _("Next spot")
        ui.worstSpotButton.enabled = found is not None and bool(found.hot_spots)
        is_asked = doubtful is not None
        ui.doubtQuestion.text = (
            messages.doubt_question(logic.prompts.name(logic.current_label)) if is_asked else ""
        )
        ui.doubtQuestion.visible = is_asked
        ui.belongsButton.enabled = ui.notPartButton.enabled = is_asked
        ui.showContours.enabled = ui.planesLegend.enabled = logic.consistency.is_on
        for widget in (ui.mapRow, ui.contourRow):
            widget.visible = logic.consistency.is_on
        ui.plotButton.enabled = ui.plotButton.checked or (
            found is not None and hasattr(slicer.modules, "plots")
        )
        self._show_plot()

    def close(self):
        """Restore the layout: the module is unloaded."""
        self._ui.plotButton.checked = False
        self._show_plot()

    def _show_plot(self):
        """Bring Slicer's layout to the button; one that was chosen meanwhile stays."""
        if not self._ui.plotButton.checked:
            self._plot.show(None)
            return
        chart = self._logic.consistency_view.plot.chart
        if chart is not None:
            self._plot.show(chart)


def _hex(color):
    return "#" + "".join(f"{round(255 * part):02x}" for part in color)


def _legend():
    """The colour of each plane, as rich text."""
    return "&nbsp; ".join(
        f'<span style="color:{_hex(PLANE_COLORS[name])}; font-size:large">■</span>&nbsp;{word}'
        for name, word in PLANES.items()
    )


def _gradient():
    """A style sheet with the colours of the map, from agreement to disagreement."""
    stops = ", ".join(
        f"stop:{n / (len(COLORS) - 1)} {_hex(color)}" for n, color in enumerate(COLORS)
    )
    return f"background: qlineargradient(x1:0, y1:0, x2:1, y2:0, {stops}); border-radius: 3px;"
