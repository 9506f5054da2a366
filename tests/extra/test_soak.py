"""A hundred thousand requests, five in a hundred with a failure: raised, killed, blocked."""

import asyncio

import pytest
from fakes.soak import assert_flat, soak


@pytest.mark.timeout(300)
def test_a_hundred_thousand_requests_with_failures_leave_everything_as_it_was(tmp_path):
    held, unjust = asyncio.run(soak(tmp_path, 100_000, 5, 4000))
    assert unjust == {}
    # 80,000 requests after the first lot: one small object kept of each (50 bytes) would make 4 MB.
    assert_flat(held, megabytes=3)
