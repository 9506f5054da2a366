"""The tests of the front end in front of Ray: web/test_serve_inference, asked once more."""

import pytest
from web.test_serve_inference import *  # noqa: F403

pytestmark = pytest.mark.usefixtures("_commands_run_on_ray")
