"""What the status page gets: its files with their policy, numbers, drawings, errors; and what counts for it."""

import asyncio
import json
import math
import random
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest
from fakes.hostile import HOSTILE, renamed
from fakes.plans import plan_of

from wfctl.engine.statistics import EngineStatistics, NodeStatistics
from wfctl.errors import RunError
from wfctl.service.registry import UnknownVersionError
from wfctl.web.answers import error_response, json_response, workflow_failure_response
from wfctl.web.asked import Asked
from wfctl.web.page.status import POLICY, StatusPage
from wfctl.web.site import Site
from wfctl.web.watch.last_errors import MOST, LastErrors
from wfctl.web.watch.latency import ERROR, SLOT_S, Latencies, Window
from wfctl.web.wire.messages import RequestError, Response

PAGE = Path(__file__).parents[2] / "wfctl" / "web" / "page" / "files"
DIAMOND = "pre > cnn > vote, pre > mlp > vote"


class ToldRegistry:
    """Versions of workflows that nobody opened; the first of each is the default."""

    def __init__(self) -> None:
        self.all: list[SimpleNamespace] = []

    def __iter__(self):
        return iter(self.all)

    def add(
        self, name: str, version: str = "1.0", edges: str = DIAMOND, plan: object = None, **node: object
    ) -> SimpleNamespace:
        plan = plan or plan_of(edges)
        self.all.append(
            SimpleNamespace(
                name=name,
                version=version,
                since=SimpleNamespace(timestamp=lambda: 1_000_000.0),
                engine=SimpleNamespace(statistics=lambda: statistics_of(plan, **node)),
                deployment=SimpleNamespace(prepared=SimpleNamespace(plan=plan)),
            )
        )
        return self.all[-1]

    def find(self, name: str, version: str) -> SimpleNamespace:
        for each in self.all:
            if (each.name, each.version) == (name, version):
                return each
        raise UnknownVersionError("no such")

    def is_default(self, served) -> bool:
        return next(each for each in self.all if each.name == served.name) is served


def statistics_of(plan, **node: object) -> EngineStatistics:
    usual = {
        **dict.fromkeys(("queued", "running", "done", "failed", "retried", "batches", "sent", "starting", "lost"), 0),
        "least": 1,
        "most": 1,
        "batch_time_s": 0.0,
        "last_failure": None,
        "worker_pids": (4711,),
    }
    nodes = tuple(NodeStatistics(node=each.name, **{**usual, **node}) for each in plan.nodes)
    return EngineStatistics(runs=3, nodes=nodes, late_answers=0, stray_answers=0)


@pytest.fixture
def registry():
    return ToldRegistry()


@pytest.fixture
def page(registry):
    return StatusPage(Site(registry=registry, is_ready=True), lambda asked: lambda: None)


def asked_for(workflow: str = "", *, request_id: str = "1") -> Asked:
    """A request as witnesses get it; none of ours looks at its head."""
    asked = Asked(None, request_id, 0.0)
    asked.workflow = workflow
    return asked


def asked_to(**names: str) -> Asked:
    asked = asked_for()
    asked.names = names
    return asked


async def told(page: StatusPage):
    page._told_at = -math.inf
    answer = page.data(asked_to())
    assert (answer.status, answer.content_type) == (200, "application/json")
    return json.loads(answer.body)


def tell(page: StatusPage):
    return asyncio.run(told(page))


# The files


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag, attrs) -> None:
        self.found.append((tag, dict(attrs)))


def test_the_page_is_served_with_a_strict_policy(page):
    answer = page.page(asked_to())
    assert (answer.status, answer.content_type) == (200, "text/html; charset=utf-8")
    assert answer.headers["content-security-policy"] == POLICY
    directives = dict(each.strip().split(" ", 1) for each in POLICY.split(";"))
    assert directives.pop("img-src") == "'self' data: blob:"
    assert {directives.pop(name) for name in ("script-src", "style-src", "connect-src")} == {"'self'"}
    assert directives == dict.fromkeys(("default-src", "base-uri", "form-action", "frame-ancestors"), "'none'")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"


def test_the_page_has_nothing_inline_and_loads_only_its_own_files(page):
    tags = Tags()
    tags.feed((PAGE / "status.html").read_text(encoding="utf-8"))
    assert {tag for tag, _ in tags.found}.isdisjoint({"style", "iframe", "object", "embed", "base", "meta-refresh"})
    for tag, attributes in tags.found:
        assert not [name for name in attributes if name.startswith("on") or name == "style"], (tag, attributes)
        assert tag != "script" or attributes["src"]
        for name in ("src", "href", "action"):
            where = attributes.get(name)
            if where is not None and not where.startswith("#"):
                assert where.startswith("status/page/"), (tag, where)
                assert page.page(asked_to(file=where.removeprefix("status/page/"))).status == 200


def test_scripts_read_no_markup_and_load_nothing_from_elsewhere():
    never = (
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\b|new Function|localStorage|cookie"
    )
    for path in PAGE.iterdir():
        text = path.read_text(encoding="utf-8")
        assert not re.search(never, text), path.name
        addresses = set(re.findall(r"https?://[^\s\"')]+", text))
        assert addresses <= {"http://www.w3.org/2000/svg"}, path.name
        assert path.suffix != ".css" or not re.search(r"@import|url\(", text)
        for name in re.findall(r'from "\./([^"]+)"', text):
            assert (PAGE / name).is_file()


@pytest.mark.parametrize("name", ["../status.py", "status.py", "", "nope.js", "__pycache__", "/etc/passwd"])
def test_no_other_file_is_served(page, name):
    with pytest.raises(RequestError) as caught:
        page.page(asked_to(file=name))
    assert caught.value.status == 404


# The numbers


def test_numbers_are_told_by_workflow_version_and_node(page, registry):
    told_of = {
        "queued": 7,
        "running": 2,
        "done": 90,
        "batches": 10,
        "sent": 40,
        "batch_time_s": 0.0123,
        "worker_pids": (1, 2),
    }
    registry.add("digits", "1.0", **told_of)
    registry.add("digits", "1.1")
    registry.add("words", edges="a > b")
    found = tell(page)
    assert found["server"]["state"] == "ready"
    assert found["server"]["takesKeys"] is False
    assert found["errors"] == []
    digits, words = found["workflows"]
    assert (digits["name"], digits["default"], digits["latencyMs"]) == ("digits", "1.0", None)
    assert [each["version"] for each in digits["versions"]] == ["1.0", "1.1"]
    assert digits["versions"][0]["inFlight"] == 3
    assert [node["name"] for node in words["versions"][0]["nodes"]] == ["a", "b"]
    assert digits["versions"][0]["nodes"][1] == {
        "name": "cnn",
        "kind": "function",
        "waiting": 7,
        "queueSize": 1000,
        "running": 2,
        "workers": {"ready": 2, "starting": 0, "least": 1, "most": 1, "lost": 0},
        "counts": {"done": 90, "failed": 0, "retried": 0, "batches": 10, "calls": 40},
        "batchSize": 1,
        "batchMs": 12.3,
        "latencyMs": None,
        "lastFailure": None,
    }


def test_a_hundred_open_pages_cost_what_one_costs(page, registry):
    asked = []
    served = registry.add("digits")
    statistics = served.engine.statistics
    served.engine.statistics = lambda: asked.append(1) or statistics()

    async def look():
        return {bytes(page.data(asked_to()).body) for _ in range(100)}

    assert len(asyncio.run(look())) == 1
    assert len(asked) == 1


def test_numbers_are_inert_and_hostile_names_are_data(page, registry):
    registry.add("digits", plan=renamed(plan_of("a > b"), b=HOSTILE), last_failure=f"{HOSTILE}\nTraceback: secret")
    page.answered(asked_for("digits"), error_response(500, HOSTILE), 0.01)
    found = tell(page)
    answer = page.data(asked_to())
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; sandbox")
    assert answer.headers["x-content-type-options"] == "nosniff"
    node = found["workflows"][0]["versions"][0]["nodes"][1]
    assert node["name"] == HOSTILE
    assert (
        node["lastFailure"] == '<script>alert("1")</script>\\u202e'
    )  # said of code, so made harmless, and no traceback
    assert found["errors"][0]["message"] == '<script>alert("1")</script>\\u202e'


def test_states_of_the_server(registry):
    site = Site(registry=registry)
    page = StatusPage(site, lambda asked: lambda: None)
    assert tell(page)["server"]["state"] == "starting"
    site.is_ready = True
    assert tell(page)["server"]["state"] == "ready"
    site.is_draining = True
    assert tell(page)["server"]["state"] == "draining"


# The drawings


def drawing(page, name="digits", version="1.0", **query: str):
    asked = asked_to(workflow=name, version=version)
    asked.target = SimpleNamespace(query=query)
    answer = asyncio.run(page.drawing(asked))
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; sandbox")
    return json.loads(answer.body)


def test_a_drawing_tells_where_its_boxes_are(page, registry):
    registry.add("digits")
    for direction in ("LR", "TB"):
        found = drawing(page, direction=direction)
        root = ET.fromstring(found["svg"])
        assert [found["width"], found["height"]] == [int(root.get("width")), int(root.get("height"))]
        assert [box["node"] for box in found["boxes"]] == ["pre", "cnn", "vote", "mlp"]
        for box in found["boxes"]:
            assert 0 < box["x"] < box["x"] + box["width"] < found["width"]
            assert 0 < box["y"] < box["y"] + box["height"] < found["height"]
        first, last = found["boxes"][0], found["boxes"][2]
        assert first["x" if direction == "LR" else "y"] < last["x" if direction == "LR" else "y"]


def test_a_drawing_of_hostile_names_holds_no_script(page, registry):
    names = {"b": HOSTILE, "c": '"/><rect class="frame" onload="x" x="1" y="1" width="1" height="1"/>', "d": "]]>&lt;"}
    registry.add("digits", plan=renamed(plan_of("a > b, a > c > d"), **names))
    found = drawing(page)
    root = ET.fromstring(found["svg"])
    assert {each.tag.rpartition("}")[2] for each in root.iter()} <= {
        *("svg", "title", "desc", "style", "rect", "g", "path", "text")
    }
    for each in root.iter():
        assert not [name for name in each.attrib if name.startswith("on") or "href" in name]
    assert [box["node"] for box in found["boxes"]] == ["a", *names.values()]
    assert "\u202e" not in found["svg"] + found["describes"]


def test_a_version_is_drawn_once_until_it_is_replaced(page, registry, monkeypatch):
    painted = []
    from wfctl.web.page import status

    real = status.painted
    monkeypatch.setattr(status, "painted", lambda *words: painted.append(words[2]) or real(*words))
    served = registry.add("digits")
    drawing(page)
    drawing(page)
    assert painted == ["LR"]
    served.deployment.prepared.plan = plan_of("a > b")
    assert [box["node"] for box in drawing(page)["boxes"]] == ["a", "b"]
    assert painted == ["LR", "LR"]
    registry.all.clear()
    registry.add("other")
    drawing(page, "other", direction="TB")
    assert set(page._drawings) == {("other", "1.0", "TB")}


def test_a_graph_too_large_for_a_picture_is_a_list_without_boxes(page, registry):
    registry.add("digits", edges=", ".join(f"n{at} > n{at + 1}" for at in range(3001)))
    found = drawing(page)
    assert found["boxes"] == []
    assert "not drawn" in found["svg"]


def test_what_is_not_served_is_not_drawn(page, registry):
    registry.add("digits")
    with pytest.raises(UnknownVersionError):
        drawing(page, version="2.0")
    with pytest.raises(RequestError) as caught:
        drawing(page, direction="up")
    assert caught.value.status == 400


# Trying an input


def test_a_trial_is_the_workflows_answer_without_what_its_handler_says_to_browsers(registry):
    asked, heard, left = asked_for(), [], []

    def predict(given):
        given.workflow = "digits"
        headers = {"set-cookie": "a=b", "location": "http://elsewhere", "content-security-policy": "x"}
        given.reply(Response(418, b"<script>1</script>", "text/html", headers))
        return lambda: left.append(1)

    async def tried():
        page = StatusPage(Site(registry=registry), predict)
        asked.begun = asyncio.get_running_loop().time()
        asked.send_by(lambda _, response: response, heard.append)
        page.tried(asked)()

    asyncio.run(tried())
    (answer,) = heard
    assert asked.workflow == "digits"
    assert (answer.status, answer.body, answer.content_type) == (418, b"<script>1</script>", "text/html")
    assert set(answer.headers) == {
        *("content-security-policy", "x-content-type-options", "cross-origin-resource-policy", "server-timing")
    }
    assert "sandbox" in answer.headers["content-security-policy"]
    assert re.fullmatch(r"run;dur=[0-9.]+", answer.headers["server-timing"])
    assert left == [1]


# The last errors


def failed(errors: LastErrors, message: str, *, at: float = 0.0, workflow: str = "w", status: int = 500) -> None:
    errors.answered(asked_for(workflow), error_response(status, message), at)


def test_errors_are_kept_newest_first_and_no_more_than_so_many():
    errors = LastErrors()
    for at in range(10_000):
        failed(errors, f"message {at} " + "x" * 1000, at=at)
    found = errors.newest_first()
    assert len(found) == MOST == 50
    assert [each["at"] for each in found] == list(range(9999, 9949, -1))
    assert all(len(each["message"]) <= 300 for each in found)


def test_the_same_again_stands_once():
    errors = LastErrors()
    failed(errors, "boom", at=1)
    failed(errors, "other", at=2)
    for at in range(3, 1003):
        failed(errors, "boom", at=at)
    assert [(each["message"], each["count"], each["at"]) for each in errors.newest_first()] == [
        ("boom", 1001, 1002),
        ("other", 1, 2),
    ]


def test_the_node_that_failed_is_told():
    errors = LastErrors()
    error = RunError("no good", node="m1", attempts=1, status=503, traceback_text="Traceback: secret")
    asked = asked_for("w", request_id="7")
    errors.ran(asked, SimpleNamespace(error=error))
    errors.answered(asked, error_response(503, "no good"), 1)
    errors.answered(asked_for("w", request_id="8"), workflow_failure_response(error), 2)
    assert [each["node"] for each in errors.newest_first()] == ["m1", "m1"]
    assert "secret" not in str(errors.newest_first())


@pytest.mark.parametrize(
    "answer",
    [
        Response(500, b"\xff\x00 payload", "application/octet-stream"),
        Response(500, b"payload", "application/json"),
        Response(500, b'{"message": ["payload"]}', "application/json"),
        Response(500, b'["payload"]', "application/json"),
        Response(500, b'{"message": "' + b"payload" * 10_000 + b'"}', "application/json"),
        Response(500, b"[" * 10_000, "application/json"),
    ],
)
def test_bodies_of_handlers_are_not_told(answer):
    errors = LastErrors()
    errors.answered(asked_for("w"), answer, 1)
    assert [each["message"] for each in errors.newest_first()] == ["its handler answered so"]


def test_health_that_is_asked_for_is_no_error_and_what_clients_did_is_none():
    errors = LastErrors()
    errors.answered(asked_for(), json_response({"status": "Unhealthy"}, 500), 1)
    errors.answered(asked_for("w"), error_response(404, "no such"), 1)
    assert errors.newest_first() == []
    failed(errors, "no worker starts", workflow="")
    assert [(each["workflow"], each["message"]) for each in errors.newest_first()] == [("", "no worker starts")]


# Latencies


@pytest.mark.parametrize("seed", range(5))
def test_percentiles_are_those_of_all_times_as_near_as_promised(seed):
    chance = random.Random(seed)
    times = [chance.lognormvariate(-5, 1.5) for _ in range(20_000)]
    window = Window()
    for at, each in enumerate(times):
        window.add(each, 1000 + at / 1000)
    shares = (0.01, 0.5, 0.9, 0.99, 1.0)
    for share, found in zip(shares, window.percentiles(1020, shares), strict=True):
        exact = sorted(times)[math.ceil(share * len(times)) - 1]
        assert found == pytest.approx(exact, rel=ERROR * 1.001), share


def test_a_minute_is_forgotten_slot_by_slot():
    window = Window()
    for at in range(12):
        window.add(2.0**at / 1000, 1000 + at * SLOT_S)
    at_end = 1000 + 11 * SLOT_S
    assert window.percentiles(at_end, (0.0,))[0] == pytest.approx(2.0**6 / 1000, rel=0.03)
    assert window.percentiles(at_end + 5 * SLOT_S, (0.0,))[0] == pytest.approx(2.0**11 / 1000, rel=0.03)
    assert window.percentiles(at_end + 6 * SLOT_S, (0.0,)) is None
    window.add(0.001, at_end + 1e6)
    assert len(window._slots) == 6
    assert window.percentiles(at_end + 1e6, (1.0,))[0] == pytest.approx(0.001, rel=0.03)


@pytest.mark.parametrize("strange", [0.0, -1.0, 1e-12, 1e9])
def test_strange_times_are_counted_and_make_no_buckets_of_their_own(strange):
    window = Window()
    for at in range(1000):
        window.add(strange * (at + 1), 1000)
    assert len(window._slots[-1]) == 1
    assert window.percentiles(1000, (0.5,))


def test_one_window_stays_small_whatever_comes():
    chance = random.Random(1)
    window = Window()
    for at in range(100_000):
        window.add(10 ** chance.uniform(-9, 9), at / 100)
    assert len(window._slots) == 6
    assert max(map(len, window._slots)) <= 29 * 16


def latencies_of(**there: tuple[str, ...]) -> Latencies:
    return Latencies(lambda: there)


def test_failures_are_counted_and_have_no_latency():
    latencies = latencies_of(w=())
    latencies.answered(asked_for("w"), Response(200), 0.5)
    latencies.answered(asked_for("w"), Response(503), 0.0001)
    latencies.answered(asked_for(), Response(200), 0.1)
    times = latencies.of("w")
    assert (times.answered, times.failed) == (1, 1)
    assert times.window.percentiles(1, (0.01,))[0] == pytest.approx(0.5, rel=0.03)
    assert len(latencies) == 1


def test_names_come_and_go_and_leave_nothing():
    there: dict[str, tuple[str, ...]] = {}
    latencies = Latencies(lambda: there)
    for at in range(10_000):
        there.clear()
        there[f"w{at}"] = ("n",)
        latencies.answered(asked_for(f"w{at}"), Response(200), 0.1)
    assert len(latencies) <= 2
    there["w9999"] = ()
    latencies.ran(asked_for("w9999"), run_of(n=0.1))
    latencies.forget_gone()
    assert latencies.of("w9999").nodes == {}


def run_of(now: float = 1000.0, **took_s: float):
    attempts = [
        SimpleNamespace(node=SimpleNamespace(name=name), enqueued=now - took, received=now)
        for name, took in took_s.items()
    ]
    return SimpleNamespace(error=None, attempts=[*attempts, None])


def test_nodes_are_measured_and_under_load_one_run_of_eight_for_all():
    latencies = latencies_of(w=("a", "b"))
    asked, chance = asked_for("w"), random.Random(3)
    times = [chance.lognormvariate(-6, 1) for _ in range(40_000)]
    for at, each in enumerate(times):
        latencies.ran(asked, run_of(1000 + at / 4000, a=each, b=0.25))
    latencies.ran(asked, SimpleNamespace(error=RunError("no", node="a", attempts=1), attempts=[]))
    nodes = latencies.of("w").nodes
    p50, p99 = nodes["a"].percentiles(1009.9, (0.5, 0.99))
    assert p50 == pytest.approx(sorted(times)[20_000], rel=0.08)
    assert p99 == pytest.approx(sorted(times)[39_600], rel=0.2)
    counted = sum(sum(slot.values()) for slot in nodes["b"]._slots)
    assert counted == pytest.approx(40_000, rel=0.01)


def test_the_page_tells_latencies_of_workflows_and_nodes(page, registry):
    registry.add("w", edges="a > b")

    async def ran():
        now = asyncio.get_running_loop().time()
        asked = asked_for("w")
        asked.begun = now
        for _ in range(100):
            page.ran(asked, run_of(now, a=0.010, b=0.020))
            page.answered(asked, Response(200), 0.031)
        return await told(page)

    (workflow,) = asyncio.run(ran())["workflows"]
    assert (workflow["answered"], workflow["failed"]) == (100, 0)
    assert workflow["latencyMs"]["p99"] == pytest.approx(31, rel=0.03)
    a, b = workflow["versions"][0]["nodes"]
    assert a["latencyMs"]["p50"] == pytest.approx(10, rel=0.03)
    assert b["latencyMs"]["p50"] == pytest.approx(20, rel=0.03)
