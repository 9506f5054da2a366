"""Model archives: write one that is the same on every machine.

The full command with the options of the original archiver is not here; this is its working core.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from wfctl.archive.collect import files_below, planned_file
from wfctl.archive.manifest import UNDATED, MarManifest
from wfctl.archive.pack import write_archive
from wfctl.archive.plan import PlannedMember, plan_mar
from wfctl.errors import UnreadableInputError

# Handlers that the original ships; such a name stands in the manifest and no file is packed.
BUILT_IN_HANDLERS: Final = frozenset(
    {
        "base_handler",
        "text_classifier",
        "image_classifier",
        "object_detector",
        "image_segmenter",
        "dali_image_classifier",
        "vllm_handler",
        "trt_llm_handler",
    }
)


def write_mar(
    target: Path,
    *,
    model_name: str,
    handler: Path | str,
    version: str = "1.0",
    serialized_file: Path | None = None,
    model_file: Path | None = None,
    extra_files: Iterable[Path] = (),
    config_file: Path | None = None,
    requirements_file: Path | None = None,
    runtime: str = "python",
    created_on: str = UNDATED,
    compress: bool = False,
    overwrite: bool = False,
) -> Path:
    """Write a ``.mar`` at ``target`` and return its path.

    ``handler`` is a file, ``file:function``, or the name of a built-in. A folder among ``extra_files`` gives its
    content to the root of the archive, as the original archiver does.
    """
    handler_file, handler_name = _handler(handler)
    single = [handler_file, serialized_file, model_file, config_file, requirements_file]
    manifest = MarManifest(
        model_name=model_name,
        model_version=version,
        handler=handler_name,
        serialized_file=_base(serialized_file),
        model_file=_base(model_file),
        config_file=_base(config_file),
        requirements_file=_base(requirements_file),
        runtime=runtime,
        created_on=created_on,
    )
    files = {path: planned_file(path, path.name) for path in single if path is not None}
    plan = plan_mar(manifest, [*files.values(), *_extra(extra_files)])
    write_archive(target, plan, compress=compress, overwrite=overwrite)
    return target


def _extra(paths: Iterable[Path]) -> Iterator[PlannedMember]:
    for path in paths:
        if path.is_dir():
            yield from files_below(path)
        else:
            yield planned_file(path, path.name)


def _base(path: Path | None) -> str | None:
    return None if path is None else path.name


def _handler(handler: Path | str) -> tuple[Path | None, str]:
    """Return the file to pack, and what the manifest says."""
    if isinstance(handler, Path):
        return handler, handler.name
    if handler in BUILT_IN_HANDLERS:
        return None, handler
    file, colon, function = handler.partition(":")
    path = Path(file)
    if path.suffix != ".py":
        path = path.with_name(path.name + ".py")
    if not path.is_file():
        raise UnreadableInputError(f'there is no handler file "{path}"')
    return path, f"{Path(file).name}{colon}{function}"
