"""Headless Chromium, driven by its own protocol over two pipes: no driver, no web socket, nothing to install for pip."""

import base64
import fcntl
import itertools
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_SWITCHES = (
    "--headless=new",
    "--no-sandbox",  # the sandbox needs rights that a container has not
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
_LONGEST_S = 60


class Browser:
    """One browser process; a context manager. ``tab`` opens pages."""

    def __init__(self) -> None:
        program = next(filter(None, map(shutil.which, NAMES)), None)
        assert program, f"none of {', '.join(NAMES)} is installed: .ci/run says how"
        self._home = tempfile.TemporaryDirectory(prefix="wfctl-browser-", ignore_cleanup_errors=True)
        takes, self._to = _pipe()
        self._from, gives = _pipe()
        home = self._home.name
        # Chromium reads descriptor 3 and writes descriptor 4: a shell puts ours there.
        line = f'exec "$0" "$@" 3<&{takes} 4>&{gives} {takes}<&- {gives}>&-'
        self._process = subprocess.Popen(
            ["bash", "-c", line, program, *_SWITCHES, f"--user-data-dir={home}/profile", "about:blank"],
            pass_fds=(takes, gives),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": home},
        )
        os.close(takes)
        os.close(gives)
        self._numbers = itertools.count(1)
        self._left = b""
        self._tabs: dict[str, Tab] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        with suppress(AssertionError, OSError):
            self.call("Browser.close")
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(20)
        os.close(self._to)
        os.close(self._from)
        self._home.cleanup()

    def tab(self, *, width: int = 1600, height: int = 1000, scheme: str = "light") -> "Tab":
        """Open an empty page."""
        context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        tab = self._tabs[session] = Tab(self, session, context)
        for domain in ("Page", "Runtime", "Log", "Network"):
            tab.call(f"{domain}.enable")
        tab.resize(width, height)
        tab.set_scheme(scheme)
        return tab

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Call a method and wait for its result."""
        number = next(self._numbers)
        told = {"id": number, "method": method, "params": parameters, **({"sessionId": session} if session else {})}
        os.write(self._to, json.dumps(told).encode() + b"\0")
        until = time.monotonic() + _LONGEST_S
        while True:
            assert time.monotonic() < until, f"{method} was not answered"
            heard = self._hear()
            if heard.get("id") == number:
                assert "error" not in heard, (method, heard["error"])
                return heard["result"]
            tab = self._tabs.get(heard.get("sessionId", ""))
            if tab is not None and "method" in heard:
                tab.note(heard["method"], heard["params"])

    def _hear(self) -> dict[str, Any]:
        while b"\0" not in self._left:
            piece = os.read(self._from, 1 << 20)
            assert piece, f"the browser ended: {self._process.poll()}"
            self._left += piece
        message, _, self._left = self._left.partition(b"\0")
        return json.loads(message)


def _pipe() -> tuple[int, int]:
    """Make a pipe whose ends have numbers that nobody needs for something else."""
    low = os.pipe()
    ends = [fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, 10) for each in low]
    for each in low:
        os.close(each)
    return ends[0], ends[1]


class Tab:
    """One page, in a profile of its own."""

    def __init__(self, browser: Browser, session: str, context: str) -> None:
        self._browser, self._session, self._context = browser, session, context
        self.complaints: list[str] = []
        """Errors of scripts and of the browser, refusals by the content policy among them."""
        self.requests: list[str] = []
        """Every address that was asked for."""

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._browser.call(method, self._session, **parameters)

    def note(self, method: str, told: dict[str, Any]) -> None:
        """Take an event of the browser."""
        if method == "Runtime.exceptionThrown":
            details = told["exceptionDetails"]
            self.complaints.append(details.get("exception", {}).get("description", details["text"]))
        elif method == "Runtime.consoleAPICalled" and told["type"] in {"error", "assert", "warning"}:
            self.complaints.append(str([each.get("value", each.get("description")) for each in told["args"]]))
        elif method == "Log.entryAdded" and told["entry"]["level"] in {"error", "warning"}:
            self.complaints.append(f"{told['entry']['text']} ({told['entry'].get('url')})")
        elif method == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])

    def go(self, address: str) -> None:
        """Open a page, and wait until it and what it names are there."""
        self.call("Page.navigate", url=address)
        self.wait("document.readyState === 'complete'")

    def resize(self, width: int, height: int) -> None:
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def set_scheme(self, scheme: str) -> None:
        """Prefer ``light`` or ``dark``."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", features=features)

    def run(self, script: str) -> Any:
        """Return the value of an expression, awaited if it is a promise."""
        told = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in told, (script, told["exceptionDetails"])
        return told["result"].get("value")

    def wait(self, script: str, is_right: Callable[[Any], Any] = bool, *, seconds: float = 20) -> Any:
        """Wait until the value of an expression is right, and return it."""
        until = time.monotonic() + seconds
        while True:
            found = self.run(script)
            if is_right(found):
                return found
            assert time.monotonic() < until, f"{script} stays {found!r}; complaints: {self.complaints}"
            self.run("new Promise((go) => setTimeout(go, 50))")

    def text(self, selector: str) -> str:
        """Return the text of an element as it is seen."""
        return self.run(f"document.querySelector({json.dumps(selector)}).innerText")

    def press(self, key: str, *, code: str = "", number: int = 0, modifiers: int = 0, text: str = "") -> None:
        """Press a key and let it go."""
        told = {"key": key, "code": code or key, "windowsVirtualKeyCode": number, "modifiers": modifiers}
        self.call("Input.dispatchKeyEvent", type="keyDown", **told, **({"text": text} if text else {}))
        self.call("Input.dispatchKeyEvent", type="keyUp", **told)

    def write(self, text: str) -> None:
        """Write where the focus is."""
        self.call("Input.insertText", text=text)

    def click(self, selector: str) -> None:
        self.run(f"document.querySelector({json.dumps(selector)}).click()")

    def shot(self, path: Path | None = None, *, whole: bool = True) -> bytes:
        """Take a picture as PNG, of the whole page or of what is seen."""
        clip = {}
        if whole:
            size = self.call("Page.getLayoutMetrics")["cssContentSize"]
            clip = {"clip": {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}}
        told = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole, **clip)
        picture = base64.b64decode(told["data"])
        if path is not None:
            path.write_bytes(picture)
        return picture

    def close(self) -> None:
        self._browser.call("Target.disposeBrowserContext", browserContextId=self._context)
