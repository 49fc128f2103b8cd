"""Progress, elapsed time, and one status line; a log keeps the messages."""

from time import monotonic, strftime

from slicer.i18n import tr as _

from MedSegFMLib.mrml.words.progress_phrases import translated


class StatusSection:
    """The status line, the progress bar and the log.

    Args:
        ui: The named widgets of the panel.
    """

    def __init__(self, ui):
        self._ui = ui
        self._began = None
        self._is_error = False
        self._notice = ""
        ui.progressBar.visible = False
        ui.elapsedLabel.visible = False
        ui.cancelButton.visible = False
        ui.changeLabel.visible = False
        self._show("")

    def inform(self, sentence):
        """Show a message, and add it to the log."""
        self._is_error, self._notice = False, ""
        self._show(sentence)
        self.log(sentence)

    def warn(self, sentence, keep=False):
        """Show a warning, and add it to the log.

        Args:
            sentence: What went wrong and what to do.
            keep: Whether it stays visible after the next answer.
        """
        self._is_error = True
        self._notice = sentence if keep else ""
        self._show(sentence)
        self.log(sentence)

    def done(self, outcome):
        """Show that an answer was written; a warning stays visible.

        Args:
            outcome: A sentence on what changed.
        """
        if not self._is_error:
            self._show(" ".join(filter(None, (_("Done."), outcome, self._notice))))
        self._notice = ""

    def clear(self):
        """Clear the messages: another volume was chosen."""
        self._is_error, self._notice = False, ""
        self._show("")
        self.changed("")

    def log(self, sentence):
        """Add a message to the log only."""
        if sentence:
            self._ui.logView.appendPlainText(f"{strftime('%H:%M:%S')}  {sentence}")

    def progress(self, fraction, phrase):
        """Show how far the work is, 0 to 1, and a phrase."""
        self._advance(fraction, "%p%")
        self._is_error = False
        self._show(translated(phrase))

    def measuring(self, fraction):
        """Show how far the comparison of the planes is, 0 to 1; the message stays."""
        self._advance(fraction, _("Comparing the planes… %p%"))

    def busy(self, is_busy, phrase=""):
        """Show or hide progress and Cancel; elapsed time counts from the first busy moment.

        Args:
            is_busy: Whether something is awaited.
            phrase: The message to begin with; "" for none.
        """
        if not is_busy:
            self._began = None
        elif self._began is None:
            self._begin()
            self._ui.progressBar.setValue(0)
            if phrase:
                self._is_error = False
                self._show(phrase)
        for widget in (self._ui.progressBar, self._ui.elapsedLabel, self._ui.cancelButton):
            widget.visible = is_busy
        self._ui.cancelButton.enabled = is_busy
        if self._began is not None:
            self._ui.elapsedLabel.text = _("{seconds:.0f} s").format(
                seconds=monotonic() - self._began
            )

    def changed(self, text):
        """Show what the last prompt changed."""
        self._ui.changeLabel.text = text
        self._ui.changeLabel.visible = bool(text)

    def _advance(self, fraction, format_):
        self._begin()
        self._ui.progressBar.format = format_
        self._ui.progressBar.setValue(round(100 * fraction))

    def _begin(self):
        if self._began is None:
            self._began = monotonic()

    def _show(self, sentence):
        label = self._ui.statusLabel
        label.text = sentence
        label.visible = bool(sentence)
        label.styleSheet = "color: #b00020; font-weight: bold;" if self._is_error else ""
