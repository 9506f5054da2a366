"""What a server is told: a ``config.properties`` and the environment become one value and notes about it.

Invariant: text and mappings in, values out; only ``find_config`` looks at a disk. A setting that nothing honours has
no field here.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from wfctl.check.closest import closest_of_all
from wfctl.check.wording import did_you_mean, quoted
from wfctl.web.config.addresses import Address, AddressError
from wfctl.web.config.conversions import MeantError, switch
from wfctl.web.config.keys import KEYS, READ_HERE, Honoured, Ignored, own_variable_of, variable_of
from wfctl.web.config.properties import ConfigError, parse_properties, replace_variables

_FILE: Final = "config.properties"
_OIP: Final = "ts_open_inference_protocol"
_BLANKS: Final = " \t\f\r\n"
_INFERENCE: Final = Address(scheme="http", host="127.0.0.1", port=8080)
_MANAGEMENT: Final = Address(scheme="http", host="127.0.0.1", port=8081)
_METRICS: Final = Address(scheme="http", host="127.0.0.1", port=8082)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """Settings by the original's names, with its defaults unless it says otherwise."""

    inference_address: Address = _INFERENCE
    management_address: Address = _MANAGEMENT
    metrics_address: Address = _METRICS
    model_store: Path | None = None
    """As it was written: a relative one counts from the working directory, and not from the file."""
    workflow_store: Path | None = None
    """As it was written; ``workflow_folder`` is what to use."""
    allowed_urls: tuple[str, ...] = ()
    """Patterns as ``wfctl.store.allow`` reads them. Nothing by default, where the original fetches from everywhere."""
    default_response_timeout: int | None = None
    """Seconds for one batch; ``None`` for as long as a node's own time-outs allow, where the original has 120."""
    default_startup_timeout: int | None = None
    """Seconds for loading one worker; ``None`` for what the command line says, 120 by default as in the original."""
    job_queue_size: int | None = None
    """Requests that wait for a node at most; ``None`` for the spec's usual number, where the original has 100."""
    max_request_size: int = 6_553_500
    """Bytes of a body at most."""
    decode_input_request: bool = True
    """Whether JSON and text are decoded before handlers see them."""
    limit_max_image_pixels: bool = True
    """Whether images of very many pixels are refused."""
    service_envelope: str | None = None
    """The envelope around every model."""
    install_py_dep_per_model: bool = False
    """Whether what archives require is installed."""
    blacklist_env_vars: re.Pattern[str] | None = None
    """Environment variables whose names match from end to end are kept from workers."""
    disable_token_authorization: bool | None = None
    """Whether everybody is served who gets to an address; ``None`` where nobody says so, and then addresses decide."""
    token_expiration_min: float = 60.0
    """Minutes."""
    ts_open_inference_protocol: bool = False
    """Whether it was asked for; it is served anyway."""
    enable_metrics_api: bool = True
    cors_allowed_origin: str | None = None
    """The value of a field that every answer gets; likewise the two that follow."""
    cors_allowed_methods: str | None = None
    cors_allowed_headers: str | None = None
    private_key_file: Path | None = None
    certificate_file: Path | None = None

    @property
    def workflow_folder(self) -> Path | None:
        """The folder of workflows: the model store, unless another is named."""
        return self.workflow_store or self.model_store


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something that whoever wrote the settings should know."""

    key: str
    kind: Literal["ignored", "unknown", "differs"]
    sentence: str
    """One sentence in lower case, without the key's place and without a full stop."""
    line: int | None = None
    """In the file, from 1; ``None`` for what the environment says."""
    variable: str | None = None
    """The environment variable that says it; ``None`` for what the file says."""
    meant: str | None = None
    """For an unknown key the known one that is most like it, if there is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """The settings, and what is to be said about how they came to be."""

    settings: ServerSettings
    notes: tuple[Note, ...]
    """Those about the file in the order of its lines, then those about the environment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """What a key was given, and by whom."""

    key: str
    text: str
    where: str
    """``file:line:column``, or the variable's name."""
    line: int | None = None
    variable: str | None = None

    def note(self, kind: Literal["ignored", "unknown", "differs"], sentence: str, *, meant: str | None = None) -> Note:
        return Note(key=self.key, kind=kind, sentence=sentence, line=self.line, variable=self.variable, meant=meant)


def read_settings(text: str, *, name: str, environ: Mapping[str, str]) -> Settled:
    """Return what a file and the environment say together; ``text`` is empty where there is no file.

    ``name`` is the file's in messages. With ``enable_envvars_config=true`` the original's variables (``TS_...``) beat
    the file; ours (``WFCTL_...``) beat both, unless they are empty. Raises ``ConfigError`` for the first value that is
    wrong, and for a ``$$VAR$$`` that is not set, whatever its key.
    """
    file = _of_file(text, name, environ)
    own = _of_variables(
        ((key, own_variable_of(key)) for key, known in KEYS.items() if isinstance(known, Honoured)), environ
    )
    own = {key: given for key, given in own.items() if given.text}
    merged = file | _theirs(file | own, environ) | own
    values: dict[str, Any] = {}
    notes = _notes_on_unknown([given for key, given in merged.items() if key not in KEYS])
    for key, given in merged.items():
        match KEYS.get(key):
            case Honoured() as known:
                values[key] = _converted(given, known)
                notes += _differences(given, known, values[key])
            case Ignored(reason=reason):
                notes.append(given.note("ignored", reason))
            case None:
                pass
    settings = ServerSettings(**{key: value for key, value in values.items() if key not in READ_HERE})
    return Settled(settings=settings, notes=tuple(sorted(notes, key=_order)))


def find_config(environ: Mapping[str, str], given: Path | None, folder: Path) -> Path | None:
    """Return the file of settings: ``TS_CONFIG_FILE``, else ``given``, else ``config.properties`` in ``folder``.

    Only the last is left out where there is none: who names a file is to hear that it is not there.
    """
    if named := environ.get("TS_CONFIG_FILE"):
        return Path(named)
    usual = folder / _FILE
    return given or (usual if usual.is_file() else None)


def _of_file(text: str, name: str, environ: Mapping[str, str]) -> dict[str, _Given]:
    found = replace_variables(parse_properties(text, name=name), environ, name=name)
    return {
        key: _Given(key=key, text=each.value, where=each.where(name), line=each.line) for key, each in found.items()
    }


def _of_variables(names: Iterable[tuple[str, str | None]], environ: Mapping[str, str]) -> dict[str, _Given]:
    return {
        key: _Given(key=key, text=environ[variable], where=variable, variable=variable)
        for key, variable in names
        if variable is not None and variable in environ
    }


def _theirs(switches: Mapping[str, _Given], environ: Mapping[str, str]) -> dict[str, _Given]:
    """Return what the original's variables say, as far as they are listened to."""
    found: dict[str, _Given] = {}
    if _is_on("enable_envvars_config", switches):
        found = _of_variables(((key, variable_of(key)) for key in KEYS), environ)
        if not _is_on("use_env_allowed_urls", switches):
            found.pop("allowed_urls", None)
    found.pop(_OIP, None)
    # This one is always listened to, and has a word of its own instead of true.
    variable = variable_of(_OIP) or ""
    if asked := environ.get(variable):
        text = "true" if asked == "oip" else "false"
        found[_OIP] = _Given(key=_OIP, text=text, where=variable, variable=variable)
    return found


def _is_on(key: str, switches: Mapping[str, _Given]) -> bool:
    given = switches.get(key)
    return given is not None and _converted(given, Honoured(convert=switch)) is True


def _converted(given: _Given, known: Honoured) -> object:
    text = given.text.strip(_BLANKS)
    try:
        return known.convert(text)
    except (MeantError, AddressError) as why:
        raise ConfigError(f"{given.where}: {given.key} is {quoted(text)}: {why}") from None


def _differences(given: _Given, known: Honoured, value: object) -> Iterator[Note]:
    if value is True and given.text != given.text.strip(_BLANKS):
        yield given.note("differs", 'for the original a blank beside "true" makes "false" of it, and here it is "true"')
    if sentence := known.differs(value):
        yield given.note("differs", sentence)


def _notes_on_unknown(unknown: list[_Given]) -> list[Note]:
    alike = closest_of_all([given.key for given in unknown], list(KEYS))
    notes = []
    for given in unknown:
        meant = alike[given.key][:1]
        advice = did_you_mean(meant)
        sentence = f"there is no such key{f'; {advice}' if advice else ''}"
        notes.append(given.note("unknown", sentence, meant=next(iter(meant), None)))
    return notes


def _order(note: Note) -> tuple[bool, int, str]:
    return note.line is None, note.line or 0, note.variable or ""
