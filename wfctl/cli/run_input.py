"""From the words of ``wfctl run`` to the parts of a request: files, standard input, form fields.

Invariant: reads what the user named and nothing else; what it cannot read is a clear error.
"""

import json
import os
from pathlib import Path

import click

from wfctl.cli.stdin import read_stdin
from wfctl.engine.call import Part
from wfctl.errors import UnreadableInputError
from wfctl.service.inputs import JSON_TYPE, guess, sniff

STDIN = "-"
_WAR = ".war"


def read_parts(source: str | None, fields: tuple[str, ...], content_type: str | None) -> tuple[Part, ...]:
    """Return the request that INPUT, ``-i`` and ``--content-type`` describe together."""
    if fields:
        if source is not None:
            raise click.UsageError("give either INPUT or -i fields, not both")
        if content_type is not None:
            raise click.UsageError("--content-type belongs to INPUT; a -i field takes its type from its file's name")
        return tuple(_field(word) for word in fields)
    if source is None:
        raise click.UsageError("what shall it run on? Name an INPUT file, `-` for standard input, or -i name=text")
    if source == STDIN:
        body = read_stdin()
        return (Part("body", body, content_type or sniff(body)),)
    path = Path(source)
    body = _read(path)
    if content_type is None and guess(path.name) == JSON_TYPE:
        _refuse_broken_json(path, body)
    return (Part("body", body, content_type or guess(path.name)),)


def _refuse_broken_json(path: Path, body: bytes) -> None:
    """Stop what would reach the handler as bytes, as all that cannot be decoded does, and puzzle its author."""
    try:
        json.loads(body)
    except RecursionError:
        return  # JSON, only nested beyond what is decoded
    except ValueError as error:
        raise UnreadableInputError(
            f'"{path}" is not JSON: {error}', hint="--content-type text/plain, say, hands it over as it is"
        ) from error


def no_input(source: str) -> click.UsageError:
    """Return the error for a workflow that stands where an input should."""
    return click.UsageError(f'"{source}" is a workflow, not an input: name it with -w, and an INPUT to run it on')


def _field(word: str) -> Part:
    """Turn ``name=text`` or ``name=@file`` into a form field.

    A file keeps the type its name tells, as a part with a file name does in a multipart form; text has none.
    """
    name, equals, value = word.partition("=")
    if not equals or not name:
        raise click.UsageError(f'-i takes name=text or name=@file, not "{word}"')
    if value.startswith("@"):
        path = Path(value[1:])
        return Part(name, _read(path), guess(path.name))
    # What the shell passed, also where it is no UTF-8.
    return Part(name, os.fsencode(value), "")


def _read(path: Path) -> bytes:
    if path.is_dir() or path.suffix == _WAR:
        raise no_input(str(path))
    if path.is_char_device() and not path.samefile("/dev/stdin"):
        raise UnreadableInputError(f'"{path}" is a device, which has no end', hint="INPUT is a file or a pipe")
    try:
        return path.read_bytes()
    except OSError as error:
        reason = (error.strerror or "it cannot be read").lower()
        raise UnreadableInputError(
            f'"{path}" cannot be read: {reason}', hint="INPUT is a file; standard input is `-`"
        ) from error
