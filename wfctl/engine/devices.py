"""Which GPU a new worker gets: a node's workers are shared out evenly, and no GPU is the first of every node.

The original counts on over all models, but begins anew, at the first of them, for each model with ``deviceIds``, and
lets functions take turns too. Here the GPU is taken that fewest workers of the node have, among these the one that
fewest workers of any model have; so a replacement gets what the lost one had, whatever was lost.
Invariant: pure book-keeping; knows no processes and touches no device.
"""

from collections.abc import Hashable
from dataclasses import dataclass

from wfctl.plan import NodePlan
from wfctl.workflow import NodeKind


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceShare:
    """What one worker has of the GPUs."""

    node: str
    place: int
    """Place in the node's list, which may name a GPU twice so that it gets twice as many workers."""
    gpu: int
    is_counted: bool
    """Whether it is a load; functions know a number as in the original, and seldom compute there."""


class DeviceShares:
    """Who has which GPU."""

    def __init__(self) -> None:
        self._held: dict[Hashable, DeviceShare] = {}

    def __repr__(self) -> str:
        return f"DeviceShares({[(share.node, share.gpu) for share in self._held.values()]})"

    def next_for(self, node: NodePlan) -> DeviceShare | None:
        """Return what the next worker of ``node`` is to have, ``None`` for no GPU; nothing is held by that."""
        own = [share.place for share in self._held.values() if share.node == node.name]
        load = [share.gpu for share in self._held.values() if share.is_counted]
        place = min(
            range(len(node.devices)),
            key=lambda place: (own.count(place), load.count(node.devices[place]), place),
            default=None,
        )
        if place is None:
            return None
        is_counted = node.kind is NodeKind.MODEL
        return DeviceShare(node=node.name, place=place, gpu=node.devices[place], is_counted=is_counted)

    def hold(self, owner: Hashable, share: DeviceShare | None) -> None:
        """Note what a worker has."""
        if share is not None:
            self._held[owner] = share

    def give_back(self, owner: Hashable) -> None:
        """Forget a worker that is gone; harmless for one that had nothing."""
        self._held.pop(owner, None)
