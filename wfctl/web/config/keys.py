"""Every key that the original's ``config.properties`` may have, and what becomes of it here.

Pure. Invariant: a key is either honoured, and then something reads its value, or ignored for a reason.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Final

from wfctl.web.config.addresses import Role, parse_address
from wfctl.web.config.conversions import (
    expression,
    field_value,
    minutes,
    path,
    patterns,
    switch,
    whole_from_1,
    word,
)

READ_HERE: Final = frozenset({"enable_envvars_config", "use_env_allowed_urls"})
"""Keys that say how settings are read, and are no settings themselves; no ``TS_`` variable stands for them."""
_ON_THE_LINE: Final = frozenset({"model_store", "workflow_store", "allowed_urls"})
"""Keys whose ``WFCTL_`` variables belong to options of the command line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Honoured:
    """A key that has its effect."""

    convert: Callable[[str], object]
    """Raises ``MeantError`` or ``AddressError``."""
    differs: Callable[[object], str | None] = lambda _: None
    """Returns what is different here from what the original makes of this value, if anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """A key without effect."""

    reason: str
    """One sentence, without a full stop."""


def variable_of(key: str) -> str | None:
    """Return the original's environment variable for a key, if there is one."""
    if key in READ_HERE:
        return None
    if key == "token_expiration_min":
        return "TS_TOKEN_EXPIRATION_TIME_MIN"
    return key.upper() if key.startswith("ts_") else f"TS_{key.upper()}"


def own_variable_of(key: str) -> str | None:
    """Return our own environment variable for an honoured key, if it is read together with the file."""
    return None if key in _ON_THE_LINE else f"WFCTL_{key.upper()}"


def _oip(is_asked_for: object) -> str | None:
    return None if is_asked_for else "the open inference protocol is served whether it is asked for or not"


_SECONDS: Final = whole_from_1("seconds")
_BYTES: Final = whole_from_1("bytes")

_HONOURED: Final = {
    "inference_address": Honoured(convert=partial(parse_address, role=Role.INFERENCE)),
    "management_address": Honoured(convert=partial(parse_address, role=Role.MANAGEMENT)),
    "metrics_address": Honoured(convert=partial(parse_address, role=Role.METRICS)),
    "model_store": Honoured(convert=path),
    "workflow_store": Honoured(convert=path),
    "allowed_urls": Honoured(convert=patterns),
    "use_env_allowed_urls": Honoured(convert=switch),
    "enable_envvars_config": Honoured(convert=switch),
    "default_response_timeout": Honoured(convert=_SECONDS),
    "default_startup_timeout": Honoured(convert=_SECONDS),
    "job_queue_size": Honoured(convert=whole_from_1("requests")),
    "max_request_size": Honoured(convert=_BYTES),
    "decode_input_request": Honoured(convert=switch),
    "limit_max_image_pixels": Honoured(convert=switch),
    "service_envelope": Honoured(convert=word),
    "install_py_dep_per_model": Honoured(convert=switch),
    "blacklist_env_vars": Honoured(convert=expression),
    "disable_token_authorization": Honoured(convert=switch),
    "token_expiration_min": Honoured(convert=minutes),
    "ts_open_inference_protocol": Honoured(convert=switch, differs=_oip),
    "enable_metrics_api": Honoured(convert=switch),
    "cors_allowed_origin": Honoured(convert=field_value),
    "cors_allowed_methods": Honoured(convert=field_value),
    "cors_allowed_headers": Honoured(convert=field_value),
    "private_key_file": Honoured(convert=path),
    "certificate_file": Honoured(convert=path),
}

_BY_REASON: Final = {
    "single models are not served: they are registered as parts of workflows, which are named on the command line or "
    "registered": ("load_models",),
    "single models are neither registered nor removed: POST and DELETE of /models answer 405 whatever this says": (
        "enable_model_api",
    ),
    "a workflow that is unregistered answers what it has begun within its own time-outs": ("unregister_model_timeout",),
    "gRPC is not served: the original has no workflow methods there": (
        "grpc_inference_address",
        "grpc_management_address",
        "grpc_inference_port",
        "grpc_management_port",
        "grpc_inference_max_connection_age_ms",
        "grpc_management_max_connection_age_ms",
        "grpc_inference_max_connection_age_grace_ms",
        "grpc_management_max_connection_age_grace_ms",
        "enable_grpc_ssl",
    ),
    "one event loop serves all connections, and netty with its threads and buffers is not used": (
        "number_of_netty_threads",
        "netty_client_threads",
        "prefer_direct_buffer",
        "use_native_io",
        "io_ratio",
    ),
    "a keystore is not read; openssl pkcs12 -in KEYSTORE -nodes -out server.pem makes a file of it that both "
    "private_key_file and certificate_file can name": ("keystore", "keystore_pass", "keystore_type"),
    "numbers of workers come from the spec of a workflow, and from an archive's own model-config.yaml": (
        "default_workers_per_model",
        "models",
        "debug",
    ),
    "workers use every GPU that they can see; CUDA_VISIBLE_DEVICES says which those are": ("number_of_gpu",),
    "what a handler may return is not limited": ("max_response_size",),
    "an archive and a spec name their handlers themselves": ("default_service_handler",),
    "metrics are always served for Prometheus, and never written to a log": ("metrics_mode",),
    "what is measured is not read from a file: all that handlers measure is told, by the names and labels they give": (
        "metrics_config",
    ),
    "all that handlers measure is told to Prometheus, as with true": ("model_metrics_auto_detect",),
    "the machine's own load is measured by the server itself, whenever its metrics are asked for": (
        "disable_system_metrics",
        "system_metrics_cmd",
        "metric_time_interval",
    ),
    "requests of one sequence are not held together": (
        "ts_header_key_sequence_id",
        "ts_header_key_sequence_start",
        "ts_header_key_sequence_end",
    ),
    "workers are reached by sockets without ports": ("initial_worker_port",),
    "no model is spread over several processes by torchrun": ("initial_distribution_port",),
    "Intel's extension is not loaded; a handler can import it by itself": ("ipex_enable", "ipex_gpu_enable"),
    "workers are started without a launcher": ("cpu_launcher_enable", "cpu_launcher_args"),
    "workers in C++ are not run": ("cpp_log_config",),
    "there is no Java virtual machine, and none of its loggers": ("vmargs", "async_logging"),
    "plugins are Java classes, and there is no Java virtual machine": ("plugins_path",),
    "there is no installed TorchServe to be found": ("model_server_home",),
    "the original's snapshots are not read; --state FILE writes down what is served, and --restore begins with that": (
        "model_snapshot",
    ),
}

_IGNORED: Final = {key: Ignored(reason=reason) for reason, keys in _BY_REASON.items() for key in keys}

KEYS: Final[Mapping[str, Honoured | Ignored]] = MappingProxyType({**_HONOURED, **_IGNORED})
"""All keys, those that are honoured first."""
