"""The tests of the front end in front of Ray: web/test_serve_watching, asked once more."""

import pytest
from web.test_serve_watching import *  # noqa: F403

pytestmark = pytest.mark.usefixtures("_commands_run_on_ray")
