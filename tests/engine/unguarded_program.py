"""A user's program without ``if __name__ == "__main__"``: starts workers, says who they are, and stays.

Arguments: a folder with the node ``echo`` below it, the code to send to it, and whether to take the terminal.
Its first line of output is JSON with the processes, once the handler has printed ``in``; on an interrupt it says
which of them are still there before it closes.
"""

import asyncio
import fcntl
import json
import sys
import termios
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from local_workers import Remembering, call, plan_of, process_is_there, read_node

from wfctl.engine.local.backend import LocalBackend

FOLDER, CODE, TERMINAL = sys.argv[1:]


async def stay():
    backend, told = LocalBackend(), Remembering()
    await backend.open(plan_of(read_node(Path(FOLDER))), told)
    try:
        worker = (await backend.start_worker("echo", 1)).pid
        server = backend.statistics().fork_server_pid
        backend.send_calls(1, [call(1, CODE.encode())])
        await told.until(lambda: "in" in told.printed())
        started = [int(line) for line in told.printed() if line.isdecimal()]
        print(json.dumps({"server": server, "worker": worker, "started": started}), flush=True)
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        print(json.dumps([pid for pid in (server, worker, *started) if process_is_there(pid)]), flush=True)
        raise
    finally:
        await backend.close()


if TERMINAL == "terminal":
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
asyncio.run(stay())
