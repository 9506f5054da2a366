import pytest

from wfctl.errors import LoadError

ON_CUDA = """
import torch
class Classic:
    def initialize(self, context):
        self.device = torch.device("cuda:" + str(context.system_properties.get("gpu_id")))
    def handle(self, data, context):
        return data
"""


def test_a_device_without_a_number_is_explained(host):
    with pytest.raises(LoadError, match="cuda:None") as caught:
        host(ON_CUDA)
    assert caught.value.hint.startswith('this worker was given no GPU, and its "gpu_id" is None; ')


def test_other_failures_get_no_such_hint(host):
    with pytest.raises(LoadError) as caught:
        host("raise RuntimeError('cuda:0 is busy')")
    assert caught.value.hint is None
