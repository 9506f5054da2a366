"""The parts that the benchmarks are made of: listener, load, relay, fit."""

import asyncio
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.fit import fitted
from benchmarks.load import BadAnswerError, ask, put_under_load, request_of
from benchmarks.relay import Relay
from benchmarks.servers import relaying, serving
from benchmarks.workflows import write_fan_out, write_functions

ROOT = Path(__file__).parent.parent


def test_unknown_benchmark_is_refused():
    done = subprocess.run([sys.executable, "-m", "benchmarks", "nope"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "no such benchmark: nope" in done.stderr


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    with serving(write_functions(tmp_path_factory.mktemp("chain"), 2)) as server:
        yield server


@pytest.fixture(scope="module")
def relay():
    with relaying("1,1") as server:
        yield server


def test_workflow_and_relay_hand_on_bodies_of_any_size(chain, relay):
    for body in (b"", b"some bytes", b"x" * 3_000_000):
        for server in (chain, relay):
            assert ask(server.port, server.addressed(request_of(body)))[1] == body


def test_listener_takes_a_request_in_pieces(relay):
    request = request_of(b"some bytes")
    with socket.create_connection(("127.0.0.1", relay.port)) as stream:
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(len(request)):
            stream.sendall(request[at : at + 1])
        assert stream.recv(1 << 16).endswith(b"\r\n\r\nsome bytes")


@pytest.mark.parametrize(
    "request_text",
    [
        b"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
        b"POST / HTTP/1.0\r\nContent-Length: 0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
        b"POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\nx",
        b"POST / HTTP/1.1\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\nxx",
        b"POST / HTTP/1.1\nContent-Length: 0\r\n\r\n",
    ],
)
def test_listener_refuses_whatever_is_not_its_one_form_of_request(relay, request_text):
    with socket.create_connection(("127.0.0.1", relay.port)) as stream:
        stream.sendall(request_text)
        assert stream.recv(1 << 16).startswith(b"HTTP/1.1 400 ")
        assert stream.recv(1) == b""


def test_failure_of_a_node_ends_a_measurement(tmp_path):
    write_functions(tmp_path, 2)
    (tmp_path / "handler.py").write_text(
        "def step0(data, context):\n    return data and [1 / 0]\n\n\ndef step1(data, context):\n    return data\n"
    )
    with serving(tmp_path) as server, pytest.raises(BadAnswerError, match=r"HTTP/1\.1 5"):
        put_under_load(server.port, server.addressed(request_of(b"")), connections=2, seconds=0.1)


@contextmanager
def answering(*answers):
    """Listen, and give these answers in turn, one a connection."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer():
            for each in answers:
                stream, _ = listening.accept()
                with stream:
                    stream.recv(1 << 16)
                    stream.sendall(each)
                    stream.recv(1)

        thread = threading.Thread(target=answer)
        thread.start()
        yield listening.getsockname()[1]
        thread.join()


def test_answer_unlike_the_first_ends_a_measurement():
    first, other = (b"HTTP/1.1 200 \r\ncontent-length: 1\r\n\r\n" + body for body in (b"1", b"2"))
    with answering(first, other) as port, pytest.raises(BadAnswerError, match=r"^expected .*, got "):
        put_under_load(port, request_of(b""), connections=1, seconds=0.1)


def test_load_counts_every_answer(chain):
    load = put_under_load(chain.port, chain.addressed(request_of(b"x" * 100)), connections=8, seconds=0.1)
    assert load.all_done > load.done > 0
    assert 0 < load.p50_s <= load.p99_s


def test_relay_returns_what_went_through_its_stages():
    async def relayed():
        relay = Relay(asyncio.get_running_loop(), (1, 3, 1))
        payloads = [bytes([number]) * size for number, size in enumerate([0, 1, 100, 5_000_000, 10])]
        answers = await asyncio.gather(*(relay.run(payload) for payload in payloads))
        relay.close()
        assert answers == [3 * payload for payload in payloads]

    asyncio.run(relayed())


def test_workflow_and_relay_of_a_fan_out_answer_alike(tmp_path):
    with serving(write_fan_out(tmp_path)) as server, relaying("1,3,1") as relay:
        assert (
            ask(server.port, server.addressed(request_of(b"abc")))[1]
            == ask(relay.port, request_of(b"abc"))[1]
            == b"abcabcabc"
        )


def test_fitted_line_goes_through_its_points():
    base, slope = fitted([1, 2, 4], [5, 7, 11])
    assert (base, slope) == (pytest.approx(3), pytest.approx(2))
