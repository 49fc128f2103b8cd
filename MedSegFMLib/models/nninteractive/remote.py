"""nnInteractive's session on a server, by its client, which needs no torch.

Whatever the client raises becomes one sentence. A connection that is lost is opened again by the
segmenter, which also makes the session's state again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelError
from ...system.foreign_errors import fault_of, predicting_errors
from ..common.quiet import quiet
from .folder import MODEL
from .upstream import ConnectionLost, UpstreamSession

_CLIENT = "nninteractive-client"
# A server without a GPU takes about a minute for each look of the network.
_PREDICTION_SECONDS = 1800.0
_MOST_CHARACTERS = 200


class RemoteHost:
    """Sessions on a server; at most one at a time.

    Args:
        server: its address, such as http://gpu-server:1527.
        key: its key; None for the one in the environment, if there is any.
        autozoom: as in `LocalHost`.

    Raises:
        ModelError: the address is none, or the server cannot be used.
    """

    def __init__(self, server: str, key: str | None, autozoom: bool) -> None:
        scheme, separator, place = server.partition("://")
        if scheme.lower() not in ("http", "https") or not separator or not place.strip("/"):
            raise ModelError(
                f"The server is '{server}'; give its address as server=http://HOST:PORT."
            )
        self._server, self._key, self._autozoom = server.rstrip("/"), key, autozoom
        self._session: Any = None
        self._connect()

    def show(self, image_kji: NDArray[Any]) -> UpstreamSession:
        """The session, with an image."""
        if self._session is None:
            self._connect()
        self._session.set_image(np.ascontiguousarray(image_kji)[None])
        return cast(UpstreamSession, self._session)

    @contextmanager
    def running(self) -> Iterator[None]:
        """The boundary around calls of the session."""
        with predicting_errors(MODEL), quiet(), self._answering():
            yield

    def close(self) -> None:
        """End the session, so that the server can give its place to others."""
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def _connect(self) -> None:
        from nnInteractive.inference.remote import nnInteractiveRemoteInferenceSession

        with self._answering():
            session = nnInteractiveRemoteInferenceSession(
                self._server, self._key, read_timeout=_PREDICTION_SECONDS
            )
            self._check_version(str(session.INFERENCE_SESSION_VERSION), session)
            if bool(session.do_autozoom) != self._autozoom:
                session.set_do_autozoom(self._autozoom)
        self._session = session

    def _check_version(self, theirs: str, session: Any) -> None:
        try:
            ours = version(_CLIENT)
        except PackageNotFoundError:
            ours = "unknown"
        if ours != theirs:
            session.close()
            raise ModelError(
                f"The nnInteractive server {self._server} has the version {theirs[:20]}, and "
                f"{_CLIENT} here has {ours}, but both must be the same; run: pip install "
                f"{_CLIENT}=={theirs[:20]}, or update the server."
            )

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Convert what the client raises.

        Raises:
            ConnectionLost: the server does not answer, or has ended the session.
            ModelError: it refuses.
        """
        import httpx
        from nnInteractive.inference.remote import ServerAtCapacityError, SessionExpiredError

        try:
            yield
        except SessionExpiredError as error:
            raise ConnectionLost(
                f"The nnInteractive server {self._server} has ended the session; try again, or "
                "start it with a longer --idle-timeout-seconds."
            ) from error
        except ServerAtCapacityError as error:
            raise ModelError(
                f"All sessions of the nnInteractive server {self._server} are in use; try again "
                "when another user has finished, or start it with a higher --max-sessions."
            ) from error
        except (httpx.ReadTimeout, httpx.WriteTimeout) as error:
            raise ModelError(
                f"The nnInteractive server {self._server} has not answered in time "
                f"({fault_of(error)}); look at what it is busy with, and try again."
            ) from error
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise ConnectionLost(
                f"The nnInteractive server {self._server} cannot be reached ({fault_of(error)}); "
                "check that it runs and that the address is right, then go on: your prompts are "
                "kept."
            ) from error
        except httpx.HTTPStatusError as error:
            raise self._refusal(error.response) from error
        except (KeyError, ValueError) as error:
            # Its answers are JSON and packed arrays.
            raise ModelError(
                f"{self._server} does not answer as an nnInteractive server ({fault_of(error)}); "
                "check the address."
            ) from error

    def _refusal(self, response: Any) -> ModelError:
        """The error for an answer with a status that means failure."""
        status = int(response.status_code)
        if status in (401, 403):
            given = "the given key" if self._key else "a request without a key"
            return ModelError(
                f"The nnInteractive server {self._server} refuses {given}; give its key as "
                "key=KEY or in NN_INTERACTIVE_API_KEY."
            )
        if status == 404:
            return ModelError(f"{self._server} is no nnInteractive server; check the address.")
        text = " ".join(response.text.split())[:_MOST_CHARACTERS].rstrip(".")
        return ModelError(
            f"The nnInteractive server {self._server} failed with the status {status}"
            f"{f' ({text})' if text else ''}; its log says why."
        )
