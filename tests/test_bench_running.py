"""Ctrl-C ends a run, also when something swallows the interrupt the first time."""

from __future__ import annotations

import signal

import pytest

from bench.running import CtrlC


def test_ctrl_c_that_was_swallowed_comes_back_at_the_next_visit() -> None:
    with CtrlC() as ctrl_c:
        ctrl_c.check(0, 1)
        with pytest.raises(KeyboardInterrupt):  # here it is caught, as a library's callback might
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            ctrl_c.check(0, 2)


def test_handler_from_before_is_put_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with CtrlC():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before
