"""How large the machines of a cluster must be for the deployments of a Serve config, and how many at most.

One group of machines for what computes on processors, and one with GPUs for what needs them, so that nobody pays for
GPUs that only processors of are used. A machine is as large as the largest replica: the smallest that can do the
work, of which the autoscaler starts as many as are asked for. Whoever has larger machines raises its numbers in the
file. Invariant: pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any, Final

GIB: Final = 2**30
RAY_GIB: Final = 2
"""What Ray's own processes and its object store take on a machine."""
_PROCESS_GIB: Final = 2
"""What a replica whose memory nobody says is taken to need: an interpreter with torch, and a model of usual size."""
_PARTS: Final = 10_000
"""Ray counts in ten-thousandths."""
_CPU, _GPU, _MEMORY = "CPU", "GPU", "memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Machines of one kind."""

    name: str
    cpus: int
    gpus: int
    memory_gib: int
    resources: Mapping[str, int] = field(default_factory=dict)
    """Custom resources."""
    most: int
    """How many machines there may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wants:
    """The replicas of one deployment."""

    most: int
    each: Mapping[str, int]
    """Resource -> what one replica takes of it: bytes of memory, ten-thousandths of anything else. No zeros."""

    @property
    def has_gpu(self) -> bool:
        return _GPU in self.each


def groups_of(deployments: Iterable[Mapping[str, Any]]) -> tuple[Group, ...]:
    """Return the groups that hold every replica of these deployments of a Serve config."""
    wants = [_wants(each) for each in deployments]
    plain = [each for each in wants if not each.has_gpu]
    gpu = [each for each in wants if each.has_gpu]
    groups = [("workers", plain), ("gpu-workers", gpu)]
    return tuple(_group(name, own, wants) for name, own in groups if own)


def _wants(deployment: Mapping[str, Any]) -> _Wants:
    options = deployment["ray_actor_options"]
    said = {_CPU: options.get("num_cpus", 0), _GPU: options.get("num_gpus", 0), **options.get("resources", {})}
    each = {name: ceil(amount * _PARTS) for name, amount in said.items()} | {_MEMORY: ceil(options.get("memory", 0))}
    scaling = deployment.get("autoscaling_config")
    return _Wants(
        most=scaling["max_replicas"] if scaling else deployment["num_replicas"],
        each={name: amount for name, amount in each.items() if amount},
    )


def _group(name: str, own: Sequence[_Wants], everyone: Sequence[_Wants]) -> Group:
    largest: dict[str, int] = {}
    for wants in own:
        for resource, amount in wants.each.items():
            largest[resource] = max(largest.get(resource, 0), amount)
    whole = {resource: ceil(amount / _PARTS) for resource, amount in largest.items() if resource != _MEMORY}
    cpus = max(1, whole.pop(_CPU, 0))
    gpus = whole.pop(_GPU, 0)
    memory_gib = RAY_GIB + max(_PROCESS_GIB * cpus, ceil(largest.get(_MEMORY, 0) / GIB))
    room = {resource: amount * _PARTS for resource, amount in whole.items()}
    room |= {_CPU: cpus * _PARTS, _GPU: gpus * _PARTS, _MEMORY: memory_gib * GIB}
    return Group(
        name=name, cpus=cpus, gpus=gpus, memory_gib=memory_gib, resources=whole, most=_most(own, everyone, room)
    )


def _most(own: Sequence[_Wants], everyone: Sequence[_Wants], room: Mapping[str, int]) -> int:
    """Return how many machines have room for every replica wherever Ray puts the others.

    Ray spreads replicas, moves none, and puts those that need no GPU on machines with GPUs too, so a cluster that is
    just as large as all of them together may have room nowhere for a large one. A machine cannot take a replica if
    it is empty no more and too little is left of one resource; of such machines there can be only so many.
    """
    there = [each for each in everyone if all(amount <= room.get(name, 0) for name, amount in each.each.items())]
    replicas = sum(each.most for each in there if each.each)
    total = {name: sum(each.most * each.each.get(name, 0) for each in there) for name in room}

    def full(wants: _Wants) -> int:
        """Return how many machines can be too full for one more of these."""
        by_resource = (
            (total[name] - amount) // (room[name] - amount + 1) for name, amount in wants.each.items() if amount
        )
        return min(replicas - 1, sum(by_resource))

    return 1 + max((full(each) for each in own if each.each), default=0)
