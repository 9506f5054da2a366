"""Values between nodes on a real CUDA device; run by ``pytest tests/gpu`` on a machine that has one."""

import pytest
import torch

from wfctl.hosting.objects import from_body, to_body


@pytest.mark.parametrize("size", [3, 100_000])
def test_a_tensor_on_a_device_arrives_on_the_cpu_without_its_batch(size):
    batch = torch.arange(2.0 * size, device="cuda", requires_grad=True).reshape(2, size)
    body = to_body({"row": batch[1], "weights": torch.nn.Parameter(batch.detach()[0])})
    assert len(body) < 4 * 2 * size + 2_000
    found = from_body(bytearray(bytes(body)))
    assert (found["row"].device.type, found["row"].requires_grad) == ("cpu", False)
    assert torch.equal(found["row"], torch.arange(float(size), 2.0 * size))
    assert torch.equal(found["weights"].detach().cpu(), torch.arange(float(size)))
