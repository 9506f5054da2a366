"""The tests of the front end in front of Ray: web/test_serve_handler_metrics, asked once more.

Replicas answer over the network, so that nobody waits for them: what they measured is there at the next scrape.
"""

import pytest
from web.test_serve_handler_metrics import *  # noqa: F403

del test_the_first_scrape_has_what_idle_workers_measured  # noqa: F821
pytestmark = pytest.mark.usefixtures("_commands_run_on_ray")
