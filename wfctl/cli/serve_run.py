"""The life of one server process: listen, load, answer, drain.

Invariant: SIGTERM and Ctrl-C drain, a second one ends at once; whatever happens, no worker is left behind.
"""

import asyncio
import signal
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from wfctl.cli.console import answer
from wfctl.cli.serve_voice import Voice, open_access_log, voice_for
from wfctl.errors import WfctlError
from wfctl.service.open_files import raise_open_files
from wfctl.service.prepare import Request
from wfctl.service.registry import Registry
from wfctl.service.reload import Reloader
from wfctl.service.snapshot import Restored, Snapshot, restore
from wfctl.service.wishes import WishMaker
from wfctl.web.access.auth import Keys
from wfctl.web.config.settings import ServerSettings
from wfctl.web.front_end import FrontEnd, FrontEndOptions, Listening
from wfctl.web.watch.logs import AccessLog

if TYPE_CHECKING:
    from wfctl.cli.serve_options import Serving
    from wfctl.engine.running import Engines

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def run(
    settings: ServerSettings, serving: "Serving", wishes: WishMaker, wished: list[Restored], engines: "Engines"
) -> None:
    """Serve until a signal comes; raises what keeps the server from starting."""
    raise_open_files()
    try:
        asyncio.run(_serve(settings, serving, wishes, wished, engines))
    except asyncio.CancelledError:  # a second signal while it drained
        raise KeyboardInterrupt from None


async def _serve(
    settings: ServerSettings, serving: "Serving", wishes: WishMaker, wished: list[Restored], engines: "Engines"
) -> None:
    voice, writer = voice_for(serving.log_format)
    access = None if serving.access_log is None else open_access_log(serving.access_log, serving.log_format, writer)
    asyncio.get_running_loop().set_exception_handler(voice.unhandled)
    registry = Registry(engines=engines, on_output=voice.printed, watchers=[voice])
    keys: Keys | None = None
    try:
        told = _told_to_end()  # before there is anything that has to be cleared away
        # On the loop, which has nothing else to do: a thread that a second signal leaves behind could write them late.
        keys = _keys(settings, serving, voice)
        front = FrontEnd(
            settings,
            registry,
            wishes,
            options=FrontEndOptions(most_connections=serving.max_connections, names=serving.names),
            keys=keys,
            witnesses=(voice.failures,) if access is None else (AccessLog(access), voice.failures),
        )
        await _answer_until_told(front, serving, wished, wishes.pattern, voice, told=told)
    finally:
        if keys is not None:  # at once, for what the server does at its end is cut short by a second signal
            _without_keys(keys, voice)
        if access is not None and access is not writer:
            access.close()
        writer.close()


async def _answer_until_told(
    front: FrontEnd,
    serving: "Serving",
    wished: list[Restored],
    usual: Request,
    voice: Voice,
    *,
    told: asyncio.Event,
) -> None:
    began, registry = time.monotonic(), front.site.registry
    try:
        listening = await front.listen()
        _tell_listening(listening)
        voice.listening(listening)
        if await _loaded(registry, wished, told, voice):
            front.site.is_ready = True
            if serving.state is not None:
                registry.on_change = Snapshot(serving.state, registry, usual).write
                await registry.on_change()
            voice.ready(len(wished), time.monotonic() - began)
            await _watched(registry, told, voice) if serving.reload else await told.wait()
        voice.draining(serving.drain_timeout)
    finally:
        registry.on_change = _unchanged
        registry.watchers.remove(voice)  # what ends with the server is no news
        voice.ended(await front.drain(serving.drain_timeout), serving.drain_timeout)


async def _loaded(registry: Registry, wished: list[Restored], told: asyncio.Event, voice: Voice) -> bool:
    """Load all that was named, side by side; returns whether it was not told to end meanwhile."""
    loading = asyncio.create_task(_load(registry, wished, voice))
    ending = asyncio.create_task(told.wait())
    ending.add_done_callback(lambda _: loading.cancel())
    try:
        await loading
    except asyncio.CancelledError:
        if not told.is_set():
            raise
        return False
    finally:
        ending.cancel()
    return True


async def _unchanged() -> None:
    """What ends with the server is no change of what it serves."""


async def _watched(registry: Registry, told: asyncio.Event, voice: Voice) -> None:
    """Load again what changes on disk, until it is told to end."""
    watch = asyncio.create_task(Reloader(registry, voice.note, voice.failed).run())
    watch.add_done_callback(lambda _: told.set())  # what ends it unasked is to be told
    voice.note("watching the files that the workflows are made from")
    await told.wait()
    watch.cancel()
    with suppress(asyncio.CancelledError):
        await watch


async def _load(registry: Registry, wished: list[Restored], voice: Voice) -> None:
    """Load all of them; the first that cannot be loaded ends it, once the others have been given up."""
    try:
        async with asyncio.TaskGroup() as group:
            for wish in wished:
                voice.loading(wish.wish.url)
                group.create_task(restore(registry, wish))
    except ExceptionGroup as failures:  # not ``except*``: Python before 3.11.4 wraps again what is raised there
        raise failures.exceptions[0] from None


def _tell_listening(listening: list[Listening]) -> None:
    """Write what listens where to standard output, for people and for scripts."""
    for each in listening:
        answer(f"{'+'.join(role.value for role in each.roles)} {each.address}")
    sys.stdout.flush()


def _keys(settings: ServerSettings, serving: "Serving", voice: Voice) -> Keys | None:
    """Make keys where they are asked for: always beyond this machine, unless the user says otherwise."""
    disabled = settings.disable_token_authorization
    if disabled:
        return None
    addresses = (settings.inference_address, settings.management_address)
    if disabled is None and all(each.is_loopback for each in addresses):
        return None
    keys = Keys.create(serving.key_file, lifetime_min=settings.token_expiration_min)
    voice.note(f'keys are asked for, and stand in "{serving.key_file}"')
    return keys


def _without_keys(keys: Keys, voice: Voice) -> None:
    try:
        keys.remove()
    except WfctlError as error:  # what the server ended for is to be told, and not this in its place
        voice.failed(error)


def _told_to_end() -> asyncio.Event:
    """Have signals say that the server is to end; a second one, while it drains, ends it at once."""
    loop, task, told = asyncio.get_running_loop(), asyncio.current_task(), asyncio.Event()

    def tell() -> None:
        if told.is_set():
            for each in _SIGNALS:
                loop.remove_signal_handler(each)
            if task is not None:
                task.cancel()
        told.set()

    for each in _SIGNALS:
        loop.add_signal_handler(each, tell)
    return told
