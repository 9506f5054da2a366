from wfctl.handlers.loading.pt2_backends import PT2Backend, check_valid_pt2_backend


def test_the_backends_of_the_original_are_known(caplog):
    assert all(check_valid_pt2_backend(each.value) for each in PT2Backend)
    assert len(PT2Backend) == 14
    assert not caplog.records


def test_another_backend_is_warned_of_by_name(caplog):
    assert not check_valid_pt2_backend("fast")
    assert '"fast" is no backend of pt2; known are eager, aot_eager, inductor' in caplog.text
