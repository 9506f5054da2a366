"""From a path to a plan: what a model's archive says of its code, and what is done where it says nothing."""

import json
import zipfile

import pytest

from wfctl.errors import ArchiveError
from wfctl.plan import CodeUnit
from wfctl.service.prepare import Request, prepare


@pytest.fixture
def planned(workflow):
    """Return a function that plans a workflow of one model, packed from the given files."""

    def plan(files: dict[str, str], **more) -> CodeUnit:
        folder = workflow("models:\n  m: {url: m.mar}\ndag:\n  pre: [m]\n", "def pre(data, context): return data\n")
        with zipfile.ZipFile(folder / "m.mar", "w") as archive:
            for name, text in files.items():
                archive.writestr(name, text)
        prepared = prepare(Request(path=folder, **more))
        prepared.remove()
        units = {node.name: node.code for node in prepared.plan.nodes}
        assert units["pre"].envelope is None
        return units["m"]

    return plan


def test_without_a_manifest_the_handler_is_handler_py(planned):
    unit = planned({"handler.py": "", "other.py": "", "weights.bin": "x"})
    assert (unit.handler, unit.manifest, unit.version, unit.config_file) == ("handler.py", None, "1.0", None)


def test_without_a_manifest_the_only_python_file_is_the_handler(planned):
    assert planned({"serve.py": "", "inner/other.py": "", "note.txt": "x"}).handler == "serve.py"


@pytest.mark.parametrize(
    ("files", "found"),
    [({"a.py": "", "b.py": ""}, "and holds a.py, b.py"), ({"x.txt": ""}, "and holds no Python file")],
)
def test_without_a_manifest_and_a_plain_choice_the_archive_is_refused(planned, files, found):
    with pytest.raises(ArchiveError, match=r'archive "m\.mar" of node "m" has no "MAR-INF/MANIFEST\.json"') as caught:
        planned(files)
    assert caught.value.message.endswith(found)
    assert 'call the handler "handler.py"' in str(caught.value.hint)


@pytest.mark.parametrize("manifest", ["{", "[]", '{"model": null}', '{"model": {"handler": "../h.py"}}'])
def test_a_manifest_that_is_none_is_said_of_its_archive_and_node(planned, manifest):
    with pytest.raises(ArchiveError, match=r'^the archive "m\.mar" of node "m" is refused: '):
        planned({"h.py": "", "MAR-INF/MANIFEST.json": manifest})


def test_the_envelope_of_the_setting_is_around_models_only(planned):
    manifest = json.dumps({"model": {"handler": "h.py", "envelope": "json"}})
    assert planned({"h.py": "", "MAR-INF/MANIFEST.json": manifest}, service_envelope="kserve").envelope == "kserve"


def test_an_envelope_that_a_manifest_names_has_no_effect(planned):
    manifest = json.dumps({"model": {"handler": "h.py", "envelope": "json"}})
    assert planned({"h.py": "", "MAR-INF/MANIFEST.json": manifest}).envelope is None
