import contextlib

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    # Other folders of expected files bring the same option.
    with contextlib.suppress(ValueError):
        parser.addoption("--update", action="store_true", help="rewrite the expected files; review the diff")


@pytest.fixture(scope="session")
def is_updating(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update", default=False))
