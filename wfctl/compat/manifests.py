"""What the manifest of a model's archive and its weights say: which handler, which files, on what terms.

Invariant: what a check has refused already is left to it.
"""

from collections.abc import Iterator

from wfctl.archive.handler_member import handler_module_of
from wfctl.archive.manifest import MarManifest
from wfctl.archive.mar import PACKED_WITHOUT_FILE
from wfctl.check.wording import listed, quoted
from wfctl.compat.found import NOTHING_TO_DO
from wfctl.compat.imports import extra_words, missing_for_pictures
from wfctl.compat.model import HasLibrary, ModelCode, Row
from wfctl.compat.uses import LOAD_REMEDY
from wfctl.diagnostics.catalog import find
from wfctl.diagnostics.model import Span
from wfctl.handler_facts import read_handler_facts
from wfctl.handlers.extras import EXTRA_OF, command_for
from wfctl.hosting.ts_names import BUILT_IN_HANDLERS, FOR_TEXTS

_PACK_AGAIN = "pack the model again and name its handler"
_PACK_WITH_FILE = "pack the model again with this file"
_USUAL_VOCABULARY = "source_vocab.pt"
_OF_ANY_WEIGHTS = frozenset({"densenet_handler"})
_MODELS_BY_THEMSELVES = (".pt", ".onnx", ".so", ".pt2")
_SETTING_FOR_HANDLER = 'TorchServe takes a handler that no manifest names from its setting "default_service_handler"'


def about_manifest(model: ModelCode, has_library: HasLibrary) -> Iterator[Row]:
    """Tell all that the manifest gives away."""
    manifest = model.manifest
    if manifest is None:
        yield from _without_manifest(model)
        return
    if manifest.runtime == "LSP":
        return  # the check says so
    if manifest.handler is None:
        words = f"{_SETTING_FOR_HANDLER}; here there is no such setting, and a model without a handler is refused"
        yield _row("WF936", model, words, remedy=_PACK_AGAIN)
    else:
        yield from _about_handler(manifest.handler, model, has_library)
    if manifest.envelope is not None:
        words = (
            f'TorchServe replaces the envelope {quoted(manifest.envelope)} of a manifest by its "service_envelope";'
            " here it has no effect either, and wfctl run --service-envelope is that setting"
        )
        yield _row("WF934", model, words, remedy="use the option if your config.properties has the setting")
    yield from _missing_for_built_in(manifest, model)
    yield from _about_weights(model, has_library)


def _without_manifest(model: ModelCode) -> Iterator[Row]:
    if model.code.handler is None:
        words = f"{_SETTING_FOR_HANDLER}; here a file of the archive must be the handler, and none surely is"
        yield _row("WF936", model, words, remedy=_PACK_AGAIN)
    else:
        yield _row(
            "WF928",
            model,
            f"{_SETTING_FOR_HANDLER}; here {quoted(model.code.handler)} is taken, as the archive has no manifest",
        )


def _about_handler(handler: str, model: ModelCode, has_library: HasLibrary) -> Iterator[Row]:
    if model.code.handler is not None:
        yield from _about_entry(handler, model)
        return
    name = handler_module_of(handler)
    if name in BUILT_IN_HANDLERS:
        missing = missing_for_pictures(name, has_library)
        if missing is not None:
            yield _row("WF938", model, extra_words(missing), remedy=command_for(EXTRA_OF[missing]))
    elif name in PACKED_WITHOUT_FILE:
        words = f"TorchServe has the handler {quoted(name)} built in; here it is not"
        yield _row("WF921", model, words, remedy="write a handler that calls the vendor's library, and pack it")
    else:
        words = f"TorchServe fails to load a model whose handler {quoted(handler)} is not in the archive; here too"
        yield _row("WF937", model, words, remedy=_PACK_WITH_FILE)


def _missing_for_built_in(manifest: MarManifest, model: ModelCode) -> Iterator[Row]:
    """Tell what a built-in handler cannot load; what a handler of the archive's own would miss, nobody knows."""
    name = handler_module_of(manifest.handler or "")
    if model.code.handler is not None or name not in BUILT_IN_HANDLERS:
        return
    weights = manifest.serialized_file
    vocabulary = manifest.source_vocab or _USUAL_VOCABULARY if name in FOR_TEXTS else None
    missing = [each for each in (weights, manifest.model_file, vocabulary) if each and each not in model.code.members]
    what = None
    if missing:
        what = f"an archive for the handler {quoted(name)} that lacks {listed(missing)}"
    elif manifest.model_file is None and name not in _OF_ANY_WEIGHTS:
        if weights is None:
            what = f"an archive for the handler {quoted(name)} that has neither weights nor a file with the model"
        elif not weights.endswith(_MODELS_BY_THEMSELVES):
            what = f"{quoted(weights)} by the handler {quoted(name)} without a file with the model"
    if what is not None:
        yield _row("WF937", model, f"TorchServe fails to load {what}; here too", remedy=_PACK_WITH_FILE)


def _about_entry(handler: str, model: ModelCode) -> Iterator[Row]:
    """Tell of a handler that answers nothing, as far as its text gives that away."""
    file = next((each for each in model.code.files if each.member == model.code.handler), None)
    facts = None if file is None else read_handler_facts(file.source)[0]
    if file is None or facts is None or facts.has_star_import:
        return
    wanted = handler.partition(":")[2] or "handle"
    fact = facts.functions.get(wanted)
    if fact is not None and fact.is_async:
        words = (
            f"TorchServe loads a handler whose {quoted(wanted)} is async and fails every request; here it is refused"
        )
        remedy = "define it with a plain def, and run what is async inside it with asyncio.run"
        yield _row("WF406", model, words, remedy=remedy, place=file.place(fact.span.start.line))
    elif fact is None and not facts.classes:
        words = f"TorchServe fails to load a handler with neither a function {quoted(wanted)} nor a class; here too"
        yield _row("WF937", model, words, remedy="name the function in the manifest", place=file.place(1))


def _about_weights(model: ModelCode, has_library: HasLibrary) -> Iterator[Row]:
    weights = model.manifest.serialized_file if model.manifest else None
    if weights and weights.endswith(".onnx") and not has_library("onnxruntime"):
        yield _row("WF938", model, extra_words("onnxruntime"), remedy=command_for(EXTRA_OF["onnxruntime"]))
    for member, names in model.foreign.items():
        words = (
            f"TorchServe leaves it to torch whether {quoted(member)} may hold more than weights"
            f" ({listed(names, limit=3)}); here it is loaded in full, where the archive is trusted"
        )
        yield _row("WF933", model, words, remedy=LOAD_REMEDY)


def _row(code: str, model: ModelCode, message: str, *, remedy: str = NOTHING_TO_DO, place: Span | None = None) -> Row:
    node = model.code.node
    return Row(finding=find(code, message, place, help=remedy), nodes=(node.name,) if node else ())
