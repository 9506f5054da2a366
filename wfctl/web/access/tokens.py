"""The renewal of keys: ``GET /token?type=management|inference``, with the key for that and no other."""

import asyncio

from wfctl.web.access.auth import Keys, Role
from wfctl.web.asked import Asked
from wfctl.web.wire.messages import RequestError, Response

_RENEWABLE = {Role.MANAGEMENT.value: Role.MANAGEMENT, Role.INFERENCE.value: Role.INFERENCE}


class Tokens:
    """Renews keys."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    async def renew(self, asked: Asked) -> Response:
        """Write a new key into the key file; the answer is empty, for whoever may have the key can read the file."""
        kind = asked.query.get("type", "")
        role = _RENEWABLE.get(kind)
        if role is None:
            raise RequestError(400, f"Parameter type is management or inference, and not {kind!r}")
        await asyncio.to_thread(self._keys.renew, role)
        return Response(200)
