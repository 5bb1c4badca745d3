"""However the blocks fall, no more goes than the rate and one block allow."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hayrick_sensor.rate import Rate


@given(st.integers(1_000, 10**7), st.lists(st.integers(1, 1 << 20), min_size=1, max_size=200), st.floats(0, 5))
def test_rate_holds_over_any_time_whatever_the_blocks(rate: int, blocks: list[int], idle: float) -> None:
    bucket, now, sent = Rate(rate), idle, 0
    for size in blocks:
        now += bucket.wait(now)
        assert bucket.wait(now) < 1e-6
        bucket.spend(size)
        sent += size
        assert sent <= rate * (now + 1) + size + 1
    assert now <= idle + sum(blocks) / rate + 1e-3


def test_no_rate_never_waits() -> None:
    bucket = Rate()
    bucket.spend(10**12)
    assert bucket.wait(0.0) == 0.0
