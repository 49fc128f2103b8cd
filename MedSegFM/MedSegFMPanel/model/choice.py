"""The model that is chosen, with device and options: parameters, scene logic and worker agree."""

from MedSegFMLib import registry
from MedSegFMLib.mrml.words import model_messages

from .options import ModelOptions, with_options


class ModelChoice:
    """The model that predicts.

    Args:
        panel: The `Panel`.
    """

    def __init__(self, panel):
        self._panel, self._logic = panel, panel.logic
        self._options = ModelOptions(panel.ui.optionsSection, self._on_options)

    def apply(self):
        """Bring the logic to the parameters, and those back to a model that was refused."""
        chosen, logic = self._panel.parameters, self._logic
        wanted = (chosen.model.value, chosen.device.value)
        options = self._options.show(registry.card(wanted[0]), chosen.modelOptions)
        if (*wanted, options) == (logic.model, logic.device, logic.options):
            return
        if self._panel.attempt(lambda: logic.set_model(*wanted, **options)):
            self.warm_up()
        else:
            chosen.model = type(chosen.model)[logic.model]

    def follow(self):
        """Bring the parameters to the volume and the model of the work: work was loaded."""
        parameters, logic = self._panel.parameters, self._logic
        # As one change: the model before would answer work that another one has done.
        was_modifying = parameters.parameterNode.StartModify()
        parameters.volume = logic.volume_node
        parameters.modelOptions = with_options(parameters.modelOptions, logic.model, logic.options)
        parameters.model = type(parameters.model)[logic.model]
        parameters.parameterNode.EndModify(was_modifying)

    def use(self, name):
        """Predict with a model whose weights were imported."""
        parameters = self._panel.parameters
        parameters.model = type(parameters.model)[name]
        self.restart_worker()
        self.look_again()

    def look_again(self):
        """Look for the packages and weights of the model: the user chose it or installed some."""
        self._panel.models.look_again()
        self._panel.refresh()
        self.warm_up()

    def restart_worker(self):
        """End the model's process and start another one, which gets the pending request again."""
        self._logic.requests.restart()
        self.warm_up()

    def warm_up(self):
        """Let an idle worker load the model."""
        logic = self._logic
        self.show(logic.model)
        is_idle = not (logic.is_predicting or logic.consistency.is_measuring)
        if self._panel.models.can_run and is_idle:
            logic.requests.warm_up()

    def show(self, name):
        """Show the facts of a model for the present volume and prompts."""
        logic = self._logic
        geometry = None if logic.volume is None else logic.volume.geometry
        model_card = registry.card(name)
        self._panel.models.show(
            name,
            logic.options if name == logic.model else {},
            model_messages.region_voxels(model_card, logic.prompts, logic.current_label, geometry),
            logic.device,
        )

    def _on_options(self, text):
        parameters = self._panel.parameters
        if parameters is None:
            return
        if text == parameters.modelOptions:
            # A private option was changed, which the scene does not hold.
            self.apply()
            self._panel.refresh()
        parameters.modelOptions = text
