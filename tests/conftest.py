"""Being here, it puts this folder on the import path: tests say ``from fakes.plans import ...``."""

import os

import pytest

# What tests start shall find what it finds at a user's: these hide what is held back, or kept, at the wrong moment.
for _name in ("PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"):
    os.environ.pop(_name, None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="rewrite the expected files; review the diff")


@pytest.fixture(scope="session")
def is_updating(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update"))
