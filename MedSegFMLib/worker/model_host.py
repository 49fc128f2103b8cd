"""The state of a worker between requests: the loaded model and its session with the volume."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping

from ..consistency import PlaneViews, measure
from ..consistency.asking import asking
from ..consistency.lower_bound import (
    Calibration,
    LowerBound,
    calibration_of,
    evidence,
    lower_bound,
)
from ..errors import MedSegFMError, ModelError
from ..progress import Progress
from ..registry import create
from ..segmenter import Prediction, Segmenter
from ..session.session import Session
from ..system.device import is_gpu_out_of_memory, release_gpu_memory
from ..volumes.volume import Volume
from .answer import make_answer
from .cost_meter import CostMeter
from .events import Answer, Cost, Request
from .frames import to_json

_Key = tuple[str, str, str]
_Opened = Callable[[Segmenter], None]


def _ignore_model(model: Segmenter) -> None:
    """Ignore a loaded model."""


def _ignore_note(sentence: str) -> None:
    """Ignore a note."""


class ModelHost:
    """One model and one volume at a time; the session's caches make repeated requests cheap."""

    def __init__(self) -> None:
        self._volume: Volume | None = None
        self._key: _Key | None = None
        self._segmenter: Segmenter | None = None
        self._calibration: Calibration | None = None
        self._session: Session | None = None
        self._asks = False
        self._views: PlaneViews | None = None
        self._note = ""
        self._tell: Callable[[str], None] = _ignore_note

    def put(self, volume: Volume | None) -> None:
        """Replace the volume, or remove it; the model stays."""
        self._session = self._views = None
        self._volume = volume
        if self._note:
            self._drop()

    def continues(self, request: Request, later: Request) -> bool:
        """Whether the work for `request` is also needed for `later`, once it has begun.

        That is so if the later request only appends prompts and the model continues from each
        answer. A measurement of consistency is of no use to later requests.
        """
        if request.consistency or self._segmenter is None or not self._segmenter.card.uses_previous:
            return False
        entries = request.prompts.entries
        return _key(request) == _key(later) and later.prompts.entries[: len(entries)] == entries

    def predict(
        self,
        request: Request,
        progress: Progress,
        note: Callable[[str], None],
        opened: _Opened = _ignore_model,
    ) -> tuple[Mapping[int, Answer], Cost]:
        """The answers for all objects of a request, and their cost.

        If the GPU's memory is full, also for a smaller region around the prompts, the CPU takes
        over until another model or volume is requested.

        Args:
            request: the request.
            progress: reports progress.
            note: called with each request that runs on the CPU for that reason, if a region is made
                smaller before, and with the images of the volume that a model does not use.
            opened: called with each model that is loaded.

        Raises:
            MedSegFMError: as models and sessions.
        """
        self._tell = note
        try:
            if self._took_cpu(request):
                note(self._note)
            return self._answers(request, request.device, progress, note, opened)
        except RuntimeError as error:
            at_end = request.device == "cpu" or self._took_cpu(request)
            if at_end or not is_gpu_out_of_memory(error):
                raise
        # Outside the handler, because its error refers to the GPU's memory.
        self._drop()
        self._note = (
            f"The GPU has no memory left for the model {request.model}, so it runs on the CPU, "
            "more slowly; draw a smaller box or close other programs that use the GPU."
        )
        note(self._note)
        return self._answers(request, "cpu", progress, note, opened)

    def _tell_note(self, sentence: str) -> None:
        """Pass a note of the session to the request that it works on."""
        self._tell(sentence)

    def _took_cpu(self, request: Request) -> bool:
        """Whether the loaded model is the requested one, but on the CPU."""
        return bool(self._note) and self._key == _key(request)

    def _answers(
        self,
        request: Request,
        device: str,
        progress: Progress,
        note: Callable[[str], None],
        opened: _Opened,
    ) -> tuple[Mapping[int, Answer], Cost]:
        if self._volume is None:
            raise ModelError("There is no volume to segment; load one first.")
        if request.clear_cache or request.asks != self._asks:
            self._session = self._views = None
            self._asks = request.asks
        if self._key != _key(request):
            kept_note = self._note if device != request.device else ""
            # The old model is released before the new one is loaded: both may not fit.
            self._drop()
            self._note = kept_note
        meter = CostMeter()
        if self._segmenter is None:
            progress(0.0, "Loading the model")
            self._segmenter = _load(request, device)
            self._calibration = calibration_of(request.model, request.options)
            self._key = _key(request)
            meter.loaded()
            opened(self._asked(self._segmenter))
        if self._session is None:
            asked = self._asked(self._segmenter)
            self._session = Session(asked, self._volume, note=self._tell_note)
            if self._session.unused_images:
                note(self._session.unused_images)
        # Each request contains all its prompts; their history is kept by the client.
        self._session.change(request.prompts)
        if not request.consistency:
            predictions = self._session.predict_all(progress)
            answers = {
                label: make_answer(prediction, None, self._bound(request, label, prediction))
                for label, prediction in predictions.items()
            }
            return answers, meter.cost()
        self._views = self._views or PlaneViews(self._session)
        predictions = self._views.predict_all(progress)
        progress(1.0, "Comparing the planes")
        answers = {
            label: make_answer(
                prediction,
                measure(prediction, request.prompts.steps(label)[-1]),
                self._bound(request, label, prediction),
            )
            for label, prediction in predictions.items()
        }
        return answers, meter.cost()

    def _asked(self, segmenter: Segmenter) -> Segmenter:
        """The model as the present request uses it."""
        return asking(segmenter) if self._asks else segmenter

    def _bound(self, request: Request, label: int, prediction: Prediction) -> LowerBound | None:
        if self._calibration is None:
            return None
        own = request.prompts.own(label)
        return lower_bound(self._calibration, evidence(prediction, own))

    def _drop(self) -> None:
        self._key = self._segmenter = self._calibration = self._session = self._views = None
        self._note = ""
        gc.collect()
        release_gpu_memory()


def _key(request: Request) -> _Key:
    return request.model, request.device, to_json(dict(request.options))


def _load(request: Request, device: str) -> Segmenter:
    try:
        return create(request.model, device, **request.options)
    except MedSegFMError:
        raise
    except (ImportError, OSError, TypeError) as error:
        raise ModelError(
            f"The model {request.model} cannot be loaded ({error}); check its options and that its "
            "packages are completely installed."
        ) from error
