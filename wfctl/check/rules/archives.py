"""Rules about what is inside archives: a model's configuration, requirements and runtime, a workflow's manifest.

A rule about one archive takes a model and what was found inside; ``over_models`` makes it a rule about a workflow.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from wfctl.check.model import Inside, UnmetRequirement
from wfctl.check.subject import Subject
from wfctl.check.wording import listed, quoted
from wfctl.diagnostics.catalog import find
from wfctl.diagnostics.model import Diagnostic
from wfctl.spec.model import ModelSpec
from wfctl.spec.model_config import ModelConfig

ArchiveRule = Callable[[ModelSpec, Inside], Iterator[Diagnostic]]

_PYTHON: Final = ("python", "python3")
_WITHOUT_EFFECT: Final = {
    "batchSize": '"batch-size"',
    "maxBatchDelay": '"max-batch-delay"',
    "clientTimeoutInMills": '"timeout-ms"',
}
"""What the original too ignores in a workflow -> the key of the spec that applies there and here."""


def over_models(rule: ArchiveRule) -> Callable[[Subject], Iterator[Diagnostic]]:
    """Return a rule that looks at every model of the dag whose archive was looked into."""

    def whole(subject: Subject) -> Iterator[Diagnostic]:
        """Apply the rule to each model."""
        for model in subject.spec.models.values():
            fact = subject.fact_about(model)
            if fact is not None and fact.inside is not None and model.name in subject.mended.children:
                yield from rule(model, fact.inside)

    return whole


def findings_about(model: ModelSpec, inside: Inside) -> Iterator[Diagnostic]:
    """Yield what there is to say about the inside of one archive."""
    for rule in ARCHIVE_RULES.values():
        yield from rule(model, inside)


def unreadable_model_config(model: ModelSpec, inside: Inside) -> Iterator[Diagnostic]:
    """Report a configuration that would end the loading of the model, here as in the original."""
    if inside.config_fault is not None:
        yield _of(
            "WF507",
            model,
            f"the configuration {_quoted(inside.config_file)} of model {quoted(model.name)} cannot be read:"
            f" {inside.config_fault}",
            help="mend the file and pack the model again; TorchServe does not load such a model either",
        )


def config_value_ignored(model: ModelSpec, inside: Inside) -> Iterator[Diagnostic]:
    """Report each value that does not fit its key."""
    for fault in inside.config.faults:
        where = f"{_quoted(inside.config_file)} of model {quoted(model.name)}"
        yield _of("WF508", model, f"{quoted(fault.key)} in {where} {fault.why}; it is ignored")


def config_beside_spec(model: ModelSpec, inside: Inside) -> Iterator[Diagnostic]:
    """Note which of two wins where configuration and spec set the same."""
    idle = [key for key in _WITHOUT_EFFECT if key in inside.config.settings]
    if idle:
        one = len(idle) == 1
        yield _of(
            "WF509",
            model,
            f"{listed(idle)} in {_quoted(inside.config_file)} of model {quoted(model.name)}"
            f" {'has' if one else 'have'} no effect in a workflow, as in TorchServe: the spec's"
            f" {', '.join(_WITHOUT_EFFECT[key] for key in idle)} {'applies' if one else 'apply'}",
        )
    workers = inside.config.workers
    if workers is not None and workers[0] != model.settings.max_workers:
        count = "1 worker runs" if workers[0] == 1 else f"{workers[0]} workers run"
        yield _of(
            "WF509",
            model,
            f"minWorkers {workers[0]} and maxWorkers {workers[1]} in {_quoted(inside.config_file)} of model"
            f" {quoted(model.name)} beat the spec's {model.settings.max_workers}, as in TorchServe: {count}",
        )


def unmet_requirement(model: ModelSpec, inside: Inside) -> Iterator[Diagnostic]:
    """Report each requirement that is missing, there in another version, or not to be judged."""
    for unmet in inside.unmet:
        where = f"{unmet.file}, line {unmet.line}" if unmet.line else unmet.file
        what = f"the requirement {quoted(unmet.text)} of model {quoted(model.name)} ({where})"
        if unmet.fault is not None:
            yield _of("WF510", model, f"{what} cannot be judged: {unmet.fault}")
            continue
        there = "is not installed" if unmet.installed is None else f"is not met: {_there(unmet)}"
        yield _of(
            "WF510",
            model,
            f"{what} {there}",
            help="install it, or let wfctl run --install-requirements put it where only this model sees it",
        )


def _there(unmet: UnmetRequirement) -> str:
    if unmet.lacking is not None:
        return f"its extras need {quoted(unmet.lacking)}, which is not here"
    return f"{unmet.installed} is installed"


def unsupported_runtime(model: ModelSpec, inside: Inside) -> Iterator[Diagnostic]:
    """Report an archive that is not for Python."""
    if inside.runtime in _PYTHON:
        return
    what = "the C++ runtime" if inside.runtime == "LSP" else f"the runtime {quoted(inside.runtime)}"
    yield _of(
        "WF512",
        model,
        f"the archive {quoted(model.url or '')} of model {quoted(model.name)} is for {what}, not for Python",
        help="pack the model with a Python handler and --runtime python",
    )


def device_not_there(model: ModelSpec, inside: Inside) -> Iterator[Diagnostic]:
    """Report GPUs that a configuration asks for and this machine does not have."""
    config, gpus = inside.config, inside.gpus
    if gpus is None or not config.allows_gpus:
        return
    where = f"in {_quoted(inside.config_file)} of model {quoted(model.name)}"
    keys = [key for key in _OF_GPUS if _asks(key, config.settings.get(key))]
    if keys and not gpus:
        yield _of(
            "WF513",
            model,
            f"{listed(keys)} {where} {'asks' if len(keys) == 1 else 'ask'} for a GPU, and there is none here:"
            " its workers run on the CPU, as in TorchServe",
            help=_SHOW_GPUS,
        )
    missing = [str(each) for each in dict.fromkeys(config.device_ids) if not 0 <= each < gpus]
    if gpus and missing:
        there = "GPU 0 is" if gpus == 1 else f"GPUs 0 to {gpus - 1} are"
        yield _of(
            "WF513",
            model,
            f'"deviceIds" {where} has {", ".join(missing)}, and only {there} here: the whole list is ignored, as in'
            " TorchServe",
            help=_SHOW_GPUS,
        )


def workers_scaled(model: ModelSpec, inside: Inside) -> Iterator[Diagnostic]:
    """Note that a number of workers that the original never uses means something here."""
    least, most = inside.config.workers or (0, 0)
    if least != most:
        yield _of(
            "WF909",
            model,
            f"TorchServe starts the minWorkers {least} of model {quoted(model.name)} and no more by itself; here up to"
            f" the maxWorkers {most} in {_quoted(inside.config_file)} run under load, but no more than there are"
            " processors for them",
            help="set maxWorkers to minWorkers if the model has memory for so many only",
        )


def config_not_supported(model: ModelSpec, inside: Inside) -> Iterator[Diagnostic]:
    """Report each key that asks for what the engine does not do."""
    for keys, instead in _asked(_NOT_SUPPORTED, inside):
        yield _of("WF511", model, f"{_keys(keys, model, inside)} not supported: {instead}")


def fates(config: ModelConfig) -> Iterator[tuple[str, str]]:
    """Yield each key that is for the server, and what becomes of it in a workflow."""
    for key, value in config.settings.items():
        if key in _WITHOUT_EFFECT:
            yield key, f"no effect in a workflow: the spec's {_WITHOUT_EFFECT[key]} applies"
        elif key in _NOT_SUPPORTED and _asks(key, value):
            yield key, f"not supported: {_NOT_SUPPORTED[key]}"
        elif key == "maxWorkers" and value != config.settings["minWorkers"]:
            yield key, f"applied: up to {value} run under load, but no more than there are processors for them"
        elif key in _OF_GPUS and _asks(key, value):
            yield key, _OF_GPUS[key]
        else:
            yield key, "applied"
    for fault in config.faults:
        yield fault.key, f"ignored: {fault.why}"


def incomplete_manifest(subject: Subject) -> Iterator[Diagnostic]:
    """Note what the manifest of a workflow's archive lacks, and TorchServe demands."""
    for key, words in subject.surroundings.missing_in_manifest.items():
        yield find(
            "WF908",
            f"the manifest has no {quoted(key)}; TorchServe refuses the archive with {quoted(words)}",
            subject.spec.dag_span,
        )


ARCHIVE_RULES: Mapping[str, ArchiveRule] = {
    "WF507": unreadable_model_config,
    "WF508": config_value_ignored,
    "WF509": config_beside_spec,
    "WF510": unmet_requirement,
    "WF511": config_not_supported,
    "WF512": unsupported_runtime,
    "WF513": device_not_there,
    "WF909": workers_scaled,
}

_ONE_PROCESS: Final = "the model is loaded once in each worker, in one process"
_BY_BATCH: Final = "requests are gathered into batches as the spec says"
_NO_SEQUENCES: Final = "requests of one sequence may reach different workers"
_SHOW_GPUS: Final = "nvidia-smi -L lists the GPUs of a machine, and CUDA_VISIBLE_DEVICES hides some from a program"
_OF_GPUS: Final = {
    "deviceType": "applied: without a GPU the workers run on the CPU, as in TorchServe",
    "deviceIds": "applied: if one of them is not there all GPUs are used, as in TorchServe",
}
"""Key that may ask for GPUs -> what becomes of it."""
_NOT_SUPPORTED: Final = {
    "parallelType": _ONE_PROCESS,
    "parallelLevel": _ONE_PROCESS,
    "torchrun": _ONE_PROCESS,
    "continuousBatching": _BY_BATCH,
    "sequenceBatching": _NO_SEQUENCES,
    "sequenceMaxIdleMSec": _NO_SEQUENCES,
    "sequenceTimeoutMSec": _NO_SEQUENCES,
    "maxSequenceJobQueueSize": _NO_SEQUENCES,
    "maxNumSequence": _NO_SEQUENCES,
    "useJobTicket": "requests wait in the queue of the node until it is full",
    "asyncCommunication": "a worker answers one batch after the other",
    "useVenv": "the model runs in this environment; wfctl run --install-requirements adds what it lacks",
}
_HARMLESS: Final[Mapping[str, tuple[Any, ...]]] = {
    "deviceType": ("cpu",),
    "parallelLevel": (0, 1),
    "sequenceMaxIdleMSec": (0,),
    "sequenceTimeoutMSec": (0,),
    "maxSequenceJobQueueSize": (1,),
    "maxNumSequence": (1,),
    "deviceIds": ([],),
    "torchrun": ({},),
}
"""Values that ask for nothing beyond what is done anyway; ``False`` is one for every switch."""


def _asked(table: Mapping[str, str], inside: Inside) -> Iterator[tuple[list[str], str]]:
    """Yield the keys that ask for something, those with the same answer together."""
    answers: dict[str, list[str]] = {}
    for key, instead in table.items():
        if _asks(key, inside.config.settings.get(key)):
            answers.setdefault(instead, []).append(key)
    yield from ((keys, instead) for instead, keys in answers.items())


def _asks(key: str, value: object) -> bool:
    return value is not None and value is not False and value not in _HARMLESS.get(key, ())


def _keys(keys: list[str], model: ModelSpec, inside: Inside) -> str:
    verb = "is" if len(keys) == 1 else "are"
    return f"{listed(keys)} in {_quoted(inside.config_file)} of model {quoted(model.name)} {verb}"


def _quoted(name: str | None) -> str:
    return quoted(name or "model-config.yaml")


def _of(code: str, model: ModelSpec, message: str, *, help: str | None = None) -> Diagnostic:  # noqa: A002 - as in find
    return find(code, message, model.url_span or model.name_span, help=help)
