"""From a url to a file: ask, follow redirects, read the answer, and keep it under the name of its digest.

Every hop goes through the whole judgement again: the allow-list before anything is looked up, the address before
anything is connected to. Proxies of the environment are not used, and neither cookies nor passwords are sent.
Invariant: a file appears whole under its digest or not at all; no name comes from a server or a url.
"""

import hashlib
import http.client
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wfctl import __version__
from wfctl.errors import FetchError, NotAllowedError
from wfctl.store.address import Address, follow
from wfctl.store.fetch_line import Line, open_line
from wfctl.store.keep import Partial, partial_file
from wfctl.store.policy import FetchPolicy, Progress
from wfctl.store.stop import Stop

_OK: Final = 200
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_WANTS_LOGIN: Final = frozenset({401, 403, 407})
_CHUNK: Final = 1 << 18
_MOST_SAID: Final = 200
_MOST_DIGITS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What a url led to."""

    path: Path
    sha256: str


def refuse_unless_allowed(address: Address, policy: FetchPolicy, *, came_from: Address | None = None) -> None:
    """Raise ``FetchError`` with what to pass, unless the allow-list has the address."""
    if policy.allowed.admits(address):
        return
    whence = "" if came_from is None else f', where "{came_from.shown}" redirects to,'
    raise NotAllowedError(
        f'"{address.shown}"{whence} is not fetched: nothing is, unless it is allowed',
        hint=f'allow it with --allow-url "{address.folder}", or download it yourself and give its file name',
    )


def fetch(
    address: Address, *, policy: FetchPolicy, into: Path, ending: str, pin: str | None = None, stop: Stop | None = None
) -> Fetched:
    """Download to ``into/<digest><ending>``; with ``pin``, only what has that digest is kept.

    Raises ``FetchError``; after that, and after an interrupt, nothing of it is left.
    """
    refuse_unless_allowed(address, policy)
    with open_line(policy, stop or Stop()) as line, partial_file(into) as partial, _explained(address, line, policy):
        answer, last = _asked(address, line, policy)
        sha256 = _received(answer, last, line, policy, partial)
        if pin is not None and sha256 != pin:
            raise FetchError(f'"{address.shown}" is not the archive that sha256 pins: it has {sha256}')
        return Fetched(path=partial.keep_as(f"{sha256}{ending}"), sha256=sha256)


# --- question and answer ----------------------------------------------------------------------------------------


def _asked(address: Address, line: Line, policy: FetchPolicy) -> tuple[http.client.HTTPResponse, Address]:
    """Ask, and follow where the answer leads; return the answer that holds the file."""
    for _ in range(policy.limits.redirects + 1):
        answer = _ask(address, line)
        if answer.status not in _REDIRECTS:
            _judge_head(answer, address, policy)
            return answer, address
        address = _redirected(address, answer.headers.get("Location"), policy)
    raise FetchError(f'"{address.shown}" is not fetched: there are more than {policy.limits.redirects} redirects')


def _ask(address: Address, line: Line) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(address.host, address.port)
    connection.auto_open = 0  # it must never connect by itself
    connection.sock = line.connect(address)
    connection.putrequest("GET", address.target, skip_host=True, skip_accept_encoding=True)
    for name, value in (
        ("Host", address.place),
        ("User-Agent", f"wfctl/{__version__}"),
        ("Accept", "*/*"),
        ("Accept-Encoding", "identity"),
        ("Connection", "close"),
    ):
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    line.take_answer(answer)
    return answer


def _redirected(address: Address, location: str | None, policy: FetchPolicy) -> Address:
    if not location:
        raise FetchError(f'"{address.shown}" is not fetched: the server redirects to nowhere')
    following = follow(address, location)
    if following.scheme == "file":
        raise FetchError(f'"{address.shown}" is not fetched: the server redirects to a file of this machine')
    if address.scheme == "https" and following.scheme != "https":
        raise FetchError(f'"{address.shown}" is not fetched: the server redirects to plain HTTP, "{following.shown}"')
    refuse_unless_allowed(following, policy, came_from=address)
    return following


def _judge_head(answer: http.client.HTTPResponse, address: Address, policy: FetchPolicy) -> None:
    if answer.status != _OK:
        said = f"{answer.status} {answer.reason}".strip()[:_MOST_SAID]
        raise FetchError(
            f'"{address.shown}" is not fetched: the server answered "{said}"',
            hint="no name and no password are sent; fetch it yourself and give its file name"
            if answer.status in _WANTS_LOGIN
            else None,
        )
    encoding = answer.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in {"", "identity"}:
        raise FetchError(f'"{address.shown}" is not fetched: it comes encoded as "{encoding}", which was not asked for')
    declared = _declared(answer, address)
    if declared is not None and declared > policy.limits.size:
        raise _too_large(address, policy)


def _declared(answer: http.client.HTTPResponse, address: Address) -> int | None:
    """Return how many bytes the answer says it has; refuse an answer that says it in two ways."""
    lengths = {text.strip() for text in answer.headers.get_all("Content-Length", [])}
    coding = answer.headers.get("Transfer-Encoding")
    is_plain = coding is None or (coding.strip().lower() == "chunked" and not lengths)
    if not is_plain or len(lengths) > 1 or not all(map(_is_length, lengths)):
        raise FetchError(f'"{address.shown}" is not fetched: the server contradicts itself about its length')
    return int(lengths.pop()) if lengths else None


def _is_length(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS


# --- the body ---------------------------------------------------------------------------------------------------


def _received(
    answer: http.client.HTTPResponse, address: Address, line: Line, policy: FetchPolicy, partial: Partial
) -> str:
    declared, received, begun = _declared(answer, address), 0, time.monotonic()
    digest = hashlib.sha256()
    for chunk in _chunks(answer, address, declared, line):
        line.give_up_if_cut(address)
        received += len(chunk)
        if received > policy.limits.size:
            raise _too_large(address, policy)
        digest.update(chunk)
        partial.write(chunk)
        _tell(policy, address, received, declared, begun)
    line.give_up_if_cut(address)
    _tell(policy, address, received, declared, begun, is_done=True)
    return digest.hexdigest()


def _chunks(answer: http.client.HTTPResponse, address: Address, declared: int | None, line: Line) -> Iterator[bytes]:
    if not answer.chunked:
        answer.length = None  # counted here: what is missing or comes too much must not go unseen
    left = declared
    while left is None or left > 0:
        chunk = answer.read1(_CHUNK if left is None else min(left, _CHUNK))
        if not chunk:
            break
        left = None if left is None else left - len(chunk)
        yield chunk
    if left:
        raise FetchError(f'"{address.shown}" is not fetched: {left:,} of {declared:,} bytes are missing at its end')
    if left == 0 and _has_more(answer, line):
        raise FetchError(f'"{address.shown}" is not fetched: more than the announced {declared:,} bytes came')


def _has_more(answer: http.client.HTTPResponse, line: Line) -> bool:
    """Whether bytes lie behind the announced end; nobody waits for them."""
    line.do_not_wait()
    try:
        return bool(answer.read1(1))
    except (OSError, ValueError):
        return False  # nothing is there yet, or it is closed as it should be


def _tell(
    policy: FetchPolicy, address: Address, received: int, total: int | None, begun: float, *, is_done: bool = False
) -> None:
    if policy.on_progress is not None:
        elapsed = time.monotonic() - begun
        policy.on_progress(
            Progress(url=address.shown, received=received, total=total, elapsed_s=elapsed, is_done=is_done)
        )


def _too_large(address: Address, policy: FetchPolicy) -> FetchError:
    return FetchError(f'"{address.shown}" is not fetched: it is larger than {policy.limits.size:,} bytes')


@contextmanager
def _explained(address: Address, line: Line, policy: FetchPolicy) -> Iterator[None]:
    """Say in our own words what the network and the server's HTTP came to."""
    try:
        yield
    except FetchError:
        line.give_up_if_cut(address)  # what the cut led to is not the reason
        raise
    except (OSError, http.client.HTTPException) as error:
        line.give_up_if_cut(address)
        raise FetchError(f'"{address.shown}" was not fetched: {_words_for(error, policy)}') from error


def _words_for(error: OSError | http.client.HTTPException, policy: FetchPolicy) -> str:
    match error:
        case TimeoutError():
            return f"the server sent nothing for {policy.limits.silence_s:g} s"
        case ssl.SSLEOFError() | ssl.SSLError(reason="UNEXPECTED_EOF_WHILE_READING"):  # as Python before 3.11.4 has it
            return "the connection was cut off"
        case http.client.HTTPException():  # also the one that is an OSError too, where the server just hangs up
            return "the server does not speak HTTP as it should"
        case _:
            return (error.strerror or str(error)).lower()
