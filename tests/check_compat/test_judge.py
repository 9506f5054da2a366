"""What is judged: archives of every form, where their models lie, and what is wrong with them."""

import json
import pickle
import zipfile
from io import BytesIO
from pathlib import Path

import pytest
import torch
from judging import NOOP, codes, judged, pack, pack_model, pack_workflow

from wfctl.compat.model import Kind, Verdict

SPEC = "models:\n  m1: {url: m1.mar}\ndag:\n  pre: [m1]\n"
PRE = "def pre(data, context):\n    return data\n"
REFUSES = "from ts.service import PredictionException\n\n\ndef handle(data, context):\n    raise PredictionException('no', 400)\n"


def test_a_workflow_that_does_nothing_runs_as_it_is(tmp_path: Path) -> None:
    pack_model(tmp_path / "m1.mar", {"handler.py": NOOP})
    found = judged(pack_workflow(tmp_path / "flow.war", SPEC, PRE))
    assert (found.verdict, found.kind, found.name, found.rows) == (Verdict.SAME, Kind.WORKFLOW, "flow", ())


def test_a_model_alone_is_judged_without_a_workflow(tmp_path: Path) -> None:
    found = judged(pack_model(tmp_path / "m1.mar", {"handler.py": REFUSES}))
    assert (found.verdict, found.kind, found.name) == (Verdict.DIFFERS, Kind.MODEL, "m1")
    (row,) = found.rows
    assert (row.finding.code, row.nodes, str(row.finding.span)) == ("WF927", (), "handler.py:5:1")


@pytest.mark.parametrize("name", ["plain.yaml", "folder"])
def test_a_spec_is_judged_with_what_its_handler_imports_and_no_more(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    spec = folder / ("workflow.yaml" if name == "folder" else name)
    spec.write_text(SPEC)
    (folder / "handler.py").write_text(f"import steps\n{PRE}")
    (folder / "steps.py").write_text("import nobody_has_this\n")
    (folder / "train.py").write_text("import nor_this\n")
    pack_model(folder / "m1.mar", {"handler.py": NOOP})
    found = judged(folder if name == "folder" else spec)
    assert (found.kind, codes(found)) == (Kind.SPEC, ["WF939"])
    assert '"nobody_has_this"' in found.rows[0].finding.message


def test_models_inside_a_workflow_are_judged_too(tmp_path: Path) -> None:
    inner = pack_model(tmp_path / "m1.mar", {"handler.py": REFUSES}).read_bytes()
    (tmp_path / "m1.mar").unlink()
    found = judged(pack_workflow(tmp_path / "flow.war", SPEC, PRE, **{"m1.mar": inner}))
    assert codes(found) == ["WF927"]
    assert found.rows[0].nodes == ("m1",)
    assert str(found.rows[0].finding.span) == "m1.mar/handler.py:5:1"


def test_a_model_is_found_in_the_model_store(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    pack_model(tmp_path / "store" / "m1.mar", {"handler.py": REFUSES})
    war = pack_workflow(tmp_path / "flow.war", SPEC, PRE)
    assert codes(judged(war)) == ["WF501"]
    assert codes(judged(war, model_store=tmp_path / "store")) == ["WF927"]


def test_an_unsound_workflow_still_tells_of_its_models(tmp_path: Path) -> None:
    pack_model(tmp_path / "m1.mar", {"handler.py": REFUSES})
    war = pack_workflow(tmp_path / "flow.war", "models:\n  m1: {url: m1.mar}\ndag:\n  m1: [m1]\n")
    assert codes(judged(war)) == ["WF302", "WF927"]


def test_the_same_difference_is_one_row_with_a_count_and_the_first_place(tmp_path: Path) -> None:
    lines = "    context.set_response_status(400)\n"
    for name in ("m1", "m2"):
        pack_model(
            tmp_path / f"{name}.mar", {"handler.py": f"def handle(data, context):\n{lines * 3}    return data\n"}
        )
    spec = "models:\n  m2: {url: m2.mar}\n  m1: {url: m1.mar}\ndag:\n  m2: [m1]\n"
    (row,) = judged(pack_workflow(tmp_path / "flow.war", spec)).rows
    assert (row.count, row.nodes, str(row.finding.span)) == (6, ("m1", "m2"), "m1.mar/handler.py:2:1")


def test_a_damaged_model_is_a_row_of_its_workflow(tmp_path: Path) -> None:
    whole = pack_model(tmp_path / "m1.mar", {"handler.py": NOOP}).read_bytes()
    (tmp_path / "m1.mar").write_bytes(whole[:-30])
    (row,) = judged(pack_workflow(tmp_path / "flow.war", SPEC, PRE)).rows
    assert (row.finding.code, row.nodes) == ("WF937", ("m1",))
    assert '"m1.mar"' in row.finding.message


@pytest.mark.parametrize(
    "content",
    [b"", b"PK\x03\x04 and nothing more", b"\x1f\x8b\x08\x00", b"no archive at all"],
    ids=["empty", "cut zip", "cut tar", "text"],
)
@pytest.mark.parametrize("ending", [".war", ".mar", ".tar.gz"])
def test_a_damaged_archive_is_refused_with_its_reason(tmp_path: Path, ending: str, content: bytes) -> None:
    path = tmp_path / f"bad{ending}"
    path.write_bytes(content)
    found = judged(path)
    assert found.verdict is Verdict.UNSUPPORTED
    assert found.error is not None
    assert found.error.code == "bad-archive"


def test_an_archive_that_leaves_its_folder_is_refused(tmp_path: Path) -> None:
    pack(tmp_path / "evil.mar", {"../../handler.py": NOOP, "MAR-INF/MANIFEST.json": "{}"})
    found = judged(tmp_path / "evil.mar")
    assert found.error is not None
    assert "../../handler.py" in found.error.message


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    found = judged(tmp_path / "nothing.war")
    assert (found.kind, found.verdict) == (None, Verdict.UNSUPPORTED)
    assert "there is no file" in str(found.error)


def test_a_spec_that_is_no_text_is_a_row(tmp_path: Path) -> None:
    assert codes(judged(pack_workflow(tmp_path / "flow.war", b"dag: {a\xff: []}\n"))) == ["WF101"]


class Bomb:
    def __init__(self, place: str) -> None:
        self.place = place

    def __reduce__(self):
        return Path.touch, (Path(self.place),)


def test_nothing_is_imported_unpickled_or_run(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    touch = f"open({str(ran)!r}, 'w').close()\n"
    bomb = pickle.dumps(Bomb(str(ran)))
    pack_model(tmp_path / "m1.mar", {"handler.py": touch + NOOP, "w.pt": bomb}, serializedFile="w.pt")
    found = judged(pack_workflow(tmp_path / "flow.war", SPEC, touch + PRE))
    assert codes(found) == ["WF933"]
    assert "pathlib.Path.touch" in found.rows[0].finding.message or "pathlib." in found.rows[0].finding.message
    assert not ran.exists()
    pickle.loads(bomb)
    assert ran.exists()


def test_hostile_python_is_no_end_of_the_run(tmp_path: Path) -> None:
    deep = "x = " + "(" * 5000 + ")" * 5000
    files = {
        "handler.py": NOOP,
        "deep.py": deep,
        "nul.py": "a\0b",
        "broken.py": "def",
        "latin.py": b"# \xe9\nimport os\n",
    }
    assert judged(pack_model(tmp_path / "m1.mar", files)).rows == ()
    found = judged(pack_model(tmp_path / "m2.mar", {"handler.py": deep}))
    assert codes(found) == ["WF402"]


def test_a_library_that_the_archive_requires_is_left_to_what_is_said_of_requirements(tmp_path: Path) -> None:
    files = {"handler.py": f"import packaging\n{NOOP}", "requirements.txt": "Packaging>=1.0\n"}
    assert codes(judged(pack_model(tmp_path / "a.mar", files))) == ["WF939"]
    assert codes(judged(pack_model(tmp_path / "b.mar", files, requirementsFile="requirements.txt"))) == []


def test_an_unpacked_model_is_judged_in_place(tmp_path: Path) -> None:
    pack_model(tmp_path / "m1.mar", {"handler.py": REFUSES})
    with zipfile.ZipFile(tmp_path / "m1.mar") as archive:
        archive.extractall(tmp_path / "m1")
    found = judged(tmp_path / "m1")
    assert (found.kind, codes(found)) == (Kind.MODEL, ["WF927"])


def test_the_manifest_of_a_model_must_be_json(tmp_path: Path) -> None:
    pack(tmp_path / "m1.mar", {"MAR-INF/MANIFEST.json": "{", "handler.py": NOOP})
    assert "not JSON" in str(judged(tmp_path / "m1.mar").error)
    pack(tmp_path / "m2.mar", {"MAR-INF/MANIFEST.json": json.dumps({"model": {"handler": "../x.py"}})})
    assert "names no file" in str(judged(tmp_path / "m2.mar").error)


def test_a_file_outside_of_the_stores_is_judged_and_must_be_allowed(tmp_path: Path) -> None:
    elsewhere, beside = tmp_path / "else where", tmp_path / "beside"
    elsewhere.mkdir()
    beside.mkdir()
    url = pack_model(elsewhere / "m1.mar", {"handler.py": REFUSES}).as_uri()
    war = pack_workflow(beside / "flow.war", f"models:\n  m1: {{url: '{url}'}}\ndag:\n  m1: []\n")
    found = judged(war)
    assert (found.verdict, codes(found)) == (Verdict.DIFFERS, ["WF930", "WF927"])
    assert f'--allow-url "{elsewhere.as_uri()}/"' in str(found.rows[0].finding.help)
    assert codes(judged(war, model_store=elsewhere)) == ["WF927"]


def test_a_file_that_is_nowhere_is_not_there(tmp_path: Path) -> None:
    spec = "models:\n  m1: {url: 'file:///no/where/m1.mar'}\ndag:\n  m1: []\n"
    (row,) = judged(pack_workflow(tmp_path / "flow.war", spec)).rows
    assert row.finding.code == "WF501"
    assert '--allow-url "file:///no/where/"' in str(row.finding.help)


def test_a_url_that_nobody_can_fetch_is_one_fault(tmp_path: Path) -> None:
    spec = "models:\n  m1: {url: 's3://bucket/m1.mar'}\ndag:\n  m1: []\n"
    assert codes(judged(pack_workflow(tmp_path / "flow.war", spec))) == ["WF502"]


def test_what_is_written_into_a_folder_that_is_used_in_place_stays(tmp_path: Path) -> None:
    writes = "import torch\n\n\ndef handle(data, context):\n    torch.save(data, 'x.pt')\n    return data\n"
    pack_model(tmp_path / "m1.mar", {"handler.py": writes})
    with zipfile.ZipFile(tmp_path / "m1.mar") as archive:
        archive.extractall(tmp_path / "m1")
    assert codes(judged(tmp_path / "m1.mar")) == ["WF932"]
    assert codes(judged(tmp_path / "m1")) == []


@pytest.mark.parametrize(
    "line",
    [
        "(Path(context.system_properties['model_dir']) / 'x').write_text('')",
        "torch.save(data, f=os.path.join(self.model_dir, 'x.pt'))",
        "open('x', 'w')",
    ],
)
def test_every_way_of_writing_into_the_folder_is_seen(tmp_path: Path, line: str) -> None:
    handler = f"import os\nimport torch\nfrom pathlib import Path\n\n\ndef handle(data, context):\n    {line}\n"
    assert codes(judged(pack_model(tmp_path / "m1.mar", {"handler.py": handler}))) == ["WF932"]


def test_reading_criteria_that_nobody_set_is_no_difference(tmp_path: Path) -> None:
    handler = "def handle(data, context):\n    return [context.stopping_criteria for _ in data]\n"
    assert judged(pack_model(tmp_path / "m1.mar", {"handler.py": handler})).rows == ()


def test_a_name_beyond_the_first_plane_is_read(tmp_path: Path) -> None:
    assert judged(pack_model(tmp_path / "\U0001f600.mar", {"handler.py": NOOP})).verdict is Verdict.SAME


def test_loading_what_is_weights_alone_is_no_difference(tmp_path: Path) -> None:
    handler = "import torch\n\n\ndef handle(data, context):\n    return torch.load('w.pt')\n"
    saved, whole = BytesIO(), BytesIO()
    torch.save({"w": torch.zeros(2)}, saved)
    torch.save(torch.nn.Linear(1, 1), whole)
    assert judged(pack_model(tmp_path / "m1.mar", {"handler.py": handler, "w.pt": saved.getvalue()})).rows == ()
    assert codes(judged(pack_model(tmp_path / "m2.mar", {"handler.py": handler, "w.pt": whole.getvalue()}))) == [
        "WF933"
    ]
    assert codes(judged(pack_model(tmp_path / "m3.mar", {"handler.py": handler}))) == ["WF933"]
