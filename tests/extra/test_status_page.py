"""The status page in a real browser: it shows what is served, changes with it, and nothing hostile runs in it."""

import io
import json
import threading
from http.client import HTTPConnection

import pytest
from fakes.archives import write_war
from fakes.browser import Browser, Tab
from fakes.hostile import HOSTILE, renamed
from fakes.plans import plan_of
from fakes.served import call
from fakes.status_site import StatusSite
from PIL import Image

from wfctl.web.access.auth import Keys
from wfctl.web.config.addresses import Role as At
from wfctl.web.page.drawings import painted
from wfctl.web.routes import Endpoint
from wfctl.web.wire.messages import Response

pytestmark = pytest.mark.timeout(180)

SPEC = "models: {max-workers: 1, max-batch-delay: 0, retry-attempts: 0, timeout-ms: 20000}\ndag: {pre: [work], work: [post]}\n"
HANDLER = """
import time, zlib, struct


def same(data, context):
    return [row.get("body") or row.get("data") for row in data] if data else None


def picture():
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    head = struct.pack(">IIBBBBB", 3, 2, 8, 2, 0, 0, 0)
    rows = (b"\\0" + b"\\xc2\\x2f\\x2f" * 3) * 2
    return b"\\x89PNG\\r\\n\\x1a\\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def work(data, context):
    body = (data[0].get("body") or b"") if data else b""
    word = body if isinstance(body, str) else bytes(body).decode("utf-8", "replace") if isinstance(body, (bytes, bytearray)) else ""
    if word == "fail":
        raise ValueError("no good")
    if word == "slow":
        time.sleep(5)
    return same(data, context)


def post(data, context):
    answer = same(data, context)
    if answer and bytes(answer[0]) == b"picture":
        context.set_response_content_type(0, "image/png")
        return [picture()]
    if answer and bytes(answer[0]) == b"page":
        context.set_response_content_type(0, "text/html")
        return [b"<script>document.title = 'owned'</script><img src=x onerror=alert(1)>"]
    return answer


pre = same
"""


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return write_war(tmp_path_factory.mktemp("store") / "flow.war", SPEC, HANDLER)


@pytest.fixture(scope="module")
def site(archive):
    with StatusSite(archive) as site:
        yield site


@pytest.fixture(scope="module")
def browser():
    with Browser() as browser:
        yield browser


@pytest.fixture
def tab(browser):
    tab = browser.tab()
    yield tab
    tab.close()


def opened(tab: Tab, site: StatusSite) -> Tab:
    tab.go(site.address)
    tab.wait("document.querySelector('#picture')?.complete && document.querySelectorAll('.live .told').length > 0")
    return tab


class Load:
    """Clients that ask one after another as long as it lasts."""

    def __init__(self, site: StatusSite, count: int = 4) -> None:
        self._port, self._ends = site.ports[At.INFERENCE], threading.Event()
        self._clients = [threading.Thread(target=self._ask) for _ in range(count)]

    def _ask(self) -> None:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=60)
        while not self._ends.is_set():
            connection.request("POST", "/wfpredict/flow", b"{}", {"content-type": "text/plain"})
            connection.getresponse().read()
        connection.close()

    def __enter__(self) -> None:
        for each in self._clients:
            each.start()

    def __exit__(self, *reason: object) -> None:
        self._ends.set()
        for each in self._clients:
            each.join()


def nodes_of(tab: Tab) -> list[list[str]]:
    """What the table of nodes says."""
    return tab.run(
        "[...document.querySelectorAll('#nodes tr')].map((row) => [...row.cells].map((cell) => cell.textContent.trim()))"
    )


def test_the_page_shows_what_is_served_and_asks_nobody_else(tab, site):
    opened(tab, site)
    assert tab.text("#name") == "flow"
    assert [row[0] for row in nodes_of(tab)] == ["pre", "work", "post"]
    assert [row[-2] for row in nodes_of(tab)] == ["1 of 1"] * 3
    assert tab.text("#state") == "ready"
    assert tab.run("document.querySelector('#picture').alt").startswith("3 nodes, 2 edges: pre to work")
    tab.wait("document.querySelector('#picture').naturalWidth", lambda width: width > 200)
    assert tab.complaints == []
    foreign = [
        each for each in tab.requests if not each.startswith((site.address + "/", "data:", f"blob:{site.address}"))
    ]
    assert foreign == []
    assert not [each for each in tab.requests if each.startswith("data:text")]


def test_numbers_change_under_load(tab, site):
    opened(tab, site)
    tile = "[...document.querySelectorAll('#tiles dd span')].map((each) => each.textContent)"
    tab.wait(tile, lambda found: found[0] == "0")
    assert tab.run("[...document.querySelectorAll('.live .told')].map((each) => each.textContent)") == ["idle"] * 3
    with Load(site):
        rates = tab.wait(tile, lambda found: float(found[0].removesuffix("k").replace(",", "")) > 5)
        assert rates[1][0].isdigit()
        tab.wait("[...document.querySelectorAll('.live .told')].every((each) => each.textContent.includes('/s · '))")
        first = nodes_of(tab)
        tab.wait(
            "JSON.stringify([...document.querySelectorAll('#nodes tr')].map((row) => [...row.cells].map((cell) => cell.textContent.trim())))",
            lambda found: json.loads(found) != first,
        )
        assert tab.run("document.querySelector('.spark .line').getAttribute('d').length") > 20
    assert tab.complaints == []


def colours_at(tab: Tab) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """The colours of the page's ground and of the drawing's paper, as they are seen."""
    tab.run("scrollTo(0, 0)")
    x, y = tab.run("(({x, y}) => [x + 14, y + 14])(document.querySelector('#picture').getBoundingClientRect())")
    with Image.open(io.BytesIO(tab.shot(whole=False))) as seen:
        plain = seen.convert("RGB")
        return plain.getpixel((5, plain.height - 5)), plain.getpixel((round(x), round(y)))


def test_it_is_light_and_dark_with_its_drawing(browser, site):
    for scheme, ground, paper in (
        ("light", (0xF4, 0xF5, 0xF7), (255, 255, 255)),
        ("dark", (0x0B, 0x0E, 0x12), (0x12, 0x16, 0x1B)),
    ):
        tab = opened(browser.tab(scheme=scheme), site)
        assert colours_at(tab) == (ground, paper), scheme
        tab.close()


@pytest.mark.parametrize("width", [320, 390, 768, 861, 1001, 1101, 1600])
def test_it_fits_narrow_and_wide(browser, site, width):
    tab = opened(browser.tab(width=width), site)
    assert tab.run("document.documentElement.scrollWidth") <= width
    over = """[...document.querySelectorAll('.panel')].filter((panel) =>
        [...panel.querySelectorAll('table, td, p, dl, form, .row')].some((part) =>
            part.getBoundingClientRect().right > panel.getBoundingClientRect().right)).length"""
    with Load(site):
        tab.wait("document.querySelectorAll('#nodes tr')[1]?.cells[3].textContent > '1'")
        assert tab.run(over) == 0
    drawn = tab.run("document.querySelector('#canvas').getBoundingClientRect().toJSON()")
    assert drawn["left"] >= 0
    assert drawn["right"] <= width
    # From left to right where there is room, else from top to bottom.
    assert (drawn["width"] > drawn["height"]) == (width > 390)
    tab.close()


# The form


def tried(tab: Tab, text: str, kind: str = "application/json") -> str:
    """Try an input as a person does, by the keyboard, and return the head of the answer."""
    tab.run("document.querySelector('#answer').hidden = true")
    tab.run(f"document.querySelector('#trial-type').value = {json.dumps(kind)}")
    tab.run("document.querySelector('#trial-text').value = ''; document.querySelector('#trial-text').focus()")
    tab.write(text)
    tab.press("Enter", number=13, modifiers=2)
    tab.wait("!document.querySelector('#answer').hidden && !document.querySelector('#trial-run').disabled")
    return tab.text("#answer-head")


def test_the_form_shows_status_time_and_json_as_it_was_written(tab, site):
    opened(tab, site)
    text = (
        '{"id":12345678901234567890,"p":1.0,"empty":[],"short":[1,2],"deep":{"a":"x, {y}: [z]","b":[{"c":"'
        + "long " * 20
        + '"}]}}'
    )
    head = tried(tab, text, "text/plain")
    assert head.startswith("200")
    assert " ms" in head
    assert "in the server" in head
    shown = tab.text("#answer-body pre")
    assert '"id": 12345678901234567890' in shown
    assert '"p": 1.0' in shown
    assert '"empty": []' in shown
    assert '"short": [1, 2]' in shown
    assert shown.count("\n") > 5
    assert json.loads(shown) == json.loads(text)
    assert tab.complaints == []


def test_pictures_are_shown_and_markup_is_text(tab, site):
    opened(tab, site)
    assert "image/png" in tried(tab, "picture", "text/plain")
    tab.wait("document.querySelector('#answer-body img').naturalWidth", lambda width: width == 3)
    assert "text/html" in tried(tab, "page", "text/plain")
    assert tab.text("#answer-body pre").startswith("<script>document.title")
    assert tab.run("document.querySelector('#answer-body').querySelectorAll('script, img').length") == 0
    assert "owned" not in tab.run("document.title")
    assert tab.complaints == []


def test_a_file_is_sent_as_it_is_with_its_type(tab, site, tmp_path):
    opened(tab, site)
    picture = tmp_path / "dot.png"
    with io.BytesIO() as made:
        Image.new("RGB", (5, 4), "red").save(made, "PNG")
        picture.write_bytes(made.getvalue())
    root = tab.call("DOM.getDocument")["root"]["nodeId"]
    field = tab.call("DOM.querySelector", nodeId=root, selector="#trial-file")["nodeId"]
    tab.call("DOM.setFileInputFiles", nodeId=field, files=[str(picture)])
    assert tab.run("document.querySelector('#trial-type').value") == "image/png"
    assert "dot.png" in tab.text("#trial-chosen")
    tab.click("#trial-run")
    head = tab.wait("document.querySelector('#answer-head').textContent")
    assert head.startswith("200")
    assert f"{picture.stat().st_size} B" in head
    tab.click("#trial-drop")
    assert tab.run("document.querySelector('#trial-text').disabled") is False


def test_an_error_is_shown_where_it_happened_and_among_the_last_ones(tab, site):
    opened(tab, site)
    assert tried(tab, "fail", "text/plain").startswith("500")
    told = json.loads(tab.text("#answer-body pre"))
    assert told["message"].startswith("Error executing work")
    tab.wait("document.querySelector('#errors')?.innerText ?? ''", lambda found: "flow / work" in found)
    assert "Error executing work" in tab.text("#errors")
    assert "Traceback" not in tab.text("body")


def test_a_run_can_be_stopped(tab, site):
    opened(tab, site)
    tab.run("document.querySelector('#trial-type').value = 'text/plain'")
    tab.run("document.querySelector('#trial-text').value = 'slow'; document.querySelector('#trial-run').click()")
    tab.wait("!document.querySelector('#trial-stop').hidden")
    tab.click("#trial-stop")
    tab.wait("document.querySelector('#answer-head').textContent", lambda head: head.startswith("stopped"))
    assert tab.run("document.querySelector('#trial-run').disabled") is False


# Versions, keys, and what goes wrong


def test_versions_are_chosen_by_address(tab, site, archive):
    site.run(site.register(archive, "2.0"))
    try:
        opened(tab, site)
        buttons = (
            "[...document.querySelectorAll('#versions button')].map((each) => [each.textContent, each.ariaPressed])"
        )
        assert tab.wait(buttons, lambda found: len(found) == 2) == [["1.0 (default)", "true"], ["2.0", "false"]]
        tab.click("#versions button:nth-child(2)")
        tab.wait(buttons, lambda found: found[1][1] == "true")
        assert tab.run("location.hash") == "#flow/2.0"
        assert tab.run("JSON.parse(document.querySelector('#trial-workflow').value)") == ["flow", "2.0"]
        for strange in ("#%E0%A4%A", "#flow/9", "#<script>/x", "#//"):
            tab.run(f"location.hash = {json.dumps(strange)}")
            assert tab.text("#name") == "flow"
        assert tab.complaints == []
    finally:
        site.run(site.front.site.registry.unregister("flow", "2.0"))


def test_a_key_is_asked_for_kept_in_this_tab_only_and_sent_as_a_field(browser, archive, tmp_path):
    keys = Keys.create(tmp_path / "key_file.json", lifetime_min=60)
    told = json.loads((tmp_path / "key_file.json").read_text(encoding="utf-8"))
    key = told["management"]["key"]
    with StatusSite(archive, keys=keys) as site:
        port = site.ports[At.MANAGEMENT]
        assert call(port, "GET", "/").status == 200
        assert call(port, "GET", "/status/page/main.js").status == 200
        for path in ("/status", "/status/flow/1.0/drawing", "/status/page", "/status/nothing"):
            assert call(port, "GET", path).status == 401, path
        assert call(port, "POST", "/status/flow/1.0/try", "{}").status == 401
        assert (
            call(port, "GET", "/status", headers={"Authorization": f"Bearer {told['inference']['key']}"}).status == 401
        )
        tab = browser.tab()
        tab.go(site.address)
        tab.wait("!document.querySelector('#key-form').hidden")
        assert tab.run("document.activeElement.id") == "key"
        assert tab.run("document.querySelector('#house').hidden") is True
        tab.write("wrong")
        tab.press("Enter", number=13, text="\r")
        tab.wait("!document.querySelector('#key-wrong').hidden")
        assert tab.run("sessionStorage.length") == 0
        tab.write(f" {key}\n")
        tab.press("Enter", number=13, text="\r")
        tab.wait("!document.querySelector('#house').hidden && document.querySelectorAll('.live .told').length > 0")
        assert tried(tab, "{}", "text/plain").startswith("200")
        assert tab.run("[Object.values(sessionStorage), localStorage.length, document.cookie]") == [[key], 0, ""]
        assert not [each for each in tab.requests if key in each]
        tab.click("#forget-key")
        tab.wait("!document.querySelector('#key-form').hidden")
        assert tab.run("sessionStorage.length") == 0
        tab.close()


def hostile_site(site: StatusSite) -> dict:
    """Numbers and a drawing full of names that no workflow can have."""
    plan = renamed(plan_of("a > b"), b=HOSTILE)
    node = {
        "kind": "model",
        "waiting": 7,
        "queueSize": 10,
        "running": 1,
        "batchSize": 1,
        "batchMs": 1.0,
        "latencyMs": None,
        "workers": {"ready": 0, "starting": 1, "least": 2, "most": 9, "lost": 3},
        "counts": {"done": 1, "failed": 2, "retried": 0, "batches": 1, "calls": 1},
        "lastFailure": f"<img src=x onerror=alert(1)> {HOSTILE}",
    }
    nodes = [{"name": each.name, **node} for each in plan.nodes]
    version = {"version": HOSTILE, "since": 1.0, "inFlight": 1, "nodes": nodes}
    workflow = {
        "name": HOSTILE,
        "default": HOSTILE,
        "answered": 1,
        "failed": 1,
        "latencyMs": None,
        "versions": [version],
    }
    error = {
        "at": 1.0,
        "workflow": HOSTILE,
        "node": HOSTILE,
        "status": 500,
        "message": "</p><script>alert(1)</script>",
        "count": 2,
    }
    server = {"version": "<b>", "state": '" onload="alert(1)', "uptimeS": 1, "clockS": 1, "takesKeys": False}
    told = {"server": server, "workflows": [workflow], "errors": [error]}
    endpoints = site.front.endpoints

    def data(asked):
        server["clockS"] += 1
        return Response(200, json.dumps(told).encode(), "application/json")

    async def drawing(asked):
        return Response(200, painted(plan, HOSTILE, "LR"), "application/json")

    endpoints.now[Endpoint.STATUS_DATA] = data
    endpoints.later[next(each for each in endpoints.later if "DRAWING" in str(each))] = drawing
    return told


def test_nothing_hostile_runs_or_becomes_markup(browser, archive):
    with StatusSite(archive) as site:
        hostile_site(site)
        tab = browser.tab()
        tab.call("Page.addScriptToEvaluateOnNewDocument", source="window.alert = () => { window.owned = true; }")
        opened(tab, site)
        tab.wait("document.querySelectorAll('#nodes tr').length", lambda count: count == 4)
        seen = HOSTILE.replace("\u202e", "\\u202e")
        assert tab.text("#name") == seen
        assert tab.text("#versions") == f"{seen} (default)"
        assert "\u202e" not in tab.run("document.title + document.body.innerText")
        assert "<img src=x onerror=alert(1)>" in tab.text("#nodes")
        assert "</p><script>alert(1)</script>" in tab.text("#errors")
        assert tab.run("document.scripts.length") == 1
        assert tab.run("document.images.length") == 2
        assert (
            tab.run(
                "[...document.querySelectorAll('*')].flatMap((each) => [...each.attributes]).filter((each) => each.name.startsWith('on')).length"
            )
            == 0
        )
        assert tab.run("window.owned ?? false") is False
        assert "lacks workers" in tab.text("#workflows")
        assert tab.run("document.querySelectorAll('.live .short').length") == 2
        assert tab.complaints == []
        tab.close()


def test_the_policy_stops_what_would_be_inline(tab, site):
    opened(tab, site)
    tab.run(
        "{ const bad = document.createElement('script'); bad.textContent = 'window.owned = true'; document.body.append(bad); }"
    )
    tab.run("document.body.setAttribute('onclick', 'window.owned = true'); document.body.click()")
    tab.run("fetch('http://127.0.0.1:9/').catch(() => 0)")
    assert tab.run("window.owned ?? false") is False
    assert len([each for each in tab.complaints if "Content Security Policy" in each]) >= 3


def test_it_asks_only_while_somebody_looks(tab, site):
    opened(tab, site)
    hide = "Object.defineProperty(document, 'visibilityState', {value: '%s', configurable: true}); document.dispatchEvent(new Event('visibilitychange'))"
    tab.run("performance.clearResourceTimings()")
    asked = "performance.getEntriesByType('resource').filter((each) => each.name.endsWith('/status')).length"
    tab.wait(asked, lambda count: count >= 1)
    tab.run(hide % "hidden")
    tab.run("new Promise((go) => setTimeout(go, 300))")
    before = tab.run(asked)
    tab.run("new Promise((go) => setTimeout(go, 2500))")
    assert tab.run(asked) == before
    tab.run(hide % "visible")
    tab.wait(asked, lambda count: count > before)


def test_a_server_that_is_gone_is_told_and_the_last_numbers_stay(browser, archive):
    tab = browser.tab()
    with StatusSite(archive) as site:
        opened(tab, site)
    tab.wait("!document.querySelector('#notice').hidden")
    assert tab.text("#notice").startswith("The server does not answer. The numbers are of ")
    assert tab.text("#state") == "no answer"
    assert [row[0] for row in nodes_of(tab)] == ["pre", "work", "post"]
    tab.close()


def test_everything_is_reached_by_the_keyboard(tab, site):
    opened(tab, site)
    tab.run("document.body.focus()")
    reached = []
    for _ in range(14):
        tab.press("Tab", number=9)
        reached.append(
            tab.run("document.activeElement.id || document.activeElement.className || document.activeElement.tagName")
        )
    assert reached[0] == "skip"
    stops = [each for each in reached if each == "holder" or each.startswith("trial-")]
    assert stops[:6] == [
        "holder",
        "trial-workflow",
        "trial-type",
        "trial-text",
        "trial-file",
        "trial-run",
    ]
