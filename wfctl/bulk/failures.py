"""The side file of failures, derived at the end of a run from its output.

Invariant: it holds the lines of the failed inputs and no others, whatever broke and continued the run; there is no
such file where nothing failed.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from wfctl.bulk.lines import FIRST_ERROR, NUMBERED
from wfctl.bulk.sink import not_written, part_of


def derive_failures(lines: Iterable[bytes], target: Path) -> int:
    """Write the failed ones of ``lines`` to ``target`` and return how many there are."""
    count = 0
    part = part_of(target)
    try:
        with part.open("wb") as stream:
            for line in lines:
                start = NUMBERED.match(line)
                if start is not None and int(start[2]) >= FIRST_ERROR:
                    stream.write(line)
                    count += 1
        if count:
            part.replace(target)
        else:
            part.unlink()
            target.unlink(missing_ok=True)
    except OSError as error:
        with suppress(OSError):
            os.unlink(part)  # noqa: PTH108 - it may never have been made
        raise not_written(target, error) from error
    return count
