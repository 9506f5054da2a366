"""The tests of the front end in front of Ray: web/test_serve_management, asked once more."""

import pytest
from web.test_serve_management import *  # noqa: F403

pytestmark = pytest.mark.usefixtures("_commands_run_on_ray")
