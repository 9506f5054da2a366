"""Is the server there, and is it fit: ``/ping`` and what the Open Inference Protocol asks before it asks for answers.

Sources: the protocol's REST part (kserve/open-inference-protocol, ``inference_rest.md``).
"""

from wfctl import __version__
from wfctl.service.registry import Served
from wfctl.web.answers import json_response
from wfctl.web.asked import Asked
from wfctl.web.site import Site
from wfctl.web.wire.messages import Response

PLATFORM = "wfctl_workflow"


class Health:
    """Answers questions about the server and its workflows that cost nothing."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def ping(self, asked: Asked) -> Response:
        """Answer 200 if all workflows have the workers that they should have, else 500; 503 while loading or ending."""
        del asked
        site = self._site
        if not site.is_ready or site.is_draining:
            return json_response({"status": "Draining" if site.is_draining else "Starting"}, 503)
        is_fit = all(is_healthy(served) for served in site.registry)
        return json_response({"status": "Healthy" if is_fit else "Unhealthy"}, 200 if is_fit else 500)

    def live(self, asked: Asked) -> Response:
        """Answer that the server answers."""
        del asked
        return json_response({"live": True})

    def ready(self, asked: Asked) -> Response:
        """Answer 200 once all that was named at the start is loaded, and until the server ends."""
        del asked
        site = self._site
        is_ready = site.is_ready and not site.is_draining and all(is_healthy(each) for each in site.registry)
        return json_response({"ready": is_ready}, 200 if is_ready else 503)

    def metadata(self, asked: Asked) -> Response:
        """Describe the server."""
        del asked
        # "extenstion" is how the original spells it; the protocol says "extensions".
        return json_response({"name": "wfctl", "version": __version__, "extensions": [], "extenstion": []})

    def model_ready(self, asked: Asked) -> Response:
        """Answer whether a workflow has the workers that it should have."""
        served = self._site.registry.find(asked.names["workflow"], asked.names.get("version"))
        is_ready = is_healthy(served) and not self._site.is_draining
        return json_response({"name": served.name, "ready": is_ready}, 200 if is_ready else 503)


def is_healthy(served: Served) -> bool:
    """Whether every node has the workers that it should have."""
    return all(len(node.worker_pids) >= node.least for node in served.engine.statistics().nodes)
