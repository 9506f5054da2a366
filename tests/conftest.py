"""Being here, it puts this folder on the import path: tests say ``from fakes.plans import ...``."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="rewrite the expected files; review the diff")


@pytest.fixture(scope="session")
def is_updating(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update"))
