"""How a process ended, in words."""

import signal


def describe_ending(code: int | None) -> str:
    """Say how a process ended: its exit code, or its signal as a negative number; ``None`` if nobody knows."""
    if code is None:
        return "the process is gone"
    if code in {-signal.SIGKILL, 128 + signal.SIGKILL}:
        return "the process was killed by SIGKILL; the machine may have run out of memory"
    if code < 0:
        return f"the process died of {_signal_name(-code)}"
    return f"the process ended itself with exit code {code}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
