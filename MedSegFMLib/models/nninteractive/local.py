"""nnInteractive's own inference session in this process, around a network that is loaded here.

The package would unpickle the checkpoint; it gets the network, the patch and what the folder says
about prompts instead, by the same entry that its server uses for further sessions.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from ...system.foreign_errors import check_finite_output, predicting_errors
from ...weights.layout import check_layout
from ..common.configuration_errors import configuration_errors
from ..common.quiet import quiet
from ..common.setting_rules import check_parameters
from ..common.state_dict import check_finite
from .folder import ADVICE, MODEL, Published
from .upstream import UpstreamSession

if TYPE_CHECKING:
    import torch

# Background and object, whatever the labels of the training's data set.
_CLASSES = 2


class LocalHost:
    """Sessions in this process.

    Args:
        published: the content of the folder.
        device: where the network runs.
        autozoom: whether a session looks at a larger region if the mask reaches the border of what
            it sees.
    """

    def __init__(self, published: Published, device: torch.device, autozoom: bool) -> None:
        self._published = published
        with (
            quiet(),
            configuration_errors(MODEL, published.path, "nnInteractive's training writes", ADVICE),
        ):
            self._session = _session(_artifacts(published, device), device, autozoom)

    def show(self, image_kji: NDArray[Any]) -> UpstreamSession:
        """A session with an image."""
        session = self._session
        # The session's own choice, which it would print.
        is_small = image_kji.size <= session.AUTO_TENSOR_MAX_VOXELS
        session.interactions_storage = "tensor" if is_small else "blosc2"
        session.set_image(image_kji[None])
        # In its thread; otherwise the image of the next volume would meet that of this one.
        session.preprocess_future.result()
        return cast(UpstreamSession, session)

    @contextmanager
    def running(self) -> Iterator[None]:
        """The boundary around calls of a session."""
        with (
            predicting_errors(MODEL, self._published.path),
            quiet(),
            _same_random_numbers(),
            _autotuned(),
        ):
            yield

    def close(self) -> None:
        """Do nothing: the session is kept for the next image."""


def _session(artifacts: dict[str, Any], device: torch.device, autozoom: bool) -> Any:
    import torch
    from nnInteractive.inference.inference_session import nnInteractiveInferenceSession

    with _autotuned():
        session = nnInteractiveInferenceSession(
            device=device,
            use_torch_compile=False,
            # Whatever is given is set for all of torch.
            torch_n_threads=torch.get_num_threads(),
            do_autozoom=autozoom,
            enable_undo=False,
        )
    session.initialize_from_loaded_artifacts(artifacts)
    return session


def _artifacts(published: Published, device: torch.device) -> dict[str, Any]:
    """All that sessions of the package share, as its loading makes it, with a checked network."""
    import torch
    from nnInteractive.interaction.point import PointInteraction_stub
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    plans = PlansManager(
        {"configurations": {published.configuration: deepcopy(dict(published.network))}}
    )
    configuration = plans.get_configuration(published.configuration)
    with torch.device("meta"):
        described = _network(published, plans, configuration).state_dict()
    expected = {name: tuple(tensor.shape) for name, tensor in described.items()}
    check_parameters(expected.values(), "the network")
    found = {name: tuple(tensor.shape) for name, tensor in published.tensors.items()}
    check_layout(found, expected, published.path, "its plans describe", ADVICE)
    check_finite(published.tensors, published.path)
    network = _network(published, plans, configuration)
    network.load_state_dict(dict(published.tensors))
    network.register_forward_hook(_check_output)
    return {
        "capability_content": dict(published.prompts),
        "point_interaction": PointInteraction_stub(published.point_radius, True),
        "preferred_scribble_thickness": list(published.scribble_thickness),
        "interaction_decay": published.interaction_decay,
        "pad_mode_data": "constant",
        "network": network.requires_grad_(False).eval().to(device),
        "plans_manager": plans,
        "configuration_manager": configuration,
        # Only training and the session's own loading use these.
        "dataset_json": {},
        "trainer_name": "nnInteractiveTrainer_stub",
        "label_manager": None,
        "license": None,
    }


def _network(published: Published, plans: Any, configuration: Any) -> torch.nn.Module:
    """A network with new weights, of the image and the channels of interactions."""
    from nnInteractive.trainer.nnInteractiveTrainer import nnInteractiveTrainer_stub

    network: torch.nn.Module = nnInteractiveTrainer_stub.build_network_architecture(
        plans,
        configuration,
        1 + _interaction_channels(published),
        _CLASSES,
        enable_deep_supervision=False,
    )
    return network


def _check_output(network: torch.nn.Module, inputs: object, scores: torch.Tensor) -> None:
    """Raise ModelError for NaN and infinity, which the session's comparison would hide."""
    least, most = scores.aminmax()
    check_finite_output(np.array([float(least), float(most)]), MODEL)


def _interaction_channels(published: Published) -> int:
    """How many channels a session's interactions have, as it counts them."""
    from nnInteractive.inference.inference_session import nnInteractiveInferenceSession

    counting = object.__new__(nnInteractiveInferenceSession)
    counting._apply_capability(dict(published.prompts))
    return int(counting.num_interaction_channels)


@contextmanager
def _same_random_numbers() -> Iterator[None]:
    """The session's last resort for covering a large change is random; let it always be alike."""
    state = np.random.get_state()
    np.random.seed(0)
    try:
        yield
    finally:
        np.random.set_state(state)


@contextmanager
def _autotuned() -> Iterator[None]:
    """cuDNN's tuning, which a session switches on for all of torch, limited to the block."""
    import torch

    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before
