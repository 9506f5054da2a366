"""The commands of the README that need Ray, as a reader runs them: with a Ray that starts by itself."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_blocks_that_need_ray_run(tmp_path):
    shutil.copytree(ROOT / "samples", tmp_path / "samples", ignore=shutil.ignore_patterns("*.mar", "*.war"))
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "NO_COLOR": "1"}
    blocks = [text for text in BLOCK.findall((ROOT / "README.md").read_text()) if "--engine ray" in text]
    assert blocks
    for text in ["python samples/digits/build.py", *blocks]:
        done = subprocess.run(
            ["sh", "-eu", "-c", text], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=110
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
    assert len((tmp_path / "ray.jsonl").read_text().splitlines()) == 10
