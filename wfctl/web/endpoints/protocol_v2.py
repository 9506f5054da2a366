"""Workflows under the Open Inference Protocol (version 2) and under KServe's version 1.

What a body holds is read, and what an answer holds is put into the protocol's form, by the workers of the entry and of
the leaf (``hosting/protocols``): here are bytes. Source: kserve/open-inference-protocol, ``inference_rest.md``.
"""

import json

from wfctl.engine.call import Face
from wfctl.engine.core.outcome import RunResult
from wfctl.service.registry import Registry
from wfctl.web.answers import json_response
from wfctl.web.asked import Asked, Forget
from wfctl.web.endpoints.health import PLATFORM, is_healthy
from wfctl.web.endpoints.inference import Inference
from wfctl.web.wire.messages import Response


class ProtocolV2:
    """Serves workflows as models of the protocols."""

    def __init__(self, registry: Registry, inference: Inference) -> None:
        self._registry = registry
        self._inference = inference

    def infer(self, asked: Asked) -> Forget:
        """Run a workflow on tensors."""
        served = self._registry.find(asked.names["workflow"], asked.names.get("version"))
        names = json.dumps({"model_name": served.name, "model_version": served.version})[1:-1].encode()

        def wrapped(result: RunResult) -> bytes:
            own = b"" if result.tag is None else b', "id": %b' % result.tag.encode()
            return b'{%b%b, "outputs": [%b]}\n' % (names, own, result.body)

        return self._inference.run_protocol(asked, served, Face.V2, wrapped)

    def predict_v1(self, asked: Asked) -> Forget:
        """Run a workflow on instances."""
        served = self._registry.find(asked.names["workflow"])
        has_one = len(served.deployment.prepared.plan.leaves) == 1

        def wrapped(result: RunResult) -> bytes:
            return b'{"predictions": %b}\n' % (result.body if has_one else b"[%b]" % result.body)

        return self._inference.run_protocol(asked, served, Face.V1, wrapped)

    def metadata(self, asked: Asked) -> Response:
        """Describe a workflow as a model; its tensors are whatever its handlers take."""
        served = self._registry.find(asked.names["workflow"], asked.names.get("version"))
        versions = [each.version for each in self._registry.versions(served.name)]
        leaves = served.deployment.prepared.plan.leaves
        return json_response(
            {
                "name": served.name,
                "versions": versions,
                "platform": PLATFORM,
                "inputs": [{"name": "body", "datatype": "BYTES", "shape": [-1]}],
                "outputs": [{"name": leaf, "datatype": "BYTES", "shape": [-1]} for leaf in leaves],
            }
        )

    def ready_v1(self, asked: Asked) -> Response:
        """Answer whether a workflow is ready, in version 1's words."""
        served = self._registry.find(asked.names["workflow"])
        return json_response({"name": served.name, "ready": is_healthy(served)})
