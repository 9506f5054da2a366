"""What a caller may say of a deployment beside its path, and the request that comes of it.

Invariant: values only; nothing is looked for here and nothing is started.
"""

from collections.abc import Callable, Iterable
from os import PathLike
from pathlib import Path
from typing import Final, Literal, TypedDict

from wfctl.check.closest import closest
from wfctl.errors import UnsupportedError
from wfctl.service.origins import Terms, is_url
from wfctl.service.prepare import Request
from wfctl.store.allow import parse_allowed
from wfctl.store.policy import FetchPolicy, Progress


class Options(TypedDict, total=False):
    """The keyword arguments of ``open_deployment``; none has to be given."""

    handler: str | PathLike[str] | None
    """The handler file, where it does not lie beside the spec."""
    model_store: str | PathLike[str] | None
    """A further folder to look for models in."""
    workflow_store: str | PathLike[str] | None
    """A folder of archives; a path that is a bare name and is not here is looked for there."""
    until: str | None
    """Answer with the output of this node: only it and what feeds into it is loaded."""
    startup_timeout_s: float
    """Seconds for loading one worker, 120 by default; the ``startupTimeout`` of an archive beats it."""
    install_requirements: bool
    """Have pip install what archives require and this environment lacks, each for its own node only."""
    service_envelope: str | None
    """An envelope around every model, as TorchServe's server setting of that name: ``body``, ``json``, ``kserve``,
    ``kservev2``, or a module with a class for it. An envelope that a manifest names has no effect, as there."""
    limit_max_image_pixels: bool
    """``False`` lets handlers of pictures open one of very many pixels, as TorchServe's server setting of that name."""
    ts: Literal["own", "real"]
    """``real`` lets handlers that ``import ts`` find an installed TorchServe instead of our modules of that name."""
    allowed_urls: Iterable[str]
    """What may be fetched, nothing by default: beginnings of urls (``https://host/folder/``), hosts, or ``re:`` and a
    regular expression."""
    trust: bool
    """Run also what was fetched and is pinned by no digest."""
    sha256: str | None
    """The digest that the workflow's archive must have; ``url#sha256=...`` says the same."""
    cache: str | PathLike[str] | None
    """A folder that keeps pinned archives between runs."""
    on_fetch: Callable[[Progress], None] | None
    """Called with the progress of downloads, in another thread."""


_SWITCHES: Final = ("install_requirements", "limit_max_image_pixels", "trust")


def request_for(path: str | PathLike[str], options: Options) -> Request:
    """Return what is to be opened; raises ``FetchError`` for a pattern that says nothing, or ``UnsupportedError``.

    ``TypeError`` for a keyword argument that there is not, or a switch that is neither true nor false: nobody may
    believe that something is pinned or forbidden when it is not.
    """
    _judge(options)
    policy = FetchPolicy(
        allowed=parse_allowed(options.get("allowed_urls", ())),
        cache=_path(options.get("cache")),
        on_progress=options.get("on_fetch"),
    )
    terms = Terms(
        policy=policy,
        is_trusted=options.get("trust", False),
        sha256=options.get("sha256"),
        workflow_store=_path(options.get("workflow_store")),
    )
    return Request(
        path=path if isinstance(path, str) and is_url(path) else Path(path),
        handler=_path(options.get("handler")),
        model_store=_path(options.get("model_store")),
        until=options.get("until"),
        startup_timeout_s=options.get("startup_timeout_s", 120.0),
        install_requirements=options.get("install_requirements", False),
        uses_real_ts=_is_real(options.get("ts", "own")),
        service_envelope=options.get("service_envelope"),
        limit_max_image_pixels=options.get("limit_max_image_pixels", True),
        terms=terms,
    )


def _judge(options: Options) -> None:
    for name, value in options.items():
        if name not in Options.__annotations__:
            close = closest(name, list(Options.__annotations__), count=1)
            meant = f'; did you mean "{close[0]}"?' if close else ""
            raise TypeError(f'open_deployment() got an unexpected keyword argument "{name}"{meant}')
        if name in _SWITCHES and not isinstance(value, bool):
            raise TypeError(f"{name} is True or False, and not {value!r}")


def _is_real(ts: str) -> bool:
    if ts not in {"own", "real"}:
        raise UnsupportedError(f'ts is "own" or "real", and not "{ts}"')
    return ts == "real"


def _path(value: str | PathLike[str] | None) -> Path | None:
    return None if value is None else Path(value)
