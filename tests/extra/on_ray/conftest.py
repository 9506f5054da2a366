"""One Ray for all tests of this folder: starting it takes longer than most of them."""

import warnings

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Ray and what it brings warn of each other when they are imported
    from wfctl.cluster.session import SESSION


def pytest_collection_modifyitems(items):
    """Let Ray's own code warn: of what it leaves open, and of what it uses that others deprecate."""
    for item in items:
        if "on_ray" in item.path.parts:
            item.add_marker(pytest.mark.filterwarnings("default"))


@pytest.fixture(scope="session", autouse=True)
def _ray():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        SESSION.enter(None)
    yield
    SESSION.leave()
