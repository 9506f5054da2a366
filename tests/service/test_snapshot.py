"""What is served is written down whole, for nobody but the owner, and read again whatever it is called."""

import asyncio
import contextlib
import json
import os
import random
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wfctl.replace_file import replace_file
from wfctl.service.prepare import Request
from wfctl.service.registry import Wish
from wfctl.service.snapshot import BadSnapshotError, NotSavedError, Snapshot, read_snapshot
from wfctl.service.wishes import WishMaker

USUAL = Request(path=Path())
WISHES = WishMaker(pattern=USUAL)
PRESIGNED = "https://store.example/flow.war?X-Amz-Expires=60&X-Amz-Signature=SECRET"


class Served(list):
    """What a snapshot asks of a registry, without one worker."""

    def __init__(self, *paths, url="flow"):
        super().__init__(self.one(str(at), path, url) for at, path in enumerate(paths))

    @staticmethod
    def one(name, path, url):
        node = SimpleNamespace(name="a", settings=SimpleNamespace(min_workers=1, max_workers=1))
        return SimpleNamespace(
            name=name,
            version="1.0",
            wish=Wish(request=Request(path=path, name=name, response_timeout_s=2.5), url=url),
            deployment=SimpleNamespace(prepared=SimpleNamespace(plan=SimpleNamespace(nodes=[node]))),
            engine=SimpleNamespace(
                statistics=lambda: SimpleNamespace(nodes=[SimpleNamespace(node="a", least=2, most=3)])
            ),
        )

    def is_default(self, served):
        return served is self[0]


def write(file, *paths, **more):
    asyncio.run(Snapshot(file, Served(*paths, **more), USUAL).write())


def rights(file):
    return stat.S_IMODE(file.stat().st_mode)


@pytest.mark.parametrize("before", [None, 0o644, 0o666, 0o400, 0o4755])
def test_only_the_owner_reads_what_may_hold_a_signature(tmp_path, before):
    file = tmp_path / "state.json"
    if before is not None:
        file.write_text("old")
        file.chmod(before)
    mask = os.umask(0)
    try:
        write(file, PRESIGNED)
    finally:
        os.umask(mask)
    assert rights(file) == 0o600
    (found,) = read_snapshot(file, WISHES)
    assert found.wish.request.path == PRESIGNED


def test_no_other_user_could_read_it_at_any_moment(tmp_path, monkeypatch):
    seen = []
    real = os.fdopen

    def opened(number, *words):
        seen.append(stat.S_IMODE(os.fstat(number).st_mode))
        return real(number, *words)

    changed = []
    monkeypatch.setattr(os, "fdopen", opened)
    monkeypatch.setattr(Path, "chmod", lambda self, mode: changed.append(mode))
    replace_file(tmp_path / "a", b"x", is_private=True)
    assert seen == [0o600]
    assert changed == [0o600]


def test_the_file_behind_a_link_is_the_owners_too(tmp_path):
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    write(tmp_path / "link", PRESIGNED)
    assert (tmp_path / "link").is_symlink()
    assert rights(tmp_path / "real") == 0o600


@pytest.mark.parametrize(
    "name",
    ["a b", "é", "\n", '"', "\\", "{}", "#sha256=1", "%41", "https:", "~", "-x", "a\u2028b", b"\xff".decode("utf-8", "surrogateescape"), "x" * 255],
    ids=ascii,
)  # fmt: skip
def test_an_odd_name_is_read_as_it_was_written(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "state.json", Path(name), tmp_path / name, url=name)
    monkeypatch.chdir("/")
    first, second = read_snapshot(tmp_path / "state.json", WISHES)
    assert first.wish.request.path == second.wish.request.path == tmp_path / name
    assert first.wish.url == name
    assert (first.is_default, second.is_default, first.scaled) == (True, False, {"a": (2, 3)})
    assert first.wish.request.response_timeout_s == 2.5


def test_a_disk_that_refuses_leaves_the_file_before(tmp_path):
    file = tmp_path / "state.json"
    write(file, Path("/a"))
    before = file.read_bytes()
    with pytest.raises(NotSavedError):
        write(tmp_path / "absent" / "state.json", Path("/a"))
    with pytest.raises(NotSavedError):
        write(tmp_path, Path("/a"))
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


# Writes longer and shorter states in turn, as a server does whose workflows come and go.
WRITER = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_snapshot import USUAL, Served, Snapshot

async def main():
    registry = Served(*(Path("/", "x" * 200, str(at)) for at in range(2000)))
    whole = list(registry)
    snapshot = Snapshot(Path(sys.argv[1]), registry, USUAL)
    for turn in range(10**9):
        registry[:] = whole[: 2000 if turn % 2 else 1 + turn % 50]
        await snapshot.write()
        if turn == 1:
            print("ready", flush=True)

asyncio.run(main())
"""


def test_a_server_that_is_killed_while_it_writes_leaves_a_whole_file(tmp_path):
    file = tmp_path / "state.json"
    counts = set()
    for seed in range(5):
        words = [sys.executable, "-c", WRITER, file, Path(__file__).parent]
        with subprocess.Popen(words, stdout=subprocess.PIPE) as writer:
            assert writer.stdout.readline() == b"ready\n"
            time.sleep(random.Random(seed).uniform(0, 0.05))
            writer.send_signal(signal.SIGKILL)
        counts.add(len(read_snapshot(file, WISHES)))
        assert rights(file) == 0o600
    assert all(count == 2000 or count <= 50 for count in counts)
    # What was being written may lie beside it, and is the owner's alone as well.
    assert {rights(each) for each in tmp_path.iterdir()} == {0o600}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
RECORD = {
    "name": "a",
    "version": "1.0",
    "isDefault": True,
    "path": "/a",
    "url": "a",
    "startupTimeout": None,
    "responseTimeout": None,
    "scaled": {"a": [1, 2]},
}


@given(key=st.sampled_from(sorted(RECORD)), value=JSON | st.dictionaries(st.text(), st.lists(JSON, max_size=3)))
def test_a_state_that_was_tampered_with_is_read_or_refused(tmp_path_factory, key, value):
    file = tmp_path_factory.getbasetemp() / "tampered.json"
    file.write_text(json.dumps({"format": 1, "workflows": [{**RECORD, key: value}]}))
    with contextlib.suppress(BadSnapshotError):
        assert len(read_snapshot(file, WISHES)) == 1


@pytest.mark.parametrize("scaled", ["[1e999, 1]", "[1]", "1", '{"a": [1e999, 1]}', '{"a": [1]}', '{"a": null}'])
def test_numbers_of_workers_that_are_none_are_refused(tmp_path, scaled):
    text = json.dumps({"format": 1, "workflows": [{**RECORD, "scaled": "HERE"}]}).replace('"HERE"', scaled)
    (tmp_path / "state.json").write_text(text)
    with pytest.raises(BadSnapshotError):
        read_snapshot(tmp_path / "state.json", WISHES)
