import pytest

from wfctl.errors import ArchiveError
from wfctl.handlers.configuration import get_yaml_config


def test_a_yaml_file_is_read_as_a_dictionary(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("a: {b: [1, 2.5, yes]}\n# grün\n", encoding="utf-8")
    assert get_yaml_config(str(path)) == {"a": {"b": [1, 2.5, True]}}
    path.write_text("", encoding="utf-8")
    assert get_yaml_config(path) == {}


def test_what_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError):
        get_yaml_config(str(tmp_path / "missing.yaml"))
    path = tmp_path / "config.yaml"
    path.write_text("a: !!python/object/apply:os.system ['true']\n", encoding="utf-8")
    with pytest.raises(ArchiveError):
        get_yaml_config(str(path))
