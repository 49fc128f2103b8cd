"""Weights that a user downloads or imports: started, followed and stopped; one at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from ..errors import Cancelled, WeightsError
from ..models.importing import completed, import_weights
from ..progress import Progress
from ..segmenter import ModelCard
from ..weights.download import Download
from ..weights.download import Installing as BackgroundInstalling
from ..worker.trial_process import ProcessTrial
from .words.model_messages import downloaded
from .words.translation import tr as _
from .words.update_messages import Status


class Installing:
    """Installs weights in the background; `pump` shows how far it is.

    Args:
        status: Shows progress and the end.
        changed: Called when an installation has ended, whether it succeeded or not.

    Attributes:
        make_trial: Makes the trial of new weights before they are installed, from the options that
            they need.
    """

    def __init__(self, status: Status, changed: Callable[[], None]) -> None:
        self._status, self._changed = status, changed
        self._work: BackgroundInstalling | None = None
        self._trial: ProcessTrial | None = None
        self._then: Callable[[str], None] | None = None
        self.make_trial: Callable[[Mapping[str, str]], ProcessTrial] = _process_trial

    @property
    def is_busy(self) -> bool:
        """Whether weights are being downloaded or imported."""
        return self._work is not None

    def download(self, card: ModelCard) -> None:
        """Download the weights of a model, whose licence the user has accepted if it asks for that.

        Raises:
            WeightsError: The model needs none, or others are being installed.
        """
        if card.weights is None:
            raise WeightsError(f"{card.title} needs no weights; use it as it is.")
        self._check_idle()
        self._trial = trial = self.make_trial({})
        self._then = lambda left_out: self._status.inform(downloaded(left_out))
        self._work = Download(card.weights, accept_licence=True, trial=trial)

    def import_file(
        self,
        name: str,
        path: Path | str,
        then: Callable[[str], None],
        options: Mapping[str, str] | None = None,
    ) -> None:
        """Try weights, and import them.

        Args:
            name: The name of the weights.
            path: Their file or folder.
            then: Called after that, with a sentence on what of the trial was left out, or "".
            options: Options to record, which hold whenever these weights are used.

        Raises:
            WeightsError: Others are being installed, or what an option names is missing.
        """
        self._check_idle()
        recorded = completed(name, Path(path), options or {})
        trial = self.make_trial(recorded)
        self._trial, self._then = trial, then

        def install(progress: Progress) -> Path:
            return import_weights(name, path, recorded, trial, progress)

        self._work = BackgroundInstalling(name, install, "import")

    def cancel(self) -> None:
        """Stop a download, which can be resumed later, or an import."""
        if self._work is not None:
            self._work.cancel()

    def pump(self) -> None:
        """Show progress or the end; call it from a timer on the main thread."""
        work, trial, then = self._work, self._trial, self._then
        if work is None or trial is None or then is None:
            return
        if not work.done:
            is_download = isinstance(work, Download)
            phrase = _("downloading weights") if is_download else _("checking the weights")
            self._status.progress(work.fraction, phrase)
            return
        self._work = None
        if isinstance(work.error, Cancelled):
            self._status.inform(str(work.error))
        elif work.error is not None:
            self._status.warn(str(work.error))
        else:
            then(trial.left_out)
        self._changed()

    def _check_idle(self) -> None:
        if self.is_busy:
            raise WeightsError(
                _("Weights are being installed already; wait until that is done, or cancel it.")
            )


def _process_trial(options: Mapping[str, str]) -> ProcessTrial:
    return ProcessTrial(options=options)
