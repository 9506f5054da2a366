import sys

import pytest

from wfctl.errors import LoadError


@pytest.mark.parametrize(
    ("imported", "installs"),
    [
        ("absent_library.part", "pip install absent_library"),
        ("cv2", "pip install opencv-python-headless"),
        ("captum_absent", "pip install captum_absent"),
    ],
)
def test_a_missing_package_is_named_with_what_brings_it(host, monkeypatch, imported, installs):
    monkeypatch.setitem(sys.modules, imported.partition(".")[0], None)  # whatever this machine has installed
    manifest = {"model": {"requirementsFile": "reqs.txt"}}
    with pytest.raises(LoadError) as caught:
        host(f"import {imported}\n", manifest=manifest)
    assert caught.value.hint == (
        f'the handler needs the package "{imported.partition(".")[0]}": {installs}; '
        'the archive lists what it needs in "reqs.txt"'
    )


def test_a_missing_package_that_an_extra_brings_is_named_by_the_extra(host, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(LoadError) as caught:
        host("import onnxruntime\n")
    assert caught.value.hint == 'the handler needs the package "onnxruntime": pip install "wfctl[onnx]"'


def test_a_part_of_the_archive_that_is_missing_is_no_package_to_install(host, tmp_path):
    (tmp_path / "beside").mkdir()
    with pytest.raises(LoadError, match=r"No module named 'beside\.absent'") as caught:
        host("import beside.absent\n")
    assert caught.value.hint is None


def test_a_built_in_handler_names_its_extra_once(host, monkeypatch):
    monkeypatch.setitem(sys.modules, "captum", None)
    monkeypatch.setitem(sys.modules, "torchvision", None)
    monkeypatch.delitem(sys.modules, "wfctl.handlers.vision.image_classifier", raising=False)
    monkeypatch.delitem(sys.modules, "ts.torch_handler.image_classifier", raising=False)
    with pytest.raises(LoadError, match=r'pip install "wfctl\[vision\]"$') as caught:
        host("", "image_classifier", file="other.py")
    assert (caught.value.hint, caught.value.traceback_text) == (None, "")


def test_a_torchvision_that_was_built_for_another_torch_is_told_with_what_mends_it(host):
    with pytest.raises(LoadError, match=r"RuntimeError: operator torchvision::nms does not exist") as caught:
        host("raise RuntimeError('operator torchvision::nms does not exist')\n")
    assert caught.value.hint == (
        'the installed torchvision was built for another torch: pip install --upgrade "wfctl[vision]"'
    )
