"""Which endpoint a request is for.

Pure: a table of patterns, and how one is chosen. Invariant: a path has one meaning, whatever the method: the method is
looked at once the path is known, so that a wrong one is told (405) and by which right ones.
"""

from dataclasses import dataclass
from enum import Enum, auto

from wfctl.web.wire.targets import Target


class Api(Enum):
    """A part of the interface, with addresses and keys of its own."""

    INFERENCE = "inference"
    MANAGEMENT = "management"
    METRICS = "metrics"
    PAGE = "page"
    """At management's address and without a key: the files of the status page, which hold no data."""
    OPEN = "open"
    """Needs no key: what describes the interface."""


class Endpoint(Enum):
    """What can be asked."""

    API_DESCRIPTION = auto()
    PING = auto()
    WORKFLOW_PREDICT = auto()
    PREDICTIONS = auto()
    EXPLANATIONS = auto()
    SERVER_METADATA = auto()
    SERVER_LIVE = auto()
    SERVER_READY = auto()
    MODEL_METADATA = auto()
    MODEL_READY = auto()
    MODEL_INFER = auto()
    V1_MODEL = auto()
    V1_PREDICT = auto()
    WORKFLOWS = auto()
    WORKFLOW = auto()
    WORKFLOW_VERSION = auto()
    WORKFLOW_DEFAULT = auto()
    WORKFLOW_NODE = auto()
    MODELS = auto()
    MODEL = auto()
    MODEL_DEFAULT = auto()
    TOKEN = auto()
    STATUS_PAGE = auto()
    STATUS_FILE = auto()
    STATUS_DATA = auto()
    STATUS_DRAWING = auto()
    STATUS_TRY = auto()
    METRICS = auto()


@dataclass(frozen=True, slots=True)
class Route:
    """One pattern of paths."""

    pattern: str
    """Segments: ``{name}`` is any one, ``{name...}`` any number at the end, ``{name}:word`` one that ends so."""
    endpoint: Endpoint
    api: Api
    methods: frozenset[str] | None
    """``None`` for any."""


_GET = frozenset({"GET", "HEAD"})
_POST = frozenset({"POST"})
_ANY = None
_NEVER = frozenset({"CONNECT", "TRACE"})
"""What a route for any method does not mean: a tunnel, and an echo of what was sent."""
_USUAL = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})

ROUTES: tuple[Route, ...] = (
    Route("", Endpoint.API_DESCRIPTION, Api.OPEN, frozenset({"OPTIONS"})),
    Route("*", Endpoint.API_DESCRIPTION, Api.OPEN, frozenset({"OPTIONS"})),
    Route("api-description", Endpoint.API_DESCRIPTION, Api.OPEN, _GET),
    Route("ping", Endpoint.PING, Api.INFERENCE, _GET),
    Route("wfpredict/{workflow}", Endpoint.WORKFLOW_PREDICT, Api.INFERENCE, _ANY),
    Route("wfpredict/{workflow}/{version}", Endpoint.WORKFLOW_PREDICT, Api.INFERENCE, _ANY),
    Route("wfpredict/{workflow}/{version}/{rest...}", Endpoint.WORKFLOW_PREDICT, Api.INFERENCE, _ANY),
    Route("predictions/{model}", Endpoint.PREDICTIONS, Api.INFERENCE, _ANY),
    Route("predictions/{model}/{version}", Endpoint.PREDICTIONS, Api.INFERENCE, _ANY),
    Route("predictions/{model}/{version}/{rest...}", Endpoint.PREDICTIONS, Api.INFERENCE, _ANY),
    Route("explanations/{model}", Endpoint.EXPLANATIONS, Api.INFERENCE, _ANY),
    Route("explanations/{model}/{version}", Endpoint.EXPLANATIONS, Api.INFERENCE, _ANY),
    Route("v2", Endpoint.SERVER_METADATA, Api.INFERENCE, _GET),
    Route("v2/health/live", Endpoint.SERVER_LIVE, Api.INFERENCE, _GET),
    Route("v2/health/ready", Endpoint.SERVER_READY, Api.INFERENCE, _GET),
    Route("v2/models/{workflow}", Endpoint.MODEL_METADATA, Api.INFERENCE, _GET),
    Route("v2/models/{workflow}/versions/{version}", Endpoint.MODEL_METADATA, Api.INFERENCE, _GET),
    Route("v2/models/{workflow}/ready", Endpoint.MODEL_READY, Api.INFERENCE, _GET),
    Route("v2/models/{workflow}/versions/{version}/ready", Endpoint.MODEL_READY, Api.INFERENCE, _GET),
    Route("v2/models/{workflow}/infer", Endpoint.MODEL_INFER, Api.INFERENCE, _POST),
    Route("v2/models/{workflow}/versions/{version}/infer", Endpoint.MODEL_INFER, Api.INFERENCE, _POST),
    Route("v1/models/{workflow}:predict", Endpoint.V1_PREDICT, Api.INFERENCE, _POST),
    Route("v1/models/{workflow}", Endpoint.V1_MODEL, Api.INFERENCE, _GET),
    Route("workflows", Endpoint.WORKFLOWS, Api.MANAGEMENT, _GET | _POST),
    Route("workflows/{workflow}", Endpoint.WORKFLOW, Api.MANAGEMENT, _GET | {"PUT", "DELETE"}),
    Route("workflows/{workflow}/{version}", Endpoint.WORKFLOW_VERSION, Api.MANAGEMENT, _GET | {"DELETE"}),
    Route("workflows/{workflow}/nodes/{node}", Endpoint.WORKFLOW_NODE, Api.MANAGEMENT, _GET | {"PUT"}),
    Route("workflows/{workflow}/{version}/set-default", Endpoint.WORKFLOW_DEFAULT, Api.MANAGEMENT, frozenset({"PUT"})),
    Route("models", Endpoint.MODELS, Api.MANAGEMENT, _GET),
    Route("models/{model}", Endpoint.MODEL, Api.MANAGEMENT, _GET | {"PUT", "OPTIONS"}),
    Route("models/{model}/{version}", Endpoint.MODEL, Api.MANAGEMENT, _GET | {"PUT"}),
    Route("models/{model}/{version}/set-default", Endpoint.MODEL_DEFAULT, Api.MANAGEMENT, frozenset({"PUT"})),
    Route("token", Endpoint.TOKEN, Api.MANAGEMENT, frozenset({"GET"})),
    Route("", Endpoint.STATUS_PAGE, Api.PAGE, _GET),
    Route("status/page/{file}", Endpoint.STATUS_FILE, Api.PAGE, _GET),
    Route("status", Endpoint.STATUS_DATA, Api.MANAGEMENT, _GET),
    Route("status/{workflow}/{version}/drawing", Endpoint.STATUS_DRAWING, Api.MANAGEMENT, _GET),
    Route("status/{workflow}/{version}/try", Endpoint.STATUS_TRY, Api.MANAGEMENT, _POST),
    Route("metrics", Endpoint.METRICS, Api.METRICS, _GET),
)

_CASELESS = frozenset({"wfpredict"})
"""First segments that are read in any case, as the original does."""


class Match:
    """The endpoint of a request and the names in its path."""

    __slots__ = ("names", "route")

    def __init__(self, route: Route, names: dict[str, str]) -> None:
        self.route = route
        self.names = names


class WrongMethodError(Exception):
    """The path is known, and the method is none of its own."""

    def __init__(self, allowed: frozenset[str], api: Api) -> None:
        super().__init__(", ".join(sorted(allowed)))
        self.allowed = allowed
        self.api = api


def match(method: str, target: Target, apis: frozenset[Api]) -> Match | None:
    """Return what a request is for among these parts of the interface; ``None`` for an unknown path.

    Raises ``WrongMethodError``.
    """
    allowed: frozenset[str] = frozenset()
    api = None
    segments = target.segments
    first = segments[0] if segments else ""
    for pieces, route in _BY_FIRST.get(first.lower() if first.lower() in _CASELESS else first, ()):
        names = _names(pieces, segments) if route.api in apis or route.api is Api.OPEN else None
        if names is None:
            continue
        if method in route.methods if route.methods is not None else method not in _NEVER:
            return Match(route, names)
        allowed, api = allowed | (route.methods or _USUAL), api or route.api
    if api is not None:
        raise WrongMethodError(allowed, api)
    return None


def _names(pieces: tuple[str, ...], segments: tuple[str, ...]) -> dict[str, str] | None:
    """Return the names in a path of this pattern; ``None`` for a path of another one."""
    is_open = bool(pieces) and pieces[-1].endswith("...}")
    if len(segments) != len(pieces) and not (is_open and len(segments) >= len(pieces)):
        return None
    names: dict[str, str] = {}
    for at, piece in enumerate(pieces[1:], start=1):
        segment = segments[at]
        if piece.endswith("...}"):
            names[piece[1:-4]] = "/".join(segments[at:])
        elif not piece.startswith("{"):
            if piece != segment:
                return None
        else:
            name, _, ending = piece[1:].partition("}")
            if not segment.endswith(ending) or segment == ending:
                return None
            names[name] = segment.removesuffix(ending)
    return names


def _by_first() -> dict[str, list[tuple[tuple[str, ...], Route]]]:
    table: dict[str, list[tuple[tuple[str, ...], Route]]] = {}
    for route in ROUTES:
        pieces = tuple(route.pattern.split("/")) if route.pattern else ()
        table.setdefault(pieces[0] if pieces else "", []).append((pieces, route))
    return table


_BY_FIRST = _by_first()
