"""Requests that run a workflow, or one node of it.

Invariant: payloads are bytes here; a request is submitted in the turn of the loop in which it is whole, without a task
of its own, unless its body takes time to take apart; a client that leaves takes its work along.
"""

import re
from collections.abc import Callable, Mapping
from functools import partial
from math import inf
from typing import NamedTuple

from wfctl.engine.call import REQUEST_ID, TAG, Face, Part
from wfctl.engine.core.outcome import RunResult
from wfctl.engine.running import AnyRun
from wfctl.errors import WfctlError
from wfctl.service.registry import Served
from wfctl.web.answers import JSON, error_response, failure_response, workflow_failure_response
from wfctl.web.asked import Asked, Forget
from wfctl.web.endpoints.opening import Openings
from wfctl.web.request_ids import headers_with_id
from wfctl.web.site import Site
from wfctl.web.wire.bodies import parts_of, takes_time
from wfctl.web.wire.messages import RequestError, Response
from wfctl.web.wire.replies import UnsafeFieldError, encode_fields

_SECONDS = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)(ms|s)?")
TIMEOUT = "x-request-timeout"
_NOT_OURS_TO_SEND = frozenset(
    {
        *("connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "proxy-connection"),
        *("content-type", "content-length", REQUEST_ID, TAG),
    }
)
"""What a handler has no say in: fields of one connection (RFC 9110, section 7.6.1), and what is said by us."""


def deadline_of(headers: Mapping[str, str]) -> float | None:
    """Return how many seconds a client gives its request, ``None`` for as many as it takes.

    ``x-request-timeout`` is in seconds, or with ``ms`` behind it in milliseconds. Raises ``RequestError``.
    """
    text = headers.get(TIMEOUT)
    if text is None:
        return None
    found = _SECONDS.fullmatch(text.strip())
    seconds = float(found[1]) / (1000 if found[2] == "ms" else 1) if found else 0.0
    if not 0 < seconds < inf:
        raise RequestError(400, f"{TIMEOUT} is a time above zero, in seconds or as 500ms, and not {text!r}")
    return seconds


Wrap = Callable[[RunResult], bytes]


class How(NamedTuple):
    """How a request is run, and what is made of what leaves wrote."""

    usual_type: str | None = None
    """Of an answer whose handler names none."""
    only: str | None = None
    """The node that is asked by itself."""
    more: Mapping[str, str] | None = None
    """Further headers for handlers."""
    face: Face = Face.NONE
    wrap: Wrap | None = None


_AS_WORKFLOW = How(usual_type=JSON)
_SHORTEST_S = 0.001


class Inference:
    """Runs what requests ask for."""

    def __init__(self, site: Site, *, most: int, decodes: bool = True) -> None:
        self._site = site
        self._registry = site.registry
        self._most = most
        """Bytes of a body, also after decompression."""
        self._decodes = decodes
        """Whether the entry's handler gets bodies decoded by their type."""
        self._openings: Openings[tuple[Part, ...]] = Openings(site.tasks)

    # Whether it can be run: asked before a large body comes

    def workflow_of(self, asked: Asked) -> Served:
        """Return the workflow that a request names; raises ``UnknownWorkflowError``."""
        served = self._registry.find(asked.names["workflow"])
        version = asked.names.get("version")
        if version is None or version == served.version:
            return served
        # The original leaves alone what follows the name; where there are versions, it says which.
        return self._registry.find(served.name, version) if len(self._registry.versions(served.name)) > 1 else served

    # Running

    def look_at_workflow(self, asked: Asked) -> None:
        """Raise why a run would be in vain: no such workflow, or no room in its queues."""
        served = self.workflow_of(asked)
        asked.workflow = served.name
        refuse_full(served)

    def look_at_node(self, asked: Asked) -> None:
        """Raise why a run of one node would be in vain."""
        served, _ = self._registry.find_model(asked.names["model"])
        asked.workflow = served.name
        refuse_full(served)

    def predict_workflow(self, asked: Asked) -> Forget:
        """Run a workflow."""
        served = self.workflow_of(asked)
        return self._run(asked, served, _AS_WORKFLOW)

    def predict_node(self, asked: Asked) -> Forget:
        """Run one node by itself."""
        return self._run_node(asked, {})

    def explain_node(self, asked: Asked) -> Forget:
        """Run one node by itself, and have it explain."""
        return self._run_node(asked, {"explain": "True"})

    def _run_node(self, asked: Asked, more: Mapping[str, str]) -> Forget:
        served, node = self._registry.find_model_version(asked.names["model"], asked.names.get("version"))
        path = {"url_path": asked.names["rest"]} if "rest" in asked.names else {}
        return self._run(asked, served, How(only=node.name, more={**more, **path}))

    def run_protocol(self, asked: Asked, served: Served, face: Face, wrap: Wrap) -> Forget:
        """Run a workflow on a request in a serving protocol; ``wrap`` makes the answer's body of what leaves wrote."""
        return self._run(asked, served, How(usual_type=JSON, face=face, wrap=wrap))

    def _run(self, asked: Asked, served: Served, how: How) -> Forget:
        asked.workflow = served.name
        if takes_time(asked.head.headers, asked.body):
            return self._run_later(asked, served, how)
        return self._submitted(asked, served, how, self._parts(asked), deadline_of(asked.head.headers))

    def _run_later(self, asked: Asked, served: Served, how: How) -> Forget:
        """Run what a body holds once that is known, if it is worth the while to find out."""
        refuse_full(served)
        deadline_s = deadline_of(asked.head.headers)

        def submitted(parts: tuple[Part, ...], after_s: float) -> Forget:
            left_s = None if deadline_s is None else max(deadline_s - after_s, _SHORTEST_S)
            return self._submitted(asked, self._served_now(asked), how, parts, left_s)

        return self._openings.begin(
            asked,
            look=lambda: refuse_full(self._served_now(asked)),
            take_apart=partial(self._parts, asked),
            go_on=submitted,
        )

    def _served_now(self, asked: Asked) -> Served:
        """Return what a request names at this moment: another version may have taken its place."""
        if "model" in asked.names and "workflow" not in asked.names:
            return self._registry.find_model_version(asked.names["model"], asked.names.get("version"))[0]
        return self.workflow_of(asked)

    def _submitted(
        self, asked: Asked, served: Served, how: How, parts: tuple[Part, ...], deadline_s: float | None
    ) -> Forget:
        site, engine, reply = self._site, served.engine, asked.reply
        usual_type, only, more, face, wrap = how
        failed = workflow_failure_response if only is None else failure_response
        headers = headers_with_id(asked.head, asked.request_id, more)

        def settled(run: AnyRun) -> None:
            for witness in site.witnesses:
                witness.ran(asked, run)
            try:
                result = engine.result(run)
            except WfctlError as error:
                response = failed(error)
            else:
                response = answer_of(result, usual_type)
                if wrap is not None:
                    response.body, response.content_type = wrap(result), JSON
            reply(response)

        run = engine.submit(parts, headers, settled, deadline_s=deadline_s, only=only, face=face)
        return lambda: engine.withdraw(run)

    def _parts(self, asked: Asked) -> tuple[Part, ...]:
        parts = parts_of(asked.head.headers, asked.body, most=self._most)
        return parts if self._decodes else tuple(Part(part.name, part.body, "") for part in parts)


def refuse_full(served: Served) -> None:
    """Raise ``OverloadedError`` if a run would be refused at this moment."""
    refusal = served.engine.refusal()
    if refusal is not None:
        raise refusal


def answer_of(result: RunResult, usual_type: str | None) -> Response:
    """Return the answer of a run as a response: status, type and headers as the leaf's handler set them."""
    content_type = result.content_type or usual_type
    if not result.headers:
        return Response(result.status, result.body, content_type)
    headers = {name: value for name, value in result.headers.items() if name.lower() not in _NOT_OURS_TO_SEND}
    try:
        encode_fields({**headers, "content-type": content_type or JSON})
    except UnsafeFieldError as error:
        return error_response(500, f"The handler set a header that is none: {error}")
    return Response(result.status, result.body, content_type, headers)
