"""The server's part of ``model-config.yaml``: what fits is taken, what does not is named."""

import pytest

from wfctl.errors import ArchiveError
from wfctl.spec.model_config import read_model_config
from wfctl.spec.source import read_mapping


def _read(text):
    return read_model_config(read_mapping(text))


def _faults(text):
    return {fault.key: fault.why for fault in _read(text).faults}


def test_what_fits_is_taken_and_the_rest_is_the_handlers():
    config = _read(
        "minWorkers: 2\nmaxWorkers: 4\nstartupTimeout: 30\njobQueueSize: 7\nhandler: {batchSize: x}\nmine: 1\n"
    )
    assert (config.workers, config.startup_timeout_s, config.queue_size) == ((2, 4), 30, 7)
    assert list(config.settings) == ["minWorkers", "maxWorkers", "startupTimeout", "jobQueueSize"]
    assert config.faults == ()


def test_an_empty_file_says_nothing():
    assert (_read("").settings, _read("").faults, _read("").workers) == ({}, (), None)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("startupTimeout: '30'", "is text, not a whole number"),
        ("startupTimeout: 1.5", "is a number with a fraction, not a whole number"),
        ("startupTimeout: true", "is true, not a whole number"),
        ("startupTimeout:", "is empty, not a whole number"),
        ("startupTimeout: [1]", "is a list, not a whole number"),
        ("startupTimeout: {a: 1}", "is a mapping, not a whole number"),
        ("startupTimeout: 2020-01-01", "is a date, not a whole number"),
        ("startupTimeout: 0", "is 0, and must be 1 or more"),
        ("startupTimeout: -5", "is -5, and must be 1 or more"),
        ("startupTimeout: 2147483648", "is 2147483648, and must be 2147483647 or less"),
        ("deviceType: tpu", 'is "tpu", and must be cpu or gpu'),
        ("deviceType: 1", "is a whole number, not text"),
        ("parallelType: xp", 'is "xp", and must be pp, tp, pptp or custom'),
        ("deviceIds: 1", "is a whole number, not a list"),
        ("deviceIds: [0, '1']", "holds something that is no whole number"),
        ("torchrun: 2", "is a whole number, not a mapping"),
        ("useVenv: 'yes'", "is text, not true or false"),
        ("maxWorkers: 2", "has no effect, as minWorkers is not set"),
        ("minWorkers: 2", "has no effect, as maxWorkers is not set"),
    ],
)
def test_a_value_that_does_not_fit_is_named_and_left_out(text, why):
    key = text.partition(":")[0]
    assert _faults(text) == {key: why}
    assert key not in _read(text).settings


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("minWorkers: 3\nmaxWorkers: 2", {"minWorkers", "maxWorkers"}),
        ("minWorkers: 0\nmaxWorkers: 2", {"minWorkers", "maxWorkers"}),
        ("minWorkers: 1\nmaxWorkers: two", {"minWorkers", "maxWorkers"}),
        ("minWorkers: 1000000000\nmaxWorkers: 1000000000", {"minWorkers", "maxWorkers"}),
    ],
)
def test_numbers_of_workers_are_used_together_or_not_at_all(text, keys):
    assert _faults(text).keys() == keys
    assert _read(text).workers is None


def test_yaml_numbers_of_other_bases_are_numbers():
    assert _read("startupTimeout: 0x10").startup_timeout_s == 16


def test_a_configuration_of_two_documents_is_refused_in_words_about_configurations():
    with pytest.raises(ArchiveError, match=r"a second document begins here \(line 2\)$"):
        read_mapping("minWorkers: 1\n---\nmaxWorkers: 2\n")
