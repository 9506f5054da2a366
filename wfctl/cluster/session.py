"""The Ray that this process is connected to: started here or joined, for as long as some deployment needs it.

A process has one Ray, so the count of those who need it is one for the process too.
Invariant: what was started here is ended here; a Ray that was there before, and what else it serves, stays as it is.
"""

import logging
import os
import socket
import sys
import threading
from contextlib import suppress
from typing import Final

import ray
from ray import serve
from ray.serve.schema import LoggingConfig
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from wfctl.cluster.printed import Printed
from wfctl.cluster.signals import sigterm_kept
from wfctl.errors import UnsupportedError, WfctlError, WorkerError

QUIET: Final = LoggingConfig(log_level="ERROR", enable_access_log=False)
_CONNECT_S: Final = 5.0
_NOBODY: Final = "start one with `ray start --head`, or leave --ray-address away to have a Ray started here"


class RayFailedError(WorkerError):
    """Ray could not be started or joined."""

    code = "ray-failed"


class RaySession:
    """Counts who needs Ray: the first connects, the last one disconnects. Its methods block and are for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._is_ours = self._started_serve = self._serves = False
        self._address: str | None = None
        self.printed = Printed()
        self.building = threading.Lock()
        """Held while an application is made: Serve's own code for it is not for two threads."""

    def enter(self, address: str | None) -> None:
        """Have Ray and Serve run; raises ``RayFailedError``."""
        with self._lock:
            if not self._users:
                self._begin(address)
            elif address is not None and address != self._address:
                raise RayFailedError(f'this process is connected to the Ray at "{self._address or "this machine"}"')
            self._users += 1

    def leave(self) -> None:
        """Need it no longer."""
        with self._lock:
            self._users -= 1
            if not self._users:
                self._end()

    @property
    def is_joined(self) -> bool:
        """Whether it is somebody's cluster, and not one that was started here."""
        return not self._is_ours or self._address is not None

    def _begin(self, address: str | None) -> None:
        try:
            self._is_ours = not ray.is_initialized()
            if self._is_ours:
                _connect(address)
            else:
                _expect_connected_to(address)
            self._address = address
            self.printed.take_over()
        except WfctlError:
            raise
        except Exception as error:
            with suppress(Exception):
                self._end()
            where = f'the Ray at "{address}" cannot be joined' if address else "Ray cannot be started"
            raise RayFailedError(f"{where}: {_first_line(error)}", hint=_key_hint() if address else None) from error

    def start_serve(self) -> None:
        """Have Serve run, without an HTTP proxy of its own; who asks first starts it."""
        with self.building:
            if not self._serves:
                self._started_serve = not _has_serve()
                serve.start(proxy_location="Disabled", logging_config=QUIET)
                self._serves = True

    def _end(self) -> None:
        self.printed.give_back()
        ends_serve, is_ours = self._started_serve and self.is_joined, self._is_ours
        self._serves = self._started_serve = self._is_ours = False
        try:
            if ends_serve and not serve.status().applications:
                serve.shutdown()
        finally:
            if is_ours:
                ray.shutdown()


SESSION: Final = RaySession()


def here() -> NodeAffinitySchedulingStrategy:
    """Return how to have something placed on the machine of this process."""
    return NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)


def _has_serve() -> bool:
    try:
        ray.get_actor("SERVE_CONTROLLER_ACTOR", namespace="serve")
    except ValueError:
        return False
    return True


def _expect_connected_to(address: str | None) -> None:
    if address not in {None, "auto", ray.get_runtime_context().gcs_address}:
        raise RayFailedError("this process is connected to another Ray already")


def _connect(address: str | None) -> None:
    if sys.platform != "linux":
        raise UnsupportedError("--engine ray runs on Linux")
    if address is not None:
        _expect_listening(address)
    # What Serve says of itself belongs into its logs; this process would print it.
    logging.getLogger("ray.serve").setLevel(logging.ERROR)
    # A replica without a GPU of its own shall see the machine's as little as one with another one.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "1")
    local = {"include_dashboard": False} if address is None else {}
    with sigterm_kept():
        ray.init(address=address or "local", logging_level=logging.ERROR, **local)


def _expect_listening(address: str) -> None:
    """Raise ``RayFailedError`` where nobody listens: Ray itself would try for many minutes."""
    if address == "auto":
        return  # finds a Ray of this machine, or says at once that there is none
    host, _, port = address.rpartition(":")
    if "://" in address or not host or not port.isdigit():
        raise UnsupportedError(f'"{address}" is no address of a Ray: it is "auto" or HOST:PORT, as in 10.0.0.1:6379')
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_S).close()
    except (OSError, OverflowError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise RayFailedError(f'no Ray is at "{address}": {reason}', hint=_NOBODY) from error


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _key_hint() -> str | None:
    if "RAY_AUTH_MODE" in os.environ:
        return "is RAY_AUTH_TOKEN (or ~/.ray/auth_token) the token of that cluster?"
    return "if the cluster wants a token: RAY_AUTH_MODE=token, and the token in RAY_AUTH_TOKEN or ~/.ray/auth_token"
