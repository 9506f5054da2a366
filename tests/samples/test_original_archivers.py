import json
import subprocess
import sys
from pathlib import Path

import pytest
from sample_nodes import SAMPLES

BIN = Path(sys.executable).parent
DIGITS = SAMPLES / "digits"


@pytest.mark.slow
def test_archives_packed_by_the_tools_of_the_original_answer_unmodified(tmp_path):
    def pack(tool, *arguments):
        subprocess.run([str(BIN / tool), *arguments, "--export-path", str(tmp_path)], check=True, capture_output=True)

    model = ("torch-model-archiver", "--version", "1.0", "--model-name")
    cnn, mlp = DIGITS / "cnn", DIGITS / "mlp"
    pack(
        *model,
        "digits_cnn",
        *("--handler", str(cnn / "cnn_handler.py")),
        *("--model-file", str(cnn / "digits_cnn.py")),
        *("--serialized-file", str(cnn / "cnn_weights.pt")),
    )
    pack(*model, "digits_mlp", "--handler", str(mlp / "mlp_handler.py"), "--serialized-file", str(mlp / "mlp.pt"))
    pack(
        *("torch-workflow-archiver", "--workflow-name", "vote"),
        *("--spec-file", str(DIGITS / "workflow.yaml")),
        *("--handler", str(DIGITS / "handler.py")),
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["digits_cnn.mar", "digits_mlp.mar", "vote.war"]
    done = subprocess.run(
        [sys.executable, "-m", "wfctl", "run", str(DIGITS / "input.json"), "-w", str(tmp_path / "vote.war")],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["votes"] == {"cnn": 7, "mlp": 7}
