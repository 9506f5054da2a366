"""Sockets in the file system: whose they are, at the start and at the end."""

import asyncio
import os
import socket

import pytest
from fakes.loops import on_a_loop
from listening import HeldApp, answer_of

from wfctl.web.config.addresses import Address
from wfctl.web.server import ListenError, Server
from wfctl.web.wire.messages import Limits
from wfctl.web.wire.patience import Patience


async def served(path):
    """Listen at a path."""
    server = Server(limits=Limits(), patience=Patience(), most_connections=10)
    await server.listen(Address(scheme="unix", path=str(path)), HeldApp())
    return server


async def asked(path):
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(b"GET /now HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    status, _, _ = await answer_of(reader)
    writer.close()
    return status


@on_a_loop
async def test_a_path_where_somebody_listens_is_left_alone(tmp_path):
    path = tmp_path / "s"
    first = await served(path)
    with pytest.raises(ListenError, match="something listens there already"):
        await served(path)
    assert await asked(path) == 200
    await first.drain(1)
    assert not path.exists()


@on_a_loop
async def test_what_a_killed_server_left_is_replaced(tmp_path):
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    server = await served(path)
    assert await asked(path) == 200
    await server.drain(1)


@on_a_loop
async def test_a_socket_that_is_another_servers_by_now_is_not_removed(tmp_path):
    path = tmp_path / "s"
    first = await served(path)
    path.unlink()
    second = await served(path)
    await first.drain(1)
    assert await asked(path) == 200
    await second.drain(1)
    assert not path.exists()


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_SEQPACKET])
@on_a_loop
async def test_a_socket_of_another_kind_is_left_alone(tmp_path, kind):
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX, kind) as others:
        others.bind(str(path))
        others.listen() if kind == socket.SOCK_SEQPACKET else None
        before = os.lstat(path)
        with pytest.raises(ListenError, match="something listens there already"):
            await served(path)
        assert os.path.samestat(os.lstat(path), before)


@on_a_loop
async def test_a_plain_file_is_left_alone(tmp_path):
    path = tmp_path / "s"
    path.write_text("mine")
    with pytest.raises(ListenError):
        await served(path)
    assert path.read_text() == "mine"


@on_a_loop
async def test_who_has_a_full_queue_listens_too_and_nobody_waits_for_it(tmp_path):
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as busy:
        busy.bind(str(path))
        busy.listen(0)
        waiting = [socket.socket(socket.AF_UNIX) for _ in range(3)]
        try:
            for each in waiting:
                each.setblocking(False)
                each.connect_ex(str(path))
            async with asyncio.timeout(5):
                with pytest.raises(ListenError, match="something listens there already"):
                    await served(path)
        finally:
            for each in waiting:
                each.close()
    assert path.exists()
