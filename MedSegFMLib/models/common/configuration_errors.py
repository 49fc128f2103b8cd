"""The boundary while a foreign configuration is read and its network is built."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...errors import MedSegFMError, WeightsError
from ...system.foreign_errors import fault_of, loading_errors
from .setting_rules import SettingFault

# What a missing entry, or one of another type, raises.
_LACKING = (KeyError, IndexError, TypeError, ValueError, AttributeError, StopIteration)


@contextmanager
def configuration_errors(
    model: str, path: Path, needs: str, advice: str, verdict: str = "cannot be used"
) -> Iterator[None]:
    """Convert whatever the block raises to an error that names the file and the fault.

    Args:
        model: The name of the model.
        path: The file or folder of the configuration.
        needs: Who needs the entries of a configuration, such as "nnU-Net writes".
        advice: The way out.
        verdict: What a file is with a setting that breaks a rule.

    Raises:
        WeightsError: If the block raises anything but a named error.
        DeviceError: If the memory is exhausted.
    """
    with loading_errors(model, path, advice):
        try:
            yield
        except MedSegFMError:
            raise
        except SettingFault as error:
            raise WeightsError(f"{path} {verdict}: {error}; {advice}.") from error
        except _LACKING as error:
            raise WeightsError(
                f"{path} lacks an entry that {needs} ({fault_of(error)}); {advice}."
            ) from error
