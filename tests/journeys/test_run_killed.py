"""The folders that archives are unpacked into, when the command is killed (T54)."""

import os
import subprocess
import sys
from pathlib import Path

WFCTL = Path(sys.executable).parent / "wfctl"

SPEC = "dag:\n  pre: [post]\n"
HANDLER = """
import os, sys, time
def pre(data, context):
    if data and data[0]["body"] == "wait":
        print("wait here", file=sys.stderr, flush=True)
        time.sleep(1000)
    return data and [row["body"] for row in data]
def post(data, context):
    return data and [os.getcwd() for row in data]
"""


def test_t54_extraction_folders_are_private_unpredictable_and_gone_after_a_kill(flow, wfctl, tmp_path, monkeypatch):
    folder = flow(SPEC, HANDLER)
    packed = wfctl("archive", folder, "--workflow-name", "flow", "--export-path", tmp_path)
    assert packed.returncode == 0, packed.stderr
    war = tmp_path / "flow.war"
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    places = []
    for _ in range(2):
        words = [str(WFCTL), "run", "-w", str(war), "-"]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as command:
            command.stdin.write(b"wait")
            command.stdin.close()
            assert any(b"wait here" in line for line in command.stderr)
            command.kill()
        (left,) = set(temporary.iterdir()) - set(places)
        assert left.stat().st_mode & 0o777 == 0o700
        assert left.stat().st_uid == os.getuid()
        places.append(left)
    first, second = (place.name for place in places)
    assert sum(one != other for one, other in zip(first, second, strict=True)) >= 4
    for place in places:
        os.utime(place, (0, 0))
    done = wfctl("run", "-w", war, "-", stdin=b"go")
    assert done.returncode == 0, done.stderr
    assert list(temporary.iterdir()) == []
