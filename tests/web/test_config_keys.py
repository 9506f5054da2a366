"""Every key of the original has its place in the table, and what is ignored is ignored for a reason."""

import re
from dataclasses import fields

import pytest

from wfctl.web.config.keys import KEYS, READ_HERE, Honoured, Ignored, own_variable_of, variable_of
from wfctl.web.config.settings import ServerSettings, Settled, read_settings


def keys(text: str) -> list[str]:
    return text.split()


HONOURED = keys("""
inference_address management_address metrics_address model_store workflow_store allowed_urls
use_env_allowed_urls job_queue_size default_response_timeout default_startup_timeout
max_request_size decode_input_request limit_max_image_pixels service_envelope install_py_dep_per_model
blacklist_env_vars disable_token_authorization token_expiration_min ts_open_inference_protocol
enable_metrics_api enable_envvars_config cors_allowed_origin cors_allowed_methods cors_allowed_headers
private_key_file certificate_file
""")
IGNORED = keys("""
load_models enable_model_api unregister_model_timeout
grpc_inference_address grpc_management_address grpc_inference_port grpc_management_port
grpc_inference_max_connection_age_ms grpc_inference_max_connection_age_grace_ms
grpc_management_max_connection_age_ms grpc_management_max_connection_age_grace_ms enable_grpc_ssl
models default_workers_per_model number_of_gpu max_response_size default_service_handler
metrics_mode metrics_config model_metrics_auto_detect disable_system_metrics system_metrics_cmd metric_time_interval
keystore keystore_pass keystore_type number_of_netty_threads netty_client_threads
ts_header_key_sequence_id ts_header_key_sequence_start ts_header_key_sequence_end
initial_worker_port initial_distribution_port async_logging debug prefer_direct_buffer
ipex_enable ipex_gpu_enable cpu_launcher_enable cpu_launcher_args use_native_io io_ratio
model_server_home cpp_log_config vmargs plugins_path model_snapshot
""")


def settled(text: str) -> Settled:
    return read_settings(text, name="c.properties", environ={})


def test_the_table_has_every_key_of_the_original_and_no_other():
    assert {key for key, known in KEYS.items() if isinstance(known, Honoured)} == set(HONOURED)
    assert {key for key, known in KEYS.items() if isinstance(known, Ignored)} == set(IGNORED)


def test_every_honoured_key_is_a_setting_or_says_how_settings_are_read():
    assert {each.name for each in fields(ServerSettings)} | READ_HERE == set(HONOURED)


@pytest.mark.parametrize("key", IGNORED)
def test_an_ignored_key_changes_nothing_and_its_note_is_one_plain_sentence(key):
    found = settled(f"# x\n{key}=some-secret")
    assert found.settings == ServerSettings()
    (note,) = found.notes
    assert (note.key, note.kind, note.line, note.variable, note.meant) == (key, "ignored", 2, None, None)
    assert re.fullmatch(r"[a-zA-Z][^\n]{20,}[^.\s]", note.sentence)
    assert "secret" not in note.sentence


def test_reasons_that_tell_what_to_do_instead():
    assert settled("grpc_inference_port=1").notes[0].sentence == (
        "gRPC is not served: the original has no workflow methods there"
    )
    assert "openssl pkcs12" in settled("keystore=k.p12").notes[0].sentence
    assert "CUDA_VISIBLE_DEVICES" in settled("number_of_gpu=1").notes[0].sentence


def test_variables_stand_for_one_key_each():
    theirs = [variable_of(key) for key in KEYS if key not in READ_HERE]
    ours = [variable for key in HONOURED if (variable := own_variable_of(key))]
    assert len({*theirs, *ours}) == len(theirs) + len(ours)
    assert variable_of("token_expiration_min") == "TS_TOKEN_EXPIRATION_TIME_MIN"
    assert variable_of("ts_open_inference_protocol") == "TS_OPEN_INFERENCE_PROTOCOL"
    assert variable_of("job_queue_size") == "TS_JOB_QUEUE_SIZE"
    assert [key for key in HONOURED if own_variable_of(key) is None] == [
        "model_store",
        "workflow_store",
        "allowed_urls",
    ]
