"""What the archive of a model says of itself beside its handler: runtime, configuration, requirements.

Invariant: light, for every check asks: only the table of contents and small texts are read, nothing is unpacked, and an
archive that cannot be read is none of the business here.
"""

import os
from functools import partial
from pathlib import Path
from typing import Final

from wfctl.archive.budgets import DEFAULT_BUDGETS
from wfctl.archive.manifest import MAR_MANIFEST, read_mar_manifest
from wfctl.archive.member import Reader, ReadMember, read_from
from wfctl.check.model import Inside, UnmetRequirement
from wfctl.errors import ArchiveError, UnreadableInputError
from wfctl.plain_file import only_plain
from wfctl.spec.model_config import ModelConfig, read_model_config

_ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06")


def look_through(path: Path) -> Inside | None:
    """Return what an archive of any kind says, requirements judged; slow for a gzip tar, which is read to its end."""
    from wfctl.archive.unpack import open_archive

    try:
        with open_archive(path) as archive:
            return inside_of(archive.read, judges_requirements=True)
    except (ArchiveError, UnreadableInputError):
        return None


def look_inside(path: Path, *, judges_requirements: bool = False) -> Inside | None:
    """Return what a zip or a folder says; ``None`` for anything else.

    Of a gzip tar nothing is known before all of it is read, and an archive that is refused is refused elsewhere.
    """
    try:
        if os.path.isdir(path):  # noqa: PTH112 - not Path.is_dir, which raises for a name that is too long
            from wfctl.archive.folder_reader import FolderReader

            return _said_by(FolderReader(path, DEFAULT_BUDGETS), judges_requirements=judges_requirements)
        with open(path, "rb", opener=only_plain) as stream:
            if stream.read(4) not in _ZIP:
                return None
            from wfctl.archive.zip_reader import ZipReader

            return _said_by(ZipReader(stream, DEFAULT_BUDGETS), judges_requirements=judges_requirements)
    except (OSError, ArchiveError, UnreadableInputError):
        return None


def inside_of(read: ReadMember, *, judges_requirements: bool) -> Inside | None:
    """Return what an open archive says; ``None`` if it has no manifest."""
    raw = read(MAR_MANIFEST, DEFAULT_BUDGETS.manifest_bytes)
    if raw is None:
        return None
    manifest = read_mar_manifest(raw)
    config, fault = _config(manifest.config_file, read)
    count, unmet = _requirements(manifest.requirements_file, read) if judges_requirements else (0, ())
    return Inside(
        runtime=manifest.runtime,
        config_file=manifest.config_file,
        config=config,
        config_fault=fault,
        requirements_file=manifest.requirements_file,
        requirements=count,
        unmet=unmet,
    )


def _said_by(reader: Reader, *, judges_requirements: bool) -> Inside | None:
    return inside_of(partial(read_from, reader), judges_requirements=judges_requirements)


def _config(name: str | None, read: ReadMember) -> tuple[ModelConfig, str | None]:
    if name is None:
        return ModelConfig(), None
    # Imported here: most models have no configuration.
    from wfctl.spec.source import read_mapping

    try:
        raw = read(name, DEFAULT_BUDGETS.spec_bytes)
        if raw is None:
            return ModelConfig(), "it is not in the archive"
        return read_model_config(read_mapping(raw.decode("utf-8"))), None
    except ArchiveError as error:
        return ModelConfig(), error.message
    except UnicodeDecodeError:
        return ModelConfig(), "it is not UTF-8 text"


def _requirements(name: str | None, read: ReadMember) -> tuple[int, tuple[UnmetRequirement, ...]]:
    if name is None:
        return 0, ()
    # Imported here: it brings the library that knows versions, and few models have requirements.
    from wfctl.archive.requirements import judge, read_requirements

    found = read_requirements(name, read)
    return len(found.requirements), judge(found)
