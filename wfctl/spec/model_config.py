"""What ``model-config.yaml`` says to the server: the keys that are not the handler's own, each of its type or named.

Invariant: values only; nothing here decides what is done with a setting, and keys it does not know are the handler's.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFault:
    """One key that is ignored, and why."""

    key: str
    why: str
    """What stands there and what should: ``is text, not a whole number``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """The server's part of one configuration."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    """Key as written -> value, only for known keys with a value that fits, in the order of the text."""
    faults: tuple[KeyFault, ...] = ()

    @property
    def workers(self) -> tuple[int, int] | None:
        """``minWorkers`` and ``maxWorkers``, where the two can be used."""
        least, most = self.settings.get("minWorkers"), self.settings.get("maxWorkers")
        return None if least is None or most is None else (least, most)

    @property
    def startup_timeout_s(self) -> float | None:
        """How long the loading of one worker may take."""
        return self.settings.get("startupTimeout")

    @property
    def response_timeout_s(self) -> float | None:
        """How long a worker may take for one batch."""
        return self.settings.get("responseTimeout")

    @property
    def max_retry_timeout_s(self) -> float | None:
        """For how long workers that die one after another are replaced; 0 for not at all."""
        return self.settings.get("maxRetryTimeoutInSec")

    @property
    def allows_gpus(self) -> bool:
        """Whether workers may use GPUs: unless ``deviceType`` is ``cpu``."""
        return bool(self.settings.get("deviceType") != "cpu")

    @property
    def device_ids(self) -> tuple[int, ...]:
        """The GPUs that workers are to share; empty for all there are."""
        return tuple(self.settings.get("deviceIds", ()))

    @property
    def queue_size(self) -> int | None:
        """How many calls may wait."""
        return self.settings.get("jobQueueSize")


_MOST: Final = (1 << 31) - 1
"""The original reads whole numbers of 32 bits, and ignores a larger one too."""
_MOST_WORKERS: Final = 1024
"""As in a spec."""
_WORD_OF: Final = {bool: "true or false", int: "a whole number", str: "text", list: "a list", dict: "a mapping"}
_FOUND: Final = {**_WORD_OF, float: "a number with a fraction", type(None): "empty"}


def _of_type(wanted: type, value: object) -> str | None:
    # Not isinstance: True is an int to Python.
    if type(value) is wanted:
        return None
    found = str(value).lower() if isinstance(value, bool) else _FOUND.get(type(value), "a date")
    return f"is {found}, not {_WORD_OF[wanted]}"


def _whole(least: int, most: int = _MOST) -> Callable[[object], str | None]:
    def fault(value: object) -> str | None:
        """Return what is wrong with a number, or nothing."""
        wrong = _of_type(int, value)
        if wrong is None and isinstance(value, int) and not least <= value <= most:
            return f"is {value}, and must be {f'{least} or more' if value < least else f'{most} or less'}"
        return wrong

    return fault


def _one_of(*words: str) -> Callable[[object], str | None]:
    def fault(value: object) -> str | None:
        """Return what is wrong with a word, or nothing."""
        wrong = _of_type(str, value)
        if wrong is None and value not in words:
            return f'is "{value}", and must be {", ".join(words[:-1])} or {words[-1]}'
        return wrong

    return fault


def _switch(value: object) -> str | None:
    return _of_type(bool, value)


def _mapping(value: object) -> str | None:
    return _of_type(dict, value)


def _numbers(value: object) -> str | None:
    wrong = _of_type(list, value)
    if wrong is None and isinstance(value, list) and any(type(item) is not int for item in value):
        return "holds something that is no whole number"
    return wrong


_KEYS: Final[Mapping[str, Callable[[object], str | None]]] = {
    "minWorkers": _whole(1, _MOST_WORKERS),
    "maxWorkers": _whole(1),
    "batchSize": _whole(1),
    "maxBatchDelay": _whole(0),
    "responseTimeout": _whole(1),
    "startupTimeout": _whole(1),
    "deviceType": _one_of("cpu", "gpu"),
    "deviceIds": _numbers,
    "parallelType": _one_of("pp", "tp", "pptp", "custom"),
    "parallelLevel": _whole(0),
    "torchrun": _mapping,
    "maxRetryTimeoutInSec": _whole(0),
    "clientTimeoutInMills": _whole(0),
    "jobQueueSize": _whole(1),
    "useJobTicket": _switch,
    "continuousBatching": _switch,
    "sequenceBatching": _switch,
    "asyncCommunication": _switch,
    "useVenv": _switch,
    "sequenceMaxIdleMSec": _whole(0),
    "sequenceTimeoutMSec": _whole(0),
    "maxSequenceJobQueueSize": _whole(1),
    "maxNumSequence": _whole(1),
}
"""Every key that the original's server reads -> what is wrong with a value, or nothing."""


def read_model_config(values: Mapping[Any, Any]) -> ModelConfig:
    """Take the server's part out of what a configuration holds."""
    settings: dict[str, Any] = {}
    faults: list[KeyFault] = []
    for key, value in values.items():
        if key not in _KEYS:
            continue
        wrong = _KEYS[key](value)
        if wrong is None:
            settings[key] = value
        else:
            faults.append(KeyFault(key=key, why=wrong))
    faults += _unusable_workers(settings, {fault.key for fault in faults})
    return ModelConfig(settings=settings, faults=tuple(faults))


def _unusable_workers(settings: dict[str, Any], faulty: set[str]) -> list[KeyFault]:
    """Take out numbers of workers that do not go together: the original uses both or none."""
    least, most = settings.get("minWorkers"), settings.get("maxWorkers")
    if least is None and most is None:
        return []
    if least is not None and most is not None:
        if most >= least:
            return []
        why = f"is {most}, and minWorkers is {least}"
        keys = {"minWorkers": f"is {least}, and maxWorkers is {most}", "maxWorkers": why}
    else:
        lonely, other = ("minWorkers", "maxWorkers") if most is None else ("maxWorkers", "minWorkers")
        stands = "is not usable" if other in faulty else "is not set"
        keys = {lonely: f"has no effect, as {other} {stands}"}
    for key in keys:
        del settings[key]
    return [KeyFault(key=key, why=why) for key, why in keys.items()]
