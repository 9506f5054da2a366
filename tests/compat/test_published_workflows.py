"""The shapes of the workflows that were published for TorchServe, packed by its own archivers and run by ours."""

import json
import os
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from wfctl.compat.judge import judge
from wfctl.compat.model import Stores, Verdict

BIN = Path(sys.executable).parent
WORKFLOWS = Path(__file__).parent / "workflows"

MODELS = {
    "species": {"handler": "handler.py", "serialized-file": "model.pt", "extra-files": "index_to_name.json"},
    "breed": {
        "handler": "breed_handler.py",
        "serialized-file": "breed_net.pth",
        "model-file": "breed_net.py",
        "extra-files": "breeds.json",
    },
    "invert": {"handler": "invert.py", "serialized-file": "model.pt"},
} | {
    name: {
        "handler": "handler.py",
        "serialized-file": "dictionary.pth",
        "model-file": "dictionary.py",
        "extra-files": "words.json",
    }
    for name in ("to_german", "to_english", "to_french")
}
"""Model -> the options of the archiver; files below the model's folder."""


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """Return a function that packs a workflow with its models and gives the folder they are in."""

    def pack(name: str, *, war: str, spec: str, handler: str, extra: str | None = None) -> Path:
        target = tmp_path_factory.mktemp(name)
        for model in sorted(WORKFLOWS.joinpath(name, "models").iterdir()):
            _archived("torch-model-archiver", target, _model_options(model, target / "built" / model.name))
        folder = WORKFLOWS / name
        options = {"workflow-name": war, "spec-file": folder / spec, "handler": folder / handler}
        _archived("torch-workflow-archiver", target, options | ({"extra-files": folder / extra} if extra else {}))
        return target

    return pack


def _model_options(folder: Path, built: Path) -> dict[str, object]:
    built.mkdir(parents=True)
    spec = spec_from_file_location(f"build_{folder.name}", folder / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    module.build(built)
    options: dict[str, object] = {"model-name": folder.name, "version": "1.0"}
    for option, name in MODELS[folder.name].items():
        options[option] = built / name if option == "serialized-file" else folder / name
    return options


def _archived(tool: str, target: Path, options: dict[str, object]) -> None:
    # The originals stage in a folder of the archive's name below the temporary folder: give them one of our own.
    staging = target / "staging"
    staging.mkdir(exist_ok=True)
    words = [word for option, value in options.items() for word in (f"--{option}", str(value))]
    done = subprocess.run(
        [str(BIN / tool), *words, "--export-path", str(target)],
        env=os.environ | {"TMPDIR": str(staging)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def run(folder: Path, war: str, *words: str, given: bytes) -> bytes:
    """Run the workflow by the command line, as a user would who has the two archives and nothing else."""
    source = folder / "input.bin"
    source.write_bytes(given)
    done = subprocess.run(
        [str(BIN / "wfctl"), "run", str(source), "-w", f"{war}.war", *words],
        cwd=folder,
        capture_output=True,
        timeout=90,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert judge(folder / f"{war}.war", Stores(), lambda _: True).verdict is not Verdict.UNSUPPORTED
    return done.stdout


@pytest.fixture(scope="module")
def dogs(packed) -> Path:
    return packed("dog_breed", war="dog_breed_wf", spec="workflow_dog_breed.yaml", handler="workflow_handler.py")


@pytest.mark.slow
def test_the_second_classifier_gets_the_picture_when_the_first_says_dog(dogs):
    answer = json.loads(run(dogs, "dog_breed_wf", given=bytes([90, 250, 100, 200])))
    assert answer == {"text": "a picture of a dog", "breed": "beagle"}


@pytest.mark.slow
def test_the_second_classifier_is_skipped_when_the_first_says_cat(dogs):
    answer = json.loads(run(dogs, "dog_breed_wf", given=bytes([10, 20, 30, 40])))
    assert answer == {"text": "a picture of a cat", "breed": None, "skipped": True}


@pytest.mark.slow
def test_a_text_is_translated_and_translated_back(packed):
    folder = packed("re_translation", war="re_wf", spec="workflow_retranslation.yaml", handler="workflow_handler.py")
    assert run(folder, "re_wf", given=b"Beautiful World hello") == b'{"again": "beautiful world hello"}'


@pytest.mark.slow
def test_two_translations_are_put_together_by_the_names_of_their_models(packed):
    name = "dual_translation"
    folder = packed(name, war="dual_wf", spec="workflow_dualtranslation.yaml", handler="workflow_handler.py")
    answer = json.loads(run(folder, "dual_wf", given=b"hello beautiful world"))
    assert answer == {"french": "salut beau monde", "german": "hallo schöne welt"}


@pytest.mark.slow
def test_bytes_travel_as_base64_and_leave_as_bytes(packed):
    folder = packed(
        "base64_between", war="b64", spec="workflow_base64.yaml", handler="workflow-handler.py", extra="mark.bin"
    )
    given = bytes(range(256))
    assert run(folder, "b64", "-o", "out.bin", given=given) == b""
    assert (folder / "out.bin").read_bytes() == b"MARK" + bytes(255 - byte for byte in given)
