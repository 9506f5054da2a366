"""Ten thousand requests, five in a hundred with a failure: the short form of ``tests/extra/test_soak.py``."""

import pytest
from fakes.loops import on_a_loop
from fakes.soak import assert_flat, soak


@pytest.mark.slow
@on_a_loop
async def test_ten_thousand_requests_with_failures_leave_everything_as_it_was(tmp_path):
    held, unjust = await soak(tmp_path, 10_000, 2, 2000)
    assert unjust == {}
    # 5,000 requests after the first lot: a run that stayed behind (about 1 kB) would make 5 MB.
    assert_flat(held, megabytes=2)
