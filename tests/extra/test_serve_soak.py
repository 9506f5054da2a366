"""Sixty-four clients who never pause, and one request in twenty fails: nothing grows, nothing slows, nobody else fails.

Twenty seconds here; ``make soak`` takes five minutes (``WFCTL_SOAK_SECONDS``), and then a window is ten seconds.
"""

import os
from statistics import median

import pytest
from fakes.archives import write_war
from fakes.clients import slope
from fakes.clients_load import FAILING, Load
from fakes.served import Served
from fakes.soak import footprint_of

SECONDS = float(os.environ.get("WFCTL_SOAK_SECONDS", "20"))
CLIENTS = 64
WINDOWS = 30
ARENAS_MB = 2
"""Python takes memory by arenas of 1 MB: a run of a minute is not told from one that grows by less than two of them."""
WARM_S = 3
"""Before it counts: caches fill, workers are measured."""
SPEC = """
models: {max-workers: 2, retry-attempts: 0}
dag: {first: [second]}
"""
HANDLER = """
def first(data, context):
    if data is None:
        return None
    bodies = [bytes(row["body"]) for row in data]
    if any(body.endswith(b"raise") for body in bodies):
        raise ValueError("a bad picture")
    return bodies

def second(data, context):
    return data and [bytes(row["body"]) for row in data]
"""


def told(load: Load, minutes: float) -> str:
    p99s = [window.p99_ms for window in load.windows]
    memory = [(at / 60, held.megabytes) for at, held in load.held]
    answered = load.meant.total() + load.others.total()
    return "\n".join(
        [
            f"{answered} answers in {SECONDS:g} s ({answered / SECONDS:.0f} a second)",
            f"meant to fail {dict(load.meant)}, others {dict(load.others)}, wrong {dict(load.wrong)}",
            f"p99 in ms by window: {' '.join(f'{each:.1f}' for each in p99s)}",
            f"medians of the first and the last six: {median(p99s[:6]):.2f} {median(p99s[-6:]):.2f}",
            f"memory {memory[0][1]:.1f} to {memory[-1][1]:.1f} MB, {slope(memory):+.3f} MB a minute over {minutes:.1f}",
            f"threads {_range(load, 'threads')}, files {_range(load, 'files')}",
        ]
    )


def _range(load: Load, what: str) -> str:
    found = {getattr(held, what) for _, held in load.held}
    return f"{min(found)} to {max(found)}"


@pytest.mark.timeout(SECONDS + 120)
def test_under_load_nothing_grows_nothing_slows_and_nobody_else_fails(tmp_path, capsys):
    war = write_war(tmp_path / "soak.war", SPEC, HANDLER)
    with Served(tmp_path, war) as server:
        port, pid = server.ports["inference"], server.process.pid
        before = footprint_of(pid)
        Load(port, pid, clients=CLIENTS, seconds=WARM_S, windows=1).run()
        load = Load(port, pid, clients=CLIENTS, seconds=SECONDS, windows=WINDOWS)
        load.run()
    minutes = (load.held[-1][0] - load.held[0][0]) / 60
    with capsys.disabled():
        print(f"\n{told(load, minutes)}")
    assert load.wrong == {}
    assert set(load.others) == {200}
    assert set(load.meant) == {500}
    assert load.meant.total() / (load.meant.total() + load.others.total()) == pytest.approx(FAILING, abs=0.01)
    p99s = [window.p99_ms for window in load.windows]
    assert median(p99s[-6:]) <= 1.5 * median(p99s[:6])
    grown = slope([(at / 60, held.megabytes) for at, held in load.held]) * minutes
    assert grown < max(minutes, ARENAS_MB)
    assert len({held.threads for _, held in load.held}) == 1
    during = [held.files for _, held in load.held[2:]]  # once all have connected
    assert max(during) == min(during) == before.files + CLIENTS
