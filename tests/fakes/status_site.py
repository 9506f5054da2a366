"""A server in this process with the status page, on a loop of its own in a thread."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Self

from wfctl.service.prepare import Request
from wfctl.service.registry import Registry, Wish
from wfctl.service.wishes import WishMaker
from wfctl.web.access.auth import Keys
from wfctl.web.config.addresses import Address, Role
from wfctl.web.config.settings import ServerSettings
from wfctl.web.front_end import FrontEnd, FrontEndOptions

_FREE = Address(scheme="http", host="127.0.0.1", port=0)


class StatusSite:
    """One server; a context manager that drains it."""

    def __init__(self, *workflows: Path, keys: Keys | None = None) -> None:
        self._workflows, self._keys = workflows, keys
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self.ports: dict[Role, int] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        self.run(self._open())
        return self

    def __exit__(self, *reason: object) -> None:
        self.run(self.front.drain(5))
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(30)
        self.loop.close()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Have something done on the server's loop, and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(90)

    def call(self, work: Callable[[], Any]) -> Any:
        async def called() -> Any:
            return work()

        return self.run(called())

    @property
    def address(self) -> str:
        """Of the page."""
        return f"http://127.0.0.1:{self.ports[Role.MANAGEMENT]}"

    async def _open(self) -> None:
        settings = ServerSettings(inference_address=_FREE, management_address=_FREE, enable_metrics_api=False)
        registry = Registry(on_output=lambda *_: None)
        wishes = WishMaker(pattern=Request(path=Path()))
        options = FrontEndOptions()
        self.front = FrontEnd(settings, registry, wishes, options=options, keys=self._keys)
        self.page = self.front.page
        for listening in await self.front.listen():
            for role in listening.roles:
                self.ports[role] = listening.address.port
        for path in self._workflows:
            await registry.register(wishes.from_user(path))
        self.front.site.is_ready = True

    async def register(self, path: Path, version: str) -> None:
        """Open another version of a workflow."""
        await self.front.site.registry.register(Wish(request=Request(path=path), url=path.name, version=version))
