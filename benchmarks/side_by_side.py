"""Servers under the same load in turn, and what their figures are beside each other.

Invariant: what is compared is measured in the same round, and a ratio is the median of the ratios of the rounds, so
that a machine that is slow for a while is slow for both.
"""

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmarks.load import Load, put_under_load
from benchmarks.measure import Effort
from benchmarks.servers import Server


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """One server in one round."""

    load: Load
    cpu_s: float
    """Seconds of processor, of the server and all its workers, for one request."""

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.load.rate

    @property
    def p50_s(self) -> float:
        """Seconds that half of the answers took at most."""
        return self.load.p50_s


Figure = Callable[[Taken], float]
Rounds = Mapping[str, list[Taken]]
"""Name of a server -> what was taken, a round each."""


def rate(taken: Taken) -> float:
    """Answers a second."""
    return taken.rate


def p50(taken: Taken) -> float:
    """Return the seconds that half of the answers took at most."""
    return taken.p50_s


def cpu(taken: Taken) -> float:
    """Seconds of processor for one request."""
    return taken.cpu_s


def in_turn(servers: Mapping[str, Server], request: bytes, *, connections: int, effort: Effort) -> Rounds:
    """Put each server under load once a round; one more round at the beginning is not counted."""
    rounds: dict[str, list[Taken]] = {name: [] for name in servers}
    for number in range(effort.rounds + 1):
        for name, server in servers.items():
            taken = take(server, request, connections=connections, seconds=effort.seconds)
            if number:
                rounds[name].append(taken)
    return rounds


def take(server: Server, request: bytes, *, connections: int, seconds: float) -> Taken:
    """Put one server under load once."""
    before = server.usage()
    load = put_under_load(server.port, server.addressed(request), connections=connections, seconds=seconds)
    used = server.usage() - before
    return Taken(load=load, cpu_s=used.total_s / load.all_done)


def median(rounds: Rounds, name: str, figure: Figure) -> float:
    """Return the median over the rounds."""
    return statistics.median(map(figure, rounds[name]))


def ratio(rounds: Rounds, name: str, other: str, figure: Figure) -> float:
    """Return how many times the figure of another a figure is."""
    pairs = zip(rounds[name], rounds[other], strict=True)
    return statistics.median(figure(one) / figure(two) for one, two in pairs)


def generator_us(rounds: Rounds) -> float:
    """Return the microseconds of processor that the load generator itself took for a request."""
    return 1e6 * statistics.median(taken.load.own_cpu_s for found in rounds.values() for taken in found)
