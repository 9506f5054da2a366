"""What a freshly forked worker makes of its process: session, signals, streams, threads.

Invariant: runs once, before any user code, in a process that serves one node only.
"""

import ctypes
import faulthandler
import io
import logging
import os
import resource
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress

_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_STDIN, _STDOUT, _STDERR = 0, 1, 2

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
"""Environment variables that numerical libraries read when they are loaded."""


def die_with_parent(parent: int) -> None:
    """Have the kernel end this process when the thread that started it ends, whatever we are doing then."""
    _prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != parent:  # it was gone before we asked
        os._exit(1)


def outlive_parent() -> None:
    """Take ``die_with_parent`` back."""
    _prctl(_PR_SET_PDEATHSIG, 0)


def take_session(name: str) -> None:
    """Leave the terminal's reach and start a process group, so that what user code starts can be ended with us."""
    os.setsid()
    _give_way()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # The terminal cannot reach us any more; a stray SIGINT must not end what the engine decides about.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _prctl(_PR_SET_NAME, ctypes.create_string_buffer(f"wfctl:{name}".encode()[:15]))
    # A handler that crashes would otherwise write an image of torch and its weights to disk.
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))


def _give_way() -> None:
    """Let nobody be interrupted when this process has work again: the engine, above all, which others wait for.

    Saves a tenth of a workflow of fast nodes on few cores.
    """
    with suppress(OSError):  # where a sandbox forbids it
        if os.sched_getscheduler(0) == os.SCHED_OTHER:  # else the user has said something
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def take_streams(stdout: int, stderr: int) -> None:
    """Make the given pipes this process's output, for Python and for C, and leave it without input."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, _STDIN), (stdout, _STDOUT), (stderr, _STDERR)):
        os.dup2(source, target)
        os.close(source)
    # New ones: what the server's were opened on may have been a file, and these are pipes.
    sys.stdout = _opened(_STDOUT)
    sys.stderr = _opened(_STDERR)
    # As in the original: what handlers log from INFO on is part of their output.
    logging.basicConfig(stream=sys.stdout, format="%(message)s", level=logging.INFO)
    # A crash of a native library then names the Python line that called it.
    faulthandler.enable()


def keep_memory() -> None:
    """Have the allocator keep a little of what is freed.

    By default it gives the memory of every large payload back to the kernel, whose new pages for the next one then
    cost more than all copies of it (measured: two thirds of the round trip of a megabyte).
    """
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):  # glibc
        library.mallopt(_M_MMAP_THRESHOLD, 8 * 2**20)
        library.mallopt(_M_TRIM_THRESHOLD, 16 * 2**20)


def divide_threads(threads: int, given: Mapping[str, str]) -> None:
    """Let numerical libraries use ``threads`` threads, unless the user's environment says otherwise."""
    for name in THREAD_VARIABLES:
        os.environ[name] = given.get(name, str(threads))
    torch = sys.modules.get("torch")
    wanted = os.environ["OMP_NUM_THREADS"]
    if torch is not None and wanted.isdigit() and int(wanted):
        torch.set_num_threads(int(wanted))
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        # Forked from one process, all workers would otherwise draw the same numbers.
        numpy_random.seed()


def _opened(fd: int) -> io.TextIOWrapper:
    return io.TextIOWrapper(
        open(fd, "wb", closefd=False),
        encoding="utf-8",
        errors="backslashreplace",
        line_buffering=True,
    )


def _prctl(option: int, argument: "int | ctypes.Array[ctypes.c_char]") -> None:
    ctypes.CDLL(None, use_errno=True).prctl(option, argument, 0, 0, 0)
