import subprocess
import sys
from pathlib import Path


def test_a_worker_imports_first_from_the_models_folder_and_works_in_it(tmp_path: Path):
    (tmp_path / "colorsys.py").write_text("WHERE = 'model'\n", encoding="utf-8")
    code = f"""
import os, sys
from wfctl.hosting.place import enter_model_dir
enter_model_dir({str(tmp_path)!r})
enter_model_dir({str(tmp_path)!r})
import colorsys
print(colorsys.WHERE, os.getcwd() == {str(tmp_path)!r}, sys.path.count({str(tmp_path)!r}), '' in sys.path)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["model", "True", "1", "False"]
