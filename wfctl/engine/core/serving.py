"""Looking at one node after something has changed there: what is too late, what is due, who is missing.

Invariant: afterwards no due batch of the node waits beside a worker that has credit.
"""

from wfctl.engine.core.attempts import expire_queue, fail_unloadable
from wfctl.engine.core.commands import Command
from wfctl.engine.core.dispatch import dispatch
from wfctl.engine.core.records import NodeState
from wfctl.engine.core.staffing import grow
from wfctl.engine.core.state import CoreState


def serve(state: CoreState, node: NodeState, now: float, commands: list[Command]) -> None:
    """Hand out what is due of a node, after what has waited too long, and see whether it needs more workers."""
    runs = len(state.runs)
    if (node.queue and node.queue[0].enqueued + node.timeout_s <= now) or node.alone:
        expire_queue(state, node, now, commands)
    dispatch(state, node, now, commands)
    if node.queue or node.alone:
        if node.staff < node.max_workers:
            grow(state, node, now, commands)
        if node.load_error is not None:
            fail_unloadable(state, node, commands)
    if len(state.runs) < runs:
        serve_held(state, now, commands)


def serve_held(state: CoreState, now: float, commands: list[Command]) -> None:
    """Look again at batches that wait for runs on their way, of which there may be fewer now."""
    if state.held:
        for node in tuple(state.held):
            state.held.discard(node)
            serve(state, node, now, commands)
