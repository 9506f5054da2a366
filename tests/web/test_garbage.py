"""Nothing of a request goes around in a circle: what is done with is freed at once, without the collector."""

import asyncio
import gc

from fakes.archives import write_war
from fakes.loops import on_a_loop

from wfctl.service.prepare import Request
from wfctl.service.registry import Registry
from wfctl.service.wishes import WishMaker
from wfctl.web.config.addresses import Address, Role
from wfctl.web.config.settings import ServerSettings
from wfctl.web.front_end import FrontEnd, FrontEndOptions

FREE = Address(scheme="http", host="127.0.0.1", port=0)
HANDLER = "def echo(data, context):\n    return data and [row['body'] for row in data]\n"
REQUEST = b"POST /wfpredict/echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello"


@on_a_loop
async def test_answered_requests_leave_no_garbage(tmp_path):
    war = write_war(tmp_path / "echo.war", "models: {max-workers: 1}\ndag: {echo: []}\n", HANDLER)
    settings = ServerSettings(inference_address=FREE, management_address=FREE, metrics_address=FREE)
    registry, wishes = Registry(on_output=lambda *_: None), WishMaker(pattern=Request(path=tmp_path))
    front = FrontEnd(settings, registry, wishes, options=FrontEndOptions())
    listening = await front.listen()
    port = next(each.address.port for each in listening if Role.INFERENCE in each.roles)
    await registry.register(wishes.from_user(war))
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def ask(count):
        for _ in range(count):
            writer.write(REQUEST)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 ")
            assert await reader.readexactly(5) == b"hello"

    await ask(50)
    gc.collect()
    gc.disable()
    try:
        await ask(300)
        left = gc.collect()
    finally:
        gc.enable()
    writer.close()
    await front.drain(5)
    assert left < 300  # not one object a request
