"""Progress, elapsed time, and one status line in plain words; a log keeps what it said."""

from time import monotonic, strftime

from slicer.i18n import tr as _


class StatusSection:
    """What goes on, and what happened last."""

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

    def tell(self, sentence):
        """Say something; the log keeps it."""
        self._is_error, self._notice = False, ""
        self._show(sentence)
        self.log(sentence)

    def warn(self, sentence, keep=False):
        """Say what went wrong and what to do; keep: also after the answer that follows."""
        self._is_error = True
        self._notice = sentence if keep else ""
        self._show(sentence)
        self.log(sentence)

    def done(self):
        """An answer was written; what happened on the way stays in sight."""
        if not self._is_error:
            self._show(" ".join(filter(None, (_("Done."), self._notice))))
        self._notice = ""

    def clear(self):
        """Begin anew, with another volume: what was said is of the past."""
        self._is_error, self._notice = False, ""
        self._show("")
        self.changed("")

    def log(self, sentence):
        """Keep a sentence in the log alone."""
        if sentence:
            self._ui.logView.appendPlainText(f"{strftime('%H:%M:%S')}  {sentence}")

    def progress(self, fraction, phrase):
        """How far the work is, 0 to 1."""
        self._advance(fraction, "%p%")
        self._is_error = False
        self._show(phrase[:1].upper() + phrase[1:])

    def measuring(self, fraction):
        """How far the comparison of the planes is; what was said of the answer stays in sight."""
        self._advance(fraction, _("Comparing the planes… %p%"))

    def busy(self, is_busy, phrase=""):
        """Show or hide progress and Cancel; elapsed time counts from the first busy moment.

        phrase: what to say then, where nothing else has been said yet.
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
        """What the last prompt changed."""
        self._ui.changeLabel.text = text
        self._ui.changeLabel.visible = bool(text)

    def _advance(self, fraction, words):
        self._begin()
        self._ui.progressBar.format = words
        self._ui.progressBar.setValue(round(100 * fraction))

    def _begin(self):
        if self._began is None:
            self._began = monotonic()

    def _show(self, sentence):
        label = self._ui.statusLabel
        label.text = sentence
        label.visible = bool(sentence)
        label.styleSheet = "color: #b00020; font-weight: bold;" if self._is_error else ""
