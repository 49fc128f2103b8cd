"""Installed packages, and the installation of missing ones when the user clicks.

Everything here runs on the main thread: pip in another thread crashes Slicer.
"""

import platform
import threading
from importlib.util import find_spec
from subprocess import CalledProcessError

from slicer.i18n import tr as _

from MedSegFMLib.errors import ModelError
from MedSegFMLib.registry import card as card_of
from MedSegFMLib.registry import missing_packages

from .constraints import held_for_all_pips, held_packages

# What runs a network: two are light, the last comes with the extension PyTorch.
RUNTIMES = ("openvino", "onnxruntime", "torch")
# What the extension PyTorch installs, in builds that fit each other.
_PYTORCH = frozenset({"torch", "torchvision"})
_NEEDS_NOTHING = "randomwalk"
_FAILED = _(
    "The installation failed ({reason}); check the network connection and click Install again, or "
    "use the model {model}, which needs no packages. Slicer's log has the details."
)


class Installation:
    """The packages of MedSegFM in this Python.

    Args:
        light_path: The requirements of the shipped models.
        model_path: The requirements of the models that use PyTorch.
    """

    def __init__(self, light_path, model_path):
        self._light_path = light_path
        self._model_path = model_path
        # Slicer sees some packages only after a restart; they are not asked for again before.
        self._torch_was_installed = False
        self._is_installing = False
        # Whether a light requirement is missing; None if that is not known. Looking takes
        # milliseconds on the main thread.
        self._lacks_light = None

    def look_again(self):
        """Look at the packages again when they are asked for next."""
        self._lacks_light = None

    def needs_light(self):
        """Whether one of the light requirements is missing or too old."""
        import slicer.packaging

        if self._lacks_light is None:
            wanted = slicer.packaging.load_requirements(self._light_path)
            self._lacks_light = not slicer.packaging.pip_check(wanted)
        return self._lacks_light

    def needs_torch(self, card):
        """Whether a model needs PyTorch, of which a part is not installed."""
        return not _PYTORCH.isdisjoint(missing_packages(card))

    def can_install(self, card):
        """Whether Install can make a model run that lacks packages, now or after a restart."""
        return not (self.needs_restart(card) or (self.needs_torch(card) and _lacks_torch()))

    def needs_restart(self, card):
        """Whether PyTorch was installed and is available only after a restart."""
        return self._torch_was_installed and self.needs_torch(card)

    def has_all(self, card):
        """Whether all packages are installed that a model cannot run without."""
        if missing_packages(card):
            return False
        # A network needs one of those that run it.
        return card.weights is None or any(map(find_spec, RUNTIMES))

    def explain(self, card):
        """A sentence about missing packages; "" if the model can run."""
        missing = missing_packages(card)
        if self.needs_restart(card):
            return _("PyTorch is installed; restart Slicer, then {title} is ready.").format(
                title=card.title
            )
        if self.needs_torch(card) and _lacks_torch():
            return _no_torch(card)
        if "torch" in missing:
            return _(
                "{title} needs PyTorch (about 1 to 3 GB), which the extension PyTorch installs; "
                "the other models work without it."
            ).format(title=card.title)
        if "torchvision" in missing:
            return _(
                "{title} needs the torchvision that fits your PyTorch, which the extension PyTorch "
                "installs; the other models work without it."
            ).format(title=card.title)
        if self.needs_light():
            return _(
                "MedSegFM runs its networks with a few small packages (about 80 MB), which are not "
                "installed yet."
            )
        if missing:
            return _("{title} needs {packages}, which Install gets.").format(
                title=card.title, packages=", ".join(missing)
            )
        return ""

    def install(self, card):
        """Install the packages that a model needs, with Slicer's own questions and progress.

        Slicer handles clicks meanwhile, so that this can be called again before it returns.

        Raises:
            ModelError: If the user declines, an installation fails or is going on, or the extension
                PyTorch is missing.
        """
        if self._is_installing:
            raise ModelError(_("Packages are being installed; wait until that has ended."))
        self._is_installing = True
        try:
            self._install(card)
        finally:
            self._is_installing = False
            self.look_again()

    def _install(self, card):
        if threading.current_thread() is not threading.main_thread():
            raise ModelError("Packages are installed on the main thread alone; click Install.")
        import slicer.packaging

        if self.needs_torch(card) and _lacks_torch():
            raise ModelError(_no_torch(card))
        if self.needs_light():
            _ensure(slicer.packaging.load_requirements(self._light_path))
        if self.needs_torch(card) and not self._torch_was_installed:
            self._install_torch()
        others = {name.replace("_", "-") for name in missing_packages(card)} - _PYTORCH
        wanted = [
            requirement
            for requirement in slicer.packaging.load_requirements(self._model_path)
            if requirement.name in others
        ]
        if wanted:
            _ensure(wanted)

    def _install_torch(self):
        try:
            import PyTorchUtils
        except ImportError as error:
            raise ModelError(
                _(
                    "This model needs the extension PyTorch, which is not installed; install it in "
                    "the Extensions Manager, restart Slicer and choose the model again."
                )
            ) from error
        try:
            with held_for_all_pips():
                torch = PyTorchUtils.PyTorchUtilsLogic().installTorch(askConfirmation=True)
        except (RuntimeError, ValueError, CalledProcessError) as error:
            raise ModelError(_failed(error)) from error
        if torch is None:
            raise ModelError(
                _("PyTorch was not installed; click Install to try again, or use another model.")
            )
        self._torch_was_installed = True


def _ensure(requirements):
    """Run Slicer's own installation, with everything that is installed held in its version."""
    import slicer.packaging

    check = slicer.packaging.pip_check
    too_old = [requirement.name for requirement in requirements if not check(requirement)]
    try:
        with held_packages(too_old) as constraints:
            slicer.packaging.pip_ensure(requirements, constraints=constraints, requester="MedSegFM")
    except RuntimeError as error:
        raise ModelError(
            _("Nothing was installed; click Install to try again, or use another model.")
        ) from error
    except CalledProcessError as error:
        raise ModelError(_failed(error)) from error


def _lacks_torch():
    """Whether there is no PyTorch for this computer that the models run with."""
    return platform.system() == "Darwin" and platform.machine() == "x86_64"


def _no_torch(card):
    return _(
        "{title} needs PyTorch 2.9 or later, of which there is none for Slicer on macOS (Intel or "
        "Rosetta: the last is 2.2); use {ensam} or {model} instead."
    ).format(title=card.title, ensam=card_of("ensam").title, model=card_of(_NEEDS_NOTHING).title)


def _failed(error):
    return _FAILED.format(reason=_reason(error), model=card_of(_NEEDS_NOTHING).title)


def _reason(error):
    if isinstance(error, CalledProcessError):
        return _("pip ended with code {code}").format(code=error.returncode)
    return str(error)
