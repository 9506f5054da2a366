"""One Ray for all tests of this folder: starting it takes longer than most of them."""

import os
import warnings

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Ray and what it brings warn of each other when they are imported
    import ray

    from wfctl.cluster.session import SESSION


def pytest_collection_modifyitems(items):
    """Let Ray's own code warn: of what it leaves open, and of what it uses that others deprecate."""
    for item in items:
        if "on_ray" in item.path.parts:
            item.add_marker(pytest.mark.filterwarnings("default"))


@pytest.fixture(scope="session")
def ray_address():
    """Return where a Ray listens that has processors enough for every model of the tests."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ray.init(address="local", num_cpus=64, include_dashboard=False, logging_level="error")
        SESSION.enter(None)
    yield ray.get_runtime_context().gcs_address
    SESSION.leave()
    ray.shutdown()


@pytest.fixture(scope="module")
def _commands_run_on_ray(ray_address):
    """Have every command that the tests of a module start run its nodes on that Ray."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "WFCTL_ENGINE", "ray")
        patch.setitem(os.environ, "WFCTL_RAY_ADDRESS", ray_address)
        yield
