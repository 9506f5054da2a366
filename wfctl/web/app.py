"""One listener's application: a request is judged when its head has come, and begun when its body has.

Journey: target -> endpoint -> guard -> key -> (its body) -> what the endpoint does -> id and fields of the answer.
Invariant: every request gets one answer, with its id in it, and whoever counts or logs sees each of them once. Nothing
is known of a path, not even that it is none, to who has no key.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from functools import lru_cache
from typing import Any

from wfctl.errors import WfctlError
from wfctl.web.access.auth import Role
from wfctl.web.access.guard import Guard
from wfctl.web.answers import BAD_KEY, NOT_ALLOWED, NOT_FOUND, error_response, failure_response
from wfctl.web.asked import Asked, Forget, Later, Now, Reply, Runs
from wfctl.web.routes import Api, Endpoint, Match, WrongMethodError, match
from wfctl.web.site import Site
from wfctl.web.wire.messages import Fields, Head, RequestError, Response
from wfctl.web.wire.replies import encode_fields
from wfctl.web.wire.targets import Target, read_target

_SMALL = 64 * 1024
"""Bytes of a body that is read to its end although the request is refused, so that the connection can go on."""

_ROLES: Mapping[Api, Role] = {Api.INFERENCE: Role.INFERENCE, Api.MANAGEMENT: Role.MANAGEMENT}
_USUAL_TARGET = 256
"""Characters of a target that is remembered, with what it is for."""
_KEYLESS = frozenset({Api.OPEN, Api.METRICS, Api.PAGE})
_UNAVAILABLE = 503
_RETRY = {"retry-after": "1"}
_BEARER = {"www-authenticate": "Bearer"}


class Known:
    """What all requests with one head have in common, once one of them was admitted; but for keys, which end."""

    __slots__ = ("endpoint", "names", "target")

    def __init__(self, target: Target, endpoint: Endpoint, names: Mapping[str, str]) -> None:
        self.target = target
        self.endpoint = endpoint
        self.names = names


class Endpoints:
    """What is done for each endpoint, in one of three ways."""

    def __init__(self) -> None:
        self.now: dict[Endpoint, Now] = {}
        """Answered at once."""
        self.later: dict[Endpoint, Later] = {}
        """Answered by a coroutine, which ends also when the client has left."""
        self.runs: dict[Endpoint, Runs] = {}
        """Answered by a run, which is withdrawn when the client has left."""
        self.looks: dict[Endpoint, Callable[[Asked], object]] = {}
        """Asked before a large body comes; raises why it would be in vain."""


class Front:
    """Answers what comes to one address."""

    def __init__(self, site: Site, endpoints: Endpoints, apis: frozenset[Api], guard: Guard) -> None:
        self._site = site
        self._endpoints = endpoints
        self._apis = apis
        self._guard = guard
        self._standing = encode_fields(site.standing)
        self._loop = asyncio.get_running_loop()

    # The three questions of a connection

    def admit(self, head: Head) -> Response | None:
        """Judge a head; a refusal that can wait for its body is told then, so that the connection goes on."""
        asked = Asked(head, self._site.ids.of(head), self._loop.time())
        head.judged = asked
        known = head.fields.known
        if isinstance(known, Known) and self._site.keys is None and (head.length or 0) <= _SMALL:
            asked.target, asked.endpoint, asked.names = known.target, known.endpoint, known.names
            return None
        refusal = self._judged(asked)
        if refusal is None:
            return None
        asked.refusal = refusal
        is_small = head.length is not None and head.length <= _SMALL and not head.expects_continue
        return None if is_small else self._finished(asked, refusal)

    def begin(self, head: Head, body: bytearray, reply: Reply) -> Forget:
        """Begin to answer a request that is whole."""
        asked = head.judged
        if not isinstance(asked, Asked):
            raise TypeError("a request is begun that was not judged")
        head.judged = None  # what goes around in a circle is not freed when it is done with
        asked.body = body
        asked.send_by(self._finished, reply)
        if asked.refusal is not None:
            asked.reply(asked.refusal)
            return _nothing
        try:
            return self._begun(asked)
        except (RequestError, WfctlError) as error:
            asked.reply(failure_response(error))
        return _nothing

    def refuse(self, error: RequestError) -> Response:
        """Put a refusal into the words of this server."""
        asked = Asked(_NO_HEAD, self._site.ids.of(_NO_HEAD), self._loop.time())
        fields = _RETRY if error.status == _UNAVAILABLE else None
        return self._finished(asked, error_response(error.status, error.message, headers=fields))

    # Judging

    def _judged(self, asked: Asked) -> Response | None:
        head = asked.head
        reason = self._guard.refusal(head.headers)
        if reason is not None:
            return error_response(403, reason)
        if self._is_preflight(head):
            return Response(200)
        try:
            return self._resolved(asked)
        except (RequestError, WfctlError) as error:
            return failure_response(error)

    def _is_preflight(self, head: Head) -> bool:
        """Whether a browser asks if a page may send what it wants to: that comes without a key."""
        return (
            head.method == "OPTIONS" and "access-control-request-method" in head.headers and bool(self._site.standing)
        )

    def _resolved(self, asked: Asked) -> Response | None:
        head = asked.head
        try:
            resolve = _resolve if len(head.target) <= _USUAL_TARGET else _resolved_anew
            target, found = resolve(head.method, head.target, self._apis)
        except WrongMethodError as error:
            refusal = self._without_key(head, error.api, None)
            fields = {"allow": ", ".join(sorted(error.allowed))}
            return refusal or error_response(405, NOT_ALLOWED, headers=fields)
        asked.target = target
        if found is None:
            return self._without_key(head, None, None) or error_response(404, NOT_FOUND)
        route = found.route
        refusal = self._without_key(head, route.api, route.endpoint)
        if refusal is not None:
            return refusal
        asked.endpoint, asked.names = route.endpoint, found.names
        head.fields.known = Known(target, route.endpoint, found.names)
        look = self._endpoints.looks.get(asked.endpoint)
        if look is not None and (head.expects_continue or head.length is None or head.length > _SMALL):
            look(asked)
        return None

    def _without_key(self, head: Head, api: Api | None, endpoint: Endpoint | None) -> Response | None:
        """Return the refusal of a request that needs a key and has none; what is nowhere needs any of this address."""
        keys = self._site.keys
        if keys is None or api in _KEYLESS:
            return None
        sent = head.headers.get("authorization")
        if endpoint is Endpoint.TOKEN:
            return None if keys.allows_renewal(sent) else _unauthorized()
        wanted = [_ROLES[each] for each in (self._apis if api is None else (api,)) if each in _ROLES]
        # All are compared, so that time does not say which would do.
        admitted = [keys.admits(role, sent) for role in wanted]
        return None if any(admitted) or not wanted else _unauthorized()

    # Answering

    def _begun(self, asked: Asked) -> Forget:
        endpoint, endpoints = asked.endpoint, self._endpoints
        if endpoint is None:
            raise RequestError(404, NOT_FOUND)
        runs = endpoints.runs.get(endpoint)
        if runs is not None:
            return runs(asked)
        now = endpoints.now.get(endpoint)
        if now is not None:
            asked.reply(now(asked))
        elif endpoint in endpoints.later:
            task = self._loop.create_task(self._answered(asked, endpoints.later[endpoint](asked)))
            self._site.tasks.add(task)
            task.add_done_callback(self._site.tasks.discard)
        else:
            asked.reply(error_response(404, NOT_FOUND))
        return _nothing

    async def _answered(self, asked: Asked, work: Coroutine[Any, Any, Response]) -> None:
        """Wait for what a client asked of management; it is done also if the client has left."""
        try:
            response = await work
        except (RequestError, WfctlError) as error:
            response = failure_response(error)
        except Exception as error:  # noqa: BLE001 - supervisor: a request has one answer, whatever happens to it
            self._loop.call_exception_handler({"message": "an endpoint raised", "exception": error})
            response = error_response(500, "The server failed.")
        asked.reply(response)

    def _finished(self, asked: Asked, response: Response) -> Response:
        """Give an answer what every answer has, and tell those who count."""
        response.standing = b"x-request-id: %b\r\n%b" % (asked.request_id.encode("ascii"), self._standing)
        took_s = self._loop.time() - asked.begun
        for witness in self._site.witnesses:
            witness.answered(asked, response, took_s)
        return response


def _resolved_anew(method: str, target: str, apis: frozenset[Api]) -> tuple[Target, Match | None]:
    found = read_target(target)
    return found, match(method, found, apis)


_resolve = lru_cache(maxsize=1024)(_resolved_anew)


def _unauthorized() -> Response:
    return error_response(401, BAD_KEY, headers=_BEARER)


def _nothing() -> None:
    """Nobody has to be told that nobody waits."""


_NO_HEAD = Head("", "", 1, Fields({}))
