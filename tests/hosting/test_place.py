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


def test_what_was_installed_for_a_model_comes_after_its_own_and_before_all_else(tmp_path: Path):
    for name, modules in (("model", ["colorsys"]), ("private", ["colorsys", "chunk_of_mine", "cmd"])):
        (tmp_path / name).mkdir()
        for module in modules:
            (tmp_path / name / f"{module}.py").write_text(f"WHERE = {name!r}\n", encoding="utf-8")
    code = f"""
from wfctl.hosting.place import enter_model_dir
enter_model_dir({str(tmp_path / "model")!r}, ({str(tmp_path / "private")!r},))
import colorsys, chunk_of_mine, cmd
print(colorsys.WHERE, chunk_of_mine.WHERE, cmd.WHERE)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["model", "private", "private"]
