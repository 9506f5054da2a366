"""What archives can ask for that Ray does not do: refused, for to ignore it would run something else.

Invariant: pure.
"""

from wfctl.errors import UnsupportedError
from wfctl.plan import ExecutionPlan


def refuse_impossible(plan: ExecutionPlan) -> None:
    """Raise ``UnsupportedError`` with the key for the first thing that cannot be done."""
    for node in plan.nodes:
        config = node.code.config_file or "its configuration"
        if node.asked_devices:
            raise UnsupportedError(
                f'"deviceIds" of node "{node.name}" ({config}) cannot be honoured: Ray itself gives GPUs out',
                hint=f"say how many in the spec: wfctl: {{nodes: {{{node.name}: {{resources: {{num_gpus: 1}}}}}}}}",
            )
        if node.max_retry_timeout_s is not None:
            raise UnsupportedError(
                f'"maxRetryTimeoutInSec" of node "{node.name}" ({config}) cannot be honoured: Ray Serve replaces '
                "replicas for as long as the application is there",
                hint="drop it from the configuration, or run with --engine local",
            )
