"""What the manifest of a model's archive and its weights say: which handler, which files, on what terms.

Invariant: what a check has refused already is left to it.
"""

from collections.abc import Iterator

from wfctl.archive.mar import BUILT_IN_HANDLERS as ARCHIVERS_HANDLERS
from wfctl.check.wording import listed, quoted
from wfctl.compat.found import NOTHING_TO_DO
from wfctl.compat.imports import extra_words, missing_for_pictures
from wfctl.compat.model import HasLibrary, ModelCode, Row
from wfctl.compat.uses import LOAD_REMEDY
from wfctl.diagnostics.catalog import find
from wfctl.hosting.ts_names import BUILT_IN_HANDLERS

_USUAL_HANDLER = "handler.py"
_PACK_AGAIN = "pack the model again and name its handler"
_SETTING_FOR_HANDLER = 'TorchServe takes a handler that no manifest names from its setting "default_service_handler"'


def handler_member(handler: str, members: frozenset[str]) -> str | None:
    """Return the file that a manifest's handler is, ``None`` if it is none of the archive's."""
    base = _module_of(handler).replace(".", "/")
    for name in (f"{base}.py", f"{base}/__init__.py"):
        if name in members:
            return name
    compiled = (each for each in sorted(members) if each.startswith(f"{base}.") and each.endswith((".so", ".pyc")))
    return next(compiled, None)


def _module_of(handler: str) -> str:
    """Return the module that is imported: of a path only the last part counts."""
    return handler.partition(":")[0].removesuffix(".py").rpartition("/")[2]


def usual_handler(members: frozenset[str]) -> str | None:
    """Return the handler of an archive that names none: ``handler.py``, or the only Python file."""
    files = [name for name in members if name.endswith(".py") and "/" not in name]
    return _USUAL_HANDLER if _USUAL_HANDLER in files else files[0] if len(files) == 1 else None


def about_manifest(model: ModelCode, has_library: HasLibrary) -> Iterator[Row]:
    """Tell all that the manifest gives away."""
    manifest = model.manifest
    if manifest is None:
        yield from _without_manifest(model)
        return
    if manifest.runtime == "LSP":
        words = "TorchServe runs the model in its C++ runtime; here handlers are Python"
        yield _row("WF935", model, words, remedy="pack the model with a Python handler and --runtime python")
        return
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
    yield from _missing_members(model)
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
        return
    name = _module_of(handler)
    if name in BUILT_IN_HANDLERS:
        missing = missing_for_pictures(name, has_library)
        if missing is not None:
            yield _row("WF938", model, extra_words(missing), remedy='pip install "wfctl[vision]"')
    elif name in ARCHIVERS_HANDLERS:
        words = f"TorchServe has the handler {quoted(name)} built in; here it is not"
        yield _row("WF921", model, words, remedy="write a handler that calls the vendor's library, and pack it")
    else:
        words = f"TorchServe fails to load a model whose handler {quoted(handler)} is not in the archive; here too"
        yield _row("WF937", model, words, remedy="pack the model again with this file")


def _missing_members(model: ModelCode) -> Iterator[Row]:
    """Tell what the manifest names in vain; whether a handler of the archive's own would miss it, nobody knows."""
    manifest = model.manifest
    if manifest is None or model.code.handler is not None:
        return
    wanted = (manifest.serialized_file, manifest.model_file)
    missing = [name for name in wanted if name and name not in model.code.members]
    if missing:
        words = (
            f"TorchServe fails to load a model whose manifest names {listed(missing)} and does not have it; here too"
        )
        yield _row("WF937", model, words, remedy="pack the model again with this file")


def _about_weights(model: ModelCode, has_library: HasLibrary) -> Iterator[Row]:
    weights = model.manifest.serialized_file if model.manifest else None
    if weights and weights.endswith(".onnx") and not has_library("onnxruntime"):
        yield _row("WF938", model, extra_words("onnxruntime"), remedy='pip install "wfctl[onnx]"')
    for member, names in model.foreign.items():
        words = (
            f"TorchServe leaves it to torch whether {quoted(member)} may hold more than weights"
            f" ({listed(names, limit=3)}); here it is loaded in full, where the archive is trusted"
        )
        yield _row("WF933", model, words, remedy=LOAD_REMEDY)


def _row(code: str, model: ModelCode, message: str, *, remedy: str = NOTHING_TO_DO) -> Row:
    node = model.code.node
    return Row(finding=find(code, message, help=remedy), nodes=(node.name,) if node else ())
