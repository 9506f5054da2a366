"""What is asked of a running workflow: other numbers of workers, other code.

Events like those of ``events``, each returning the commands to carry out.
"""

from wfctl.engine.core.commands import Command
from wfctl.engine.core.records import NodeState
from wfctl.engine.core.serving import serve
from wfctl.engine.core.staffing import staff_to, start_worker
from wfctl.engine.core.state import CoreState
from wfctl.engine.core.timing import next_deadline
from wfctl.plan import QUEUE_SIZE, NodePlan


def scaled(state: CoreState, node: NodeState, least: int, most: int, now: float) -> list[Command]:
    """Have a node run with other numbers of workers; one that was given up gets another chance."""
    commands: list[Command] = []
    staff_to(state, node, least, most, commands)
    serve(state, node, now, commands)
    state.wake_at = min(state.wake_at, next_deadline(state, now))
    return commands


def code_changed(
    state: CoreState, node: NodeState, planned: NodePlan | None = None, queue_size: int = QUEUE_SIZE
) -> list[Command]:
    """Try other code and settings of a node in one worker; once that is ready it takes the place of all that there are.

    ``queue_size`` is for a plan that does not say it. The edition on trial is ``node.last_edition`` then.
    """
    commands: list[Command] = []
    node.last_edition += 1
    if planned is not None:
        node.trials[node.last_edition] = (planned, queue_size)
    start_worker(state, node, commands, edition=node.last_edition)
    return commands
