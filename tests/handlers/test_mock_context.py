from wfctl.handlers.mock_context import MockContext


def test_a_test_says_what_the_context_holds(tmp_path):
    (tmp_path / "config.yaml").write_text("a: 1\n", encoding="utf-8")
    made = MockContext(None, str(tmp_path), "net.py", None, "m", "config.yaml")
    assert made.manifest == {"model": {"modelFile": "net.py"}}
    assert made.system_properties == {"model_dir": str(tmp_path)}
    assert made.model_yaml_config == {"a": 1}
    made.metrics.add_time("took", 1)
    assert made.get_request_header(0, "explain") is False
    made.explain = True
    assert made.get_request_header(1, "explain") is True


def test_without_words_it_is_the_originals_model():
    made = MockContext()
    assert made.manifest == {"model": {"serializedFile": "model.pt", "modelFile": "model.py"}}
    assert made.model_yaml_config == {}
