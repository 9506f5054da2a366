"""Model archives: which files become members under which names, and what the manifest says of them.

Invariant: the same files give the same plan on every machine; nothing is written but by ``write_model``.
"""

import os
from collections.abc import Iterable, Iterator
from enum import StrEnum
from glob import glob
from pathlib import Path
from typing import Final

from wfctl.archive.collect import files_below, planned_file
from wfctl.archive.manifest import UNDATED, MarManifest
from wfctl.archive.pack import write_archive
from wfctl.archive.plan import ArchivePlan, PlannedMember, plan_mar
from wfctl.errors import UnreadableInputError

# Handlers that the original ships; such a name stands in the manifest and no file is packed.
PACKED_WITHOUT_FILE: Final = frozenset(
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
_NATIVE_HANDLERS: Final = frozenset({"BaseHandler", "TorchScriptHandler"})
_NATIVE: Final = "LSP"
_LITTER: Final = frozenset({"__pycache__", "__MACOSX"})
_WILD: Final = frozenset("*?[")


class ArchiveFormat(StrEnum):
    """The forms of a model's archive, by the names of the original archiver."""

    DEFAULT = "default"
    ZIP_STORE = "zip-store"
    TGZ = "tgz"
    NO_ARCHIVE = "no-archive"

    @property
    def ending(self) -> str:
        """What follows the name of the model."""
        return {ArchiveFormat.TGZ: ".tar.gz", ArchiveFormat.NO_ARCHIVE: ""}.get(self, ".mar")


def plan_model(
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
) -> ArchivePlan:
    """Plan the archive of a model.

    ``handler`` is a file, ``file:function``, or the name of a built-in. A folder among ``extra_files`` gives its
    content to the root of the archive, as the original archiver does.
    """
    handler_path, handler_name = find_handler(handler, runtime=runtime)
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
    single = [handler_path, serialized_file, model_file, config_file, requirements_file]
    members = [planned_file(path, path.name) for path in single if path is not None]
    return plan_mar(manifest, _each_once([*members, *_extra(extra_files)]))


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
    """Write a ``.mar`` at ``target`` and return its path; what the words mean is told by ``plan_model``."""
    plan = plan_model(
        model_name=model_name,
        handler=handler,
        version=version,
        serialized_file=serialized_file,
        model_file=model_file,
        extra_files=extra_files,
        config_file=config_file,
        requirements_file=requirements_file,
        runtime=runtime,
        created_on=created_on,
    )
    write_archive(target, plan, compress=compress, overwrite=overwrite)
    return target


def write_model(
    target: Path, plan: ArchivePlan, form: ArchiveFormat, *, model_name: str, overwrite: bool = False
) -> None:
    """Write a plan in one of the forms."""
    if form is ArchiveFormat.TGZ:
        from wfctl.archive.pack_tar import write_tar  # few archives are tars, and the library is not light

        write_tar(target, plan, folder=model_name, overwrite=overwrite)
    elif form is ArchiveFormat.NO_ARCHIVE:
        from wfctl.archive.pack_folder import write_folder

        write_folder(target, plan, overwrite=overwrite)
    else:
        write_archive(target, plan, compress=form is ArchiveFormat.DEFAULT, overwrite=overwrite)


def find_handler(handler: Path | str, *, runtime: str = "python") -> tuple[Path | None, str]:
    """Return the file to pack, ``None`` for a built-in, and what the manifest says."""
    if isinstance(handler, Path):
        return handler, handler.name
    if handler in (_NATIVE_HANDLERS if runtime == _NATIVE else PACKED_WITHOUT_FILE):
        return None, handler
    file, colon, function = handler.partition(":")
    ending = ".so" if runtime == _NATIVE else ".py"
    path = Path(file)
    if path.suffix != ending:
        path = path.with_name(path.name + ending)
    if not path.is_file():
        raise UnreadableInputError(f'there is no handler file "{path}"')
    return path, f"{Path(file).name}{colon}{function}"


def expand_patterns(words: Iterable[str]) -> Iterator[tuple[str, list[Path]]]:
    """Yield each word with the paths it means: the file of that name, else those that match it as a pattern."""
    for word in words:
        path = Path(word)
        if os.path.lexists(path) or not _WILD & set(word):
            yield word, [path]
        else:
            # Not Path.glob, to which "**" means more than to the original, and an absolute pattern nothing.
            yield word, [Path(found) for found in sorted(glob(word))]  # noqa: PTH207


def _extra(paths: Iterable[Path]) -> Iterator[PlannedMember]:
    for path in paths:
        if path.is_dir():
            yield from files_below(path, is_litter=_is_litter)
        else:
            yield planned_file(path, path.name)


def _is_litter(path: Path) -> bool:
    # As the original: hidden files are packed, hidden folders are not.
    return path.is_dir() and (path.name in _LITTER or path.name.startswith("."))


def _each_once(members: Iterable[PlannedMember]) -> Iterator[PlannedMember]:
    """Yield a file once that is named twice under one name, by whatever path."""
    seen: set[tuple[str, str]] = set()
    for member in members:
        key = (member.name, "" if isinstance(member.source, bytes) else os.path.realpath(member.source))
        if key not in seen:
            seen.add(key)
            yield member


def _base(path: Path | None) -> str | None:
    return None if path is None else path.name
