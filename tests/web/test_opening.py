"""Bodies that take time to take apart: when, how many at a time, and for whom not."""

import asyncio
import gzip
import threading
from types import SimpleNamespace

import pytest
from fakes.loops import on_a_loop

from wfctl.errors import OverloadedError
from wfctl.web.asked import Asked
from wfctl.web.endpoints import inference
from wfctl.web.endpoints.inference import Inference
from wfctl.web.endpoints.opening import MOST_AT_ONCE, MOST_WAITING
from wfctl.web.site import Site
from wfctl.web.wire.messages import Fields, Head

ZIPPED = {"content-encoding": "gzip"}


class Engine:
    """Keeps what is submitted."""

    def __init__(self):
        self.submitted, self.withdrawn, self.full = [], [], None

    def refusal(self):
        return self.full

    def submit(self, parts, headers, settled, **how):
        del headers, settled
        self.submitted.append(([bytes(each.body) for each in parts], how))
        return len(self.submitted)

    def withdraw(self, run):
        self.withdrawn.append(run)


class Threads:
    """Stands in the place of what takes bodies apart, and keeps its threads until it is told to let them go."""

    def __init__(self, monkeypatch):
        self.at_work, self.most, self.idents = 0, 0, set()
        self.gate, self._lock = threading.Event(), threading.Lock()
        really = inference.parts_of

        def held(headers, body, *, most):
            with self._lock:
                self.at_work += 1
                self.most = max(self.most, self.at_work)
                self.idents.add(threading.get_ident())
            assert self.gate.wait(10)
            with self._lock:
                self.at_work -= 1
            return really(headers, body, most=most)

        monkeypatch.setattr(inference, "parts_of", held)


class Place:
    """One workflow behind a front end's rooms."""

    def __init__(self):
        self.engine = Engine()
        served = SimpleNamespace(name="w", version="1", engine=self.engine)
        registry = SimpleNamespace(find=lambda name, version=None: served)
        self.site = Site(registry=registry)
        self.inference = Inference(self.site, most=1000)
        self.replies = []

    def ask(self, body, headers=ZIPPED):
        asked = Asked(Head("POST", "/wfpredict/w", 1, Fields(dict(headers))), "id", 0.0)
        asked.names, asked.body = {"workflow": "w"}, bytearray(body)
        asked.send_by(lambda _, response: response, self.replies.append)
        return self.inference.predict_workflow(asked)

    async def until_done(self):
        await asyncio.wait(self.site.tasks, timeout=10)
        assert not self.site.tasks


@on_a_loop
async def test_what_takes_no_time_is_submitted_at_once():
    place = Place()
    place.ask(b"plain", {})
    assert [parts for parts, _ in place.engine.submitted] == [[b"plain"]]
    assert not place.site.tasks


@on_a_loop
async def test_the_loop_goes_on_while_a_few_bodies_are_taken_apart_in_threads(monkeypatch):
    place, threads = Place(), Threads(monkeypatch)
    for number in range(6):
        place.ask(gzip.compress(b"%d" % number))
    while threads.at_work < MOST_AT_ONCE:  # the loop turns, though none of them ends  # noqa: ASYNC110
        await asyncio.sleep(0)
    assert place.engine.submitted == []
    threads.gate.set()
    await place.until_done()
    assert sorted(parts for parts, _ in place.engine.submitted) == [[b"%d" % number] for number in range(6)]
    assert threads.most == MOST_AT_ONCE
    assert threading.get_ident() not in threads.idents


@on_a_loop
async def test_nothing_is_taken_apart_for_a_full_queue(monkeypatch):
    place, threads = Place(), Threads(monkeypatch)
    place.engine.full = OverloadedError("full")
    with pytest.raises(OverloadedError):
        place.ask(gzip.compress(b"x"))
    place.engine.full = None
    for _ in range(3):
        place.ask(gzip.compress(b"x"))
    while threads.at_work < MOST_AT_ONCE:  # noqa: ASYNC110
        await asyncio.sleep(0)
    place.engine.full = OverloadedError("full")  # by the time that it is the third's turn
    threads.gate.set()
    await place.until_done()
    assert [each.status for each in place.replies] == [503]
    assert len(place.engine.submitted) == 2


@on_a_loop
async def test_who_has_left_is_not_worked_for(monkeypatch):
    place, threads = Place(), Threads(monkeypatch)
    leave = [place.ask(gzip.compress(b"%d" % number)) for number in range(4)]
    while threads.at_work < MOST_AT_ONCE:  # noqa: ASYNC110
        await asyncio.sleep(0)
    leave[0]()  # in its thread
    leave[2]()  # before its turn
    threads.gate.set()
    await place.until_done()
    assert sorted(parts for parts, _ in place.engine.submitted) == [[b"1"], [b"3"]]
    leave[3]()
    assert len(place.engine.withdrawn) == 1
    assert place.replies == []


@on_a_loop
async def test_a_body_that_is_none_is_refused_and_so_is_what_fails(monkeypatch):
    place = Place()
    place.ask(b"no gzip")
    await place.until_done()
    told = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["message"]))
    monkeypatch.setattr(inference, "parts_of", None)
    place.ask(b"no gzip")
    await place.until_done()
    assert [each.status for each in place.replies] == [400, 500]
    assert told == ["a body could not be taken apart"]


@on_a_loop
async def test_the_time_of_a_request_goes_on_while_its_body_is_taken_apart():
    place = Place()
    place.ask(gzip.compress(b"x"), {**ZIPPED, "x-request-timeout": "5"})
    await place.until_done()
    ((_, how),) = place.engine.submitted
    assert 0 < how["deadline_s"] < 5


@on_a_loop
async def test_so_many_wait_and_no_more(monkeypatch):
    place, threads = Place(), Threads(monkeypatch)
    for _ in range(MOST_WAITING):
        place.ask(gzip.compress(b"x"))
    with pytest.raises(OverloadedError):
        place.ask(gzip.compress(b"x"))
    threads.gate.set()
    await place.until_done()
    assert len(place.engine.submitted) == MOST_WAITING
