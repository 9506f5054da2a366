"""Files of torch.save: what is read at once, what only for the trusting, and what never."""

import sys
import tarfile
from collections import Counter, OrderedDict
from pathlib import Path

import pytest
import torch

from wfctl.handlers.loading.pickles import load_saved

NET = """
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.factor = torch.nn.Parameter(torch.zeros(1))
    def forward(self, x):
        return x * self.factor
"""


class Trap:
    """Runs code when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


@pytest.fixture
def saved(tmp_path):
    def write(value, **options):
        torch.save(value, tmp_path / "w.pt", **options)
        return str(tmp_path / "w.pt")

    return write


@pytest.mark.parametrize("is_trusted", [True, False])
@pytest.mark.parametrize("is_new", [True, False])
def test_weights_are_read_whoever_sent_them(saved, caplog, is_trusted, is_new):
    path = saved(OrderedDict(a=torch.ones(2)), _use_new_zipfile_serialization=is_new)
    assert load_saved(path, is_trusted=is_trusted)["a"].tolist() == [1, 1]
    assert not caplog.records


@pytest.mark.parametrize("is_new", [True, False])
def test_nothing_in_a_file_runs_where_the_archive_is_not_trusted(saved, tmp_path, caplog, is_new):
    path = saved({"a": Trap(tmp_path / "sprung")}, _use_new_zipfile_serialization=is_new)
    with pytest.raises(RuntimeError, match=r'"w\.pt" holds more than weights \(.*not trusted; run it with --trust'):
        load_saved(path, is_trusted=False)
    assert not (tmp_path / "sprung").exists()
    assert not caplog.records


def test_more_than_weights_is_read_where_the_archive_is_trusted_and_the_file_is_named_with_what_it_holds(saved, caplog):
    class_of_its_own = saved({"a": Counter("aab"), "when": Path("x")})
    assert load_saved(class_of_its_own)["when"] == Path("x")
    (warning,) = [each for each in caplog.records if each.name.startswith("wfctl")]
    assert warning.levelname == "WARNING"
    assert '"w.pt" holds more than weights (' in warning.getMessage()
    assert '"pathlib.PosixPath"' in warning.getMessage()


def test_what_the_form_before_zips_holds_is_named_too(saved, caplog):
    load_saved(saved({"when": Path("x")}, _use_new_zipfile_serialization=False))
    assert "pathlib" in caplog.text


def test_classes_that_a_script_saved_are_found_in_the_model_file(tmp_path, monkeypatch, caplog):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "net.py").write_text(NET, encoding="utf-8")
    import net

    monkeypatch.setattr(net.Net, "__module__", "__main__")
    monkeypatch.setattr(sys.modules["__main__"], "Net", net.Net, raising=False)
    torch.save(net.Net(), tmp_path / "w.pt")
    monkeypatch.delattr(sys.modules["__main__"], "Net")
    found = load_saved(str(tmp_path / "w.pt"), module=net)
    assert type(found) is net.Net
    assert '"__main__.Net"' in caplog.text
    assert not hasattr(sys.modules["__main__"], "Net")
    with pytest.raises(RuntimeError, match=r'"w\.pt" cannot be read: AttributeError: .*Net'):
        load_saved(str(tmp_path / "w.pt"))
    del sys.modules["net"]


def test_a_class_of_a_library_that_is_not_installed_is_named(tmp_path):
    (tmp_path / "w.pt").write_bytes(b"\x80\x02cnolibrary.vocab\nVocab\n.")
    with pytest.raises(RuntimeError, match=r'"w\.pt" cannot be read: '):
        load_saved(str(tmp_path / "w.pt"))


# Python 3.12 and 3.13 warn of how torch itself reads them.
@pytest.mark.filterwarnings("ignore:Python 3.14 will, by default, filter:DeprecationWarning")
def test_the_tar_files_of_the_first_releases_are_for_the_trusting(tmp_path, caplog):
    path = tmp_path / "old.pt"
    write_tar(path)
    with pytest.raises(RuntimeError, match="--trust"):
        load_saved(str(path), is_trusted=False)
    assert load_saved(str(path))["a"].tolist() == [1.0, 2.0]
    assert '"old.pt" has the form of old releases; it was read in full' in caplog.text


def test_a_torchscript_file_in_the_place_of_weights_is_named(tmp_path):
    torch.jit.script(torch.nn.ReLU()).save(tmp_path / "w.pt")
    with pytest.raises(RuntimeError, match=r'"w\.pt" is a TorchScript file, which needs no model file'):
        load_saved(str(tmp_path / "w.pt"))


@pytest.mark.parametrize("content", [b"", b"no pickle at all", b"PK\x03\x04 broken", b"\x80\x04\x95", b"junk"])
@pytest.mark.parametrize("is_trusted", [True, False])
def test_a_broken_file_is_named(tmp_path, content, is_trusted):
    (tmp_path / "w.pt").write_bytes(content)
    with pytest.raises(RuntimeError, match=r'"w\.pt"') as caught:
        load_saved(str(tmp_path / "w.pt"), is_trusted=is_trusted)
    assert not str(caught.value).endswith(":")


def write_tar(path):
    """Write what torch wrote before 0.1.10: a tar of storages, tensors and a pickle that refers to them."""
    import io
    import pickle
    import struct

    def member(archive, name, content):
        about = tarfile.TarInfo(name)
        about.size = len(content)
        archive.addfile(about, io.BytesIO(content))

    class Refers(pickle.Pickler):
        def persistent_id(self, value):
            return value.number if isinstance(value, Reference) else None

    class Reference:
        def __init__(self, number):
            self.number = number

    storages = pickle.dumps(1, 2) + pickle.dumps((1, "cpu", torch.FloatStorage), 2)
    storages += struct.pack("<q", 2) + struct.pack("<ff", 1.0, 2.0) + pickle.dumps([], 2)
    tensors = pickle.dumps(1, 2) + pickle.dumps((7, 1, torch.FloatTensor), 2)
    tensors += struct.pack("<i", 1) + struct.pack("<i", 0) + struct.pack("<q", 2) + struct.pack("<q", 1)
    tensors += struct.pack("<q", 0)
    whole = io.BytesIO()
    Refers(whole, protocol=2).dump({"a": Reference(7)})
    with tarfile.open(path, "w") as archive:
        member(archive, "sys_info", pickle.dumps({"protocol_version": 1000, "little_endian": True}, 2))
        member(archive, "storages", storages)
        member(archive, "tensors", tensors)
        member(archive, "pickle", whole.getvalue())


def test_a_pickle_that_stops_the_careful_reader_is_told_by_where_it_stopped(tmp_path):
    (tmp_path / "w.pt").write_bytes(b"\x80\x02N(X\x01\x00\x00\x00aK\x01u.")  # puts an item into None
    with pytest.raises(RuntimeError, match=r'"w\.pt" cannot be read as weights \(Can only SETITEMS for dict.*--trust'):
        load_saved(str(tmp_path / "w.pt"), is_trusted=False)
