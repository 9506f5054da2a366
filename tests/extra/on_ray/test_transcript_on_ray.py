"""The tests of the front end in front of Ray: web/test_serve_transcript, asked once more."""

import pytest
from web.test_serve_transcript import *  # noqa: F403

pytestmark = pytest.mark.usefixtures("_commands_run_on_ray")
