"""What a file and the environment say together, what is said about it, and what is refused."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wfctl.store.address import parse_address as parse_url
from wfctl.store.allow import parse_allowed
from wfctl.web.config.addresses import Address
from wfctl.web.config.keys import KEYS, Honoured
from wfctl.web.config.properties import ConfigError
from wfctl.web.config.settings import Note, ServerSettings, Settled, find_config, read_settings


def settled(text: str = "", **environ: str) -> Settled:
    return read_settings(text, name="c.properties", environ=environ)


def setting(text: str, **environ: str) -> object:
    """Return the one setting that differs from its default."""
    found = settled(text, **environ).settings
    (changed,) = [each.name for each in fields(found) if getattr(found, each.name) != each.default]
    return getattr(found, changed)


def refusal(text: str, **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        settled(text, **environ)
    return caught.value.message


# Values


def test_nothing_said_gives_the_defaults_of_the_original():
    assert settled() == Settled(settings=ServerSettings(), notes=())
    found = ServerSettings()
    assert [str(each) for each in (found.inference_address, found.management_address, found.metrics_address)] == [
        "http://127.0.0.1:8080",
        "http://127.0.0.1:8081",
        "http://127.0.0.1:8082",
    ]
    assert (found.max_request_size, found.token_expiration_min) == (6_553_500, 60)
    switched_on = [each.name for each in fields(found) if getattr(found, each.name) is True]
    assert switched_on == ["decode_input_request", "limit_max_image_pixels", "enable_metrics_api"]


def test_what_nobody_says_is_left_to_specs_archives_and_the_command_line():
    found = ServerSettings()
    assert (found.default_response_timeout, found.default_startup_timeout, found.job_queue_size) == (None,) * 3
    assert found.disable_token_authorization is None


def test_nothing_may_be_fetched_unless_somebody_says_so():
    assert settled("model_store=/m").settings.allowed_urls == ()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("inference_address=https://0.0.0.0", Address(scheme="https", host="0.0.0.0", port=443)),
        ("management_address=https://0.0.0.0", Address(scheme="https", host="0.0.0.0", port=8444)),
        ("metrics_address=https://0.0.0.0", Address(scheme="https", host="0.0.0.0", port=8445)),
        ("metrics_address=unix:/s", Address(scheme="unix", path="/s")),
        ("model_store=../store", Path("../store")),
        ("workflow_store=/w", Path("/w")),
        ("private_key_file=k.pem", Path("k.pem")),
        ("certificate_file=c.pem", Path("c.pem")),
        ("default_response_timeout=1", 1),
        ("default_startup_timeout=600", 600),
        ("default_startup_timeout=007", 7),
        ("job_queue_size=1000", 1000),
        ("max_request_size=2147483647", 2147483647),
        ("decode_input_request=False", False),
        ("limit_max_image_pixels=false", False),
        ("enable_metrics_api=FALSE", False),
        ("install_py_dep_per_model=true", True),
        ("disable_token_authorization=TRUE", True),
        ("disable_token_authorization=false", False),
        ("ts_open_inference_protocol=true", True),
        ("token_expiration_min=90", 90.0),
        ("token_expiration_min=0.5", 0.5),
        ("service_envelope=kserve", "kserve"),
        ("cors_allowed_origin=*", "*"),
        ("cors_allowed_methods=GET, POST", "GET, POST"),
        ("cors_allowed_headers=X-Custom\\u00e9", "X-Custom\u00e9"),
        ("job_queue_size=5 \\t", 5),
    ],
)
def test_a_value_becomes_a_setting(text, value):
    found = setting(text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("key", ["service_envelope", "cors_allowed_origin", "allowed_urls", "blacklist_env_vars"])
def test_a_key_without_a_value_says_nothing(key):
    assert settled(f"{key}\n") == Settled(settings=ServerSettings(), notes=())


def test_workflows_lie_with_the_models_unless_they_have_a_folder():
    assert settled("model_store=/m").settings.workflow_folder == Path("/m")
    assert settled("model_store=/m\nworkflow_store=/w").settings.workflow_folder == Path("/w")
    assert settled("").settings.workflow_folder is None


def test_expressions_for_urls_become_our_patterns():
    patterns = setting(r"allowed_urls=https://h/.*, file:///srv/m\\d\\.mar,")
    assert patterns == ("re:https://h/.*", r"re:file:///srv/m\d\.mar")
    allowed = parse_allowed(patterns)
    urls = ["https://h/a.mar", "HTTPS://H/a.mar", "https://h.x/a.mar", "file:///srv/m1.mar", "file:///srv/m1xmar"]
    assert [allowed.admits(parse_url(url)) for url in urls] == [True, True, False, True, False]


def test_an_expression_for_variables_is_compiled():
    found = setting("blacklist_env_vars=.*(SECRET|TOKEN).*")
    assert isinstance(found, re.Pattern)
    assert [bool(found.fullmatch(name)) for name in ("MY_TOKEN_1", "HOME")] == [True, False]


BOOL = "true or false is meant"
SECONDS = "a whole number of seconds is meant, from 1"
MINUTES = "a number of minutes above 0 is meant"
FIELD = "the value of a field of HTTP is meant, without line ends and characters beyond Latin-1"


@pytest.mark.parametrize(
    ("key", "found", "meant"),
    [
        ("enable_metrics_api", "yes", BOOL),
        ("disable_token_authorization", "1", BOOL),
        ("enable_envvars_config", "on", BOOL),
        ("use_env_allowed_urls", "", BOOL),
        ("default_response_timeout", "0", SECONDS),
        ("default_startup_timeout", "-1", SECONDS),
        ("default_startup_timeout", "2m", SECONDS),
        ("default_startup_timeout", "1.5", SECONDS),
        ("job_queue_size", "1_000", "a whole number of requests is meant, from 1"),
        ("max_request_size", "10MB", "a whole number of bytes is meant, from 1"),
        ("token_expiration_min", "0", MINUTES),
        ("token_expiration_min", "0.0", MINUTES),
        ("token_expiration_min", "inf", MINUTES),
        ("token_expiration_min", "1e3", MINUTES),
        ("model_store", "", "a path is meant"),
        ("inference_address", "localhost:80", "an address is meant: http://host:port, https://host:port or unix:/path"),
        ("metrics_address", "http://h:99999", "its port is no number from 0 to 65535"),
        ("cors_allowed_origin", "\u20ac", FIELD),
    ],
)
def test_a_wrong_value_is_named_with_its_place_and_what_was_meant(key, found, meant):
    assert refusal(f"# x\n  {key} : {found}") == f'c.properties:2:{len(key) + 6}: {key} is "{found}": {meant}'


def test_a_number_of_any_length_is_refused_quickly():
    assert refusal("job_queue_size=" + "9" * 100_000).endswith(": a whole number of requests is meant, from 1")


def test_a_value_with_a_line_end_is_no_field():
    assert refusal(r"cors_allowed_origin=*\r\nSet-Cookie: x") == (
        rf'c.properties:1:21: cors_allowed_origin is "*\r\nSet-Cookie: x": {FIELD}'
    )


@pytest.mark.parametrize(
    "expression",
    [
        "(",
        r"\\p{Alpha}",  # only Java has classes by name
        "[a-z&&[^b]]",  # and sets of sets
        "a{99999999999}",
    ],
)
@pytest.mark.parametrize("key", ["blacklist_env_vars", "allowed_urls"])
def test_an_expression_that_means_something_else_to_python_is_refused(key, expression):
    assert ": Python understands no such regular expression, " in refusal(f"{key}={expression}")


def test_a_variable_within_a_value_is_replaced_before_it_is_judged():
    assert setting("job_queue_size=$$N$$0", N="4") == 40
    assert refusal("\njob_queue_size=$$N$$0", N="x") == (
        'c.properties:2:16: job_queue_size is "x0": a whole number of requests is meant, from 1'
    )
    assert refusal("vmargs=$$N$$").startswith('c.properties:1:8: "vmargs" needs the environment variable "N"')


def test_of_two_lines_with_one_key_the_last_is_judged():
    assert setting("job_queue_size=x\njob_queue_size=3") == 3


# Notes


def test_an_unknown_key_is_told_with_the_one_that_may_be_meant():
    found = settled("job_queue_sise=3\nqqqqq=1")
    assert found.settings == ServerSettings()
    assert found.notes == (
        Note(
            key="job_queue_sise",
            kind="unknown",
            sentence='there is no such key; did you mean "job_queue_size"?',
            line=1,
            meant="job_queue_size",
        ),
        Note(key="qqqqq", kind="unknown", sentence="there is no such key", line=2),
    )


def test_a_protocol_that_is_served_anyway_is_told_where_it_is_not_wanted():
    (note,) = settled("ts_open_inference_protocol=false").notes
    assert (note.kind, note.line) == ("differs", 1)
    assert note.sentence == "the open inference protocol is served whether it is asked for or not"
    assert settled("ts_open_inference_protocol=true").notes == ()


def test_a_blank_that_the_original_stumbles_over_is_told():
    found = settled("install_py_dep_per_model=true \nenable_metrics_api=false \njob_queue_size=3 ")
    assert found.settings.install_py_dep_per_model is True
    assert [(note.key, note.kind) for note in found.notes] == [("install_py_dep_per_model", "differs")]


def test_notes_come_in_the_order_of_the_file_and_then_of_the_variables():
    text = "vmargs=-X\nenable_envvars_config=true\nio_ratio=1\nts_open_inference_protocol=false\nnonsense=1"
    notes = settled(text, TS_VMARGS="x", TS_DEBUG="true", TS_NO_SUCH_KEY="1").notes
    assert [(note.key, note.line, note.variable) for note in notes] == [
        ("io_ratio", 3, None),
        ("ts_open_inference_protocol", 4, None),
        ("nonsense", 5, None),
        ("debug", None, "TS_DEBUG"),
        ("vmargs", None, "TS_VMARGS"),
    ]


# The environment


def test_their_variables_are_read_only_where_the_file_says_so():
    environ = {"TS_JOB_QUEUE_SIZE": "7", "TS_DEBUG": "true", "TS_MAX_REQUEST_SIZE": "wrong"}
    assert settled("", **environ) == Settled(settings=ServerSettings(), notes=())
    assert settled("enable_envvars_config=false", **environ).settings == ServerSettings()
    assert settled("", TS_ENABLE_ENVVARS_CONFIG="true", **environ).settings == ServerSettings()


def test_their_variables_beat_the_file_and_ours_beat_both():
    text = "enable_envvars_config=true\njob_queue_size=1"
    assert setting(text) == 1
    assert setting(text, TS_JOB_QUEUE_SIZE="2") == 2
    assert setting(text, TS_JOB_QUEUE_SIZE="2", WFCTL_JOB_QUEUE_SIZE="3") == 3
    assert setting("job_queue_size=1", TS_JOB_QUEUE_SIZE="2", WFCTL_JOB_QUEUE_SIZE="3") == 3
    assert setting("", WFCTL_JOB_QUEUE_SIZE="3") == 3
    assert setting(text, WFCTL_JOB_QUEUE_SIZE="") == 1


def test_a_value_that_is_beaten_is_not_judged():
    text = "enable_envvars_config=true\njob_queue_size=x"
    assert setting(text, TS_JOB_QUEUE_SIZE="2") == 2
    assert setting(text, TS_JOB_QUEUE_SIZE="y", WFCTL_JOB_QUEUE_SIZE="3") == 3


def test_stores_have_their_variables_on_the_command_line_and_not_here():
    environ = {"WFCTL_MODEL_STORE": "/a", "WFCTL_WORKFLOW_STORE": "/b", "WFCTL_ALLOWED_URLS": "c"}
    assert settled("", **environ).settings == ServerSettings()
    text = "enable_envvars_config=true"
    assert setting(text, TS_MODEL_STORE="/a", **environ) == Path("/a")
    assert setting(text, TS_WORKFLOW_STORE="/a", **environ) == Path("/a")


def test_urls_are_allowed_by_a_variable_only_where_the_file_says_that_too():
    both = "enable_envvars_config=true\nuse_env_allowed_urls=true\n"
    assert setting(both, TS_ALLOWED_URLS="https://h/.*") == ("re:https://h/.*",)
    for text in ("enable_envvars_config=true", "use_env_allowed_urls=true", ""):
        environ = {"TS_ALLOWED_URLS": "https://h/.*", "TS_USE_ENV_ALLOWED_URLS": "true"}
        assert settled(text, **environ).settings == ServerSettings()
    # The file's own stands where the variable is not listened to.
    kept = settled("enable_envvars_config=true\nallowed_urls=file:///a", TS_ALLOWED_URLS="b").settings
    assert kept.allowed_urls == ("re:file:///a",)


def test_our_variables_can_have_theirs_read():
    environ = {"WFCTL_ENABLE_ENVVARS_CONFIG": "true", "WFCTL_USE_ENV_ALLOWED_URLS": "true"}
    assert setting("", TS_JOB_QUEUE_SIZE="2", **environ) == 2
    assert setting("use_env_allowed_urls=false", TS_ALLOWED_URLS="a", **environ) == ("re:a",)
    off = {"WFCTL_ENABLE_ENVVARS_CONFIG": "false"}
    assert settled("enable_envvars_config=true", TS_JOB_QUEUE_SIZE="2", **off).settings == ServerSettings()


def test_the_lifetime_of_tokens_has_a_variable_of_another_name():
    text = "enable_envvars_config=true"
    assert setting(text, TS_TOKEN_EXPIRATION_TIME_MIN="5", TS_TOKEN_EXPIRATION_MIN="6") == 5.0
    assert setting("", WFCTL_TOKEN_EXPIRATION_MIN="7") == 7.0


def test_the_open_protocol_has_a_variable_that_is_always_read():
    assert setting("", TS_OPEN_INFERENCE_PROTOCOL="oip") is True
    assert setting("enable_envvars_config=true", TS_OPEN_INFERENCE_PROTOCOL="oip") is True
    asked = "ts_open_inference_protocol=true"
    assert settled(asked, TS_OPEN_INFERENCE_PROTOCOL="true").settings.ts_open_inference_protocol is False
    for text in (asked, f"{asked}\nenable_envvars_config=true"):
        assert setting(text, TS_OPEN_INFERENCE_PROTOCOL="") is True
        assert setting(text, TS_OPEN_INFERENCE_PROTOCOL="no", WFCTL_TS_OPEN_INFERENCE_PROTOCOL="true") is True


def test_a_wrong_variable_is_named_instead_of_the_file():
    meant = ": a whole number of requests is meant, from 1"
    text = "enable_envvars_config=true\njob_queue_size=1"
    assert refusal(text, TS_JOB_QUEUE_SIZE="x") == f'TS_JOB_QUEUE_SIZE: job_queue_size is "x"{meant}'
    assert refusal(text, TS_JOB_QUEUE_SIZE="") == f'TS_JOB_QUEUE_SIZE: job_queue_size is ""{meant}'
    assert refusal(text, WFCTL_JOB_QUEUE_SIZE="x") == f'WFCTL_JOB_QUEUE_SIZE: job_queue_size is "x"{meant}'
    assert refusal("", WFCTL_ENABLE_ENVVARS_CONFIG="x").startswith(
        "WFCTL_ENABLE_ENVVARS_CONFIG: enable_envvars_config "
    )


@given(
    st.dictionaries(st.sampled_from([*KEYS, "nonsense", ""]), st.sampled_from(["true", "false", "1", "/a", "all", "("]))
)
def test_any_file_gives_settings_and_a_note_for_each_key_without_effect(given_keys):
    text = "".join(f"{key}={value}\n" for key, value in given_keys.items())
    try:
        found = settled(text)
    except ConfigError:
        return
    silent = {note.key for note in found.notes if note.kind != "differs"}
    assert silent == {key for key in given_keys if not isinstance(KEYS.get(key), Honoured)}


# The file


def test_the_file_is_the_one_of_the_variable_then_the_given_then_the_usual_one(tmp_path):
    usual = tmp_path / "config.properties"
    environ = {"TS_CONFIG_FILE": "/e/c"}
    assert find_config({}, None, tmp_path) is None
    usual.mkdir()
    assert find_config({}, None, tmp_path) is None
    usual.rmdir()
    usual.touch()
    assert find_config({}, None, tmp_path) == usual
    assert find_config({"TS_CONFIG_FILE": ""}, None, tmp_path) == usual
    assert find_config({}, Path("not-there"), tmp_path) == Path("not-there")
    assert find_config(environ, Path("given"), tmp_path) == Path("/e/c")
    assert find_config(environ, None, tmp_path) == Path("/e/c")
