"""Two or more ways to do a thing, timed in turn, so that a machine that slows down slows all of them down."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Compared:
    """The samples of ours and of the other, taken in turn.

    :param ours: one figure for each round.
    :param other: the same of what it is held against.
    """

    ours: Sequence[float]
    other: Sequence[float]

    @property
    def ratios(self) -> list[float]:
        """Ours / other, round by round."""
        return [ours / other for ours, other in zip(self.ours, self.other, strict=True)]

    @property
    def ratio(self) -> float:
        """The median of the ratios."""
        return median(self.ratios)

    @property
    def differences(self) -> list[float]:
        """Ours - other, round by round."""
        return [ours - other for ours, other in zip(self.ours, self.other, strict=True)]

    @property
    def difference(self) -> float:
        """The median of the differences."""
        return median(self.differences)


def in_turn(ways: Sequence[Callable[[], float]], rounds: int) -> list[list[float]]:
    """A sample of each way, then another of each, after one that does not count.

    :param ways: each takes a sample.
    :param rounds: samples that count, of each way.
    :return: the samples of each way.
    """
    for way in ways:
        way()
    taken = [[way() for way in ways] for _ in range(rounds)]
    return [list(samples) for samples in zip(*taken, strict=True)]


def cpu_seconds(work: Callable[[], Any], times: int = 1) -> Callable[[], float]:
    """A way to take a sample: CPU seconds of this process for one *work*.

    The garbage of earlier work is collected before; its own is collected as usual, and counts.

    :param work: what is timed.
    :param times: how often it is done for one sample; a short one is more exact that way.
    """

    def sample() -> float:
        gc.collect()
        begun = time.process_time()
        for _ in range(times):
            work()
        return (time.process_time() - begun) / times

    return sample
