"""What nodes use: tokens, requests, money and time, and how it adds up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

MOST = 2**53
"""No count, cost or time is larger: beyond it a sum is not exact, and beyond 2**64 XCom cannot keep it."""

_DIGITS = 12
"""Digits behind the point that a sum of costs or seconds keeps; the rest is noise of binary fractions."""


@dataclass(frozen=True)
class Usage:
    """What calls of models used.

    :param input_tokens: tokens sent.
    :param output_tokens: tokens received.
    :param requests: requests sent.
    :param known_cost: US dollars, of the requests whose cost is known.
    :param unknown_costs: requests whose cost is not known.
    :param unanswered: those of them that brought no answer: timed out, cut off, their process killed.
    :param seconds: seconds of work.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    requests: int = 0
    known_cost: float = 0.0
    unknown_costs: int = 0
    unanswered: int = 0
    seconds: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        """The sum of each field; never above :data:`MOST`."""
        sums = {name: min(MOST, value + getattr(other, name)) for name, value in asdict(self).items()}
        return Usage(**{name: _rounded(value) for name, value in sums.items()})

    def __sub__(self, other: Usage) -> Usage:
        """What this has more than *other*, in each field; never below 0."""
        rest = {name: max(0, value - getattr(other, name)) for name, value in asdict(self).items()}
        return Usage(**{name: _rounded(value) for name, value in rest.items()})

    @property
    def tokens(self) -> int:
        """Tokens sent and received."""
        return self.input_tokens + self.output_tokens

    @property
    def cost(self) -> float | None:
        """US dollars; None when part of it is not known."""
        return None if self.unknown_costs else self.known_cost

    @property
    def unpriced(self) -> int:
        """Requests that were answered by a model whose price is not known."""
        return self.unknown_costs - self.unanswered

    def as_json(self) -> dict[str, Any]:
        """Plain JSON, with ``cost`` (null when part of it is not known)."""
        return {**asdict(self), "cost": self.cost}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Usage:
        """What :meth:`as_json` made, or what a tool reported."""
        if _number(stored.get("known_cost")) is None:
            return cls.reported(stored)
        kept: dict[str, Any] = {field.name: _number(stored.get(field.name)) or 0 for field in fields(cls)}
        return cls(**kept)

    @classmethod
    def reported(cls, usage: Mapping[str, Any]) -> Usage:
        """What a tool says it used; what it does not say in numbers up to :data:`MOST` counts as not known.

        :param usage: ``input_tokens``, ``output_tokens``, ``requests`` (1 when left out), ``cost``.
        """
        tokens = {name: int(_number(usage.get(name)) or 0) for name in ("input_tokens", "output_tokens")}
        stated = _number(usage.get("requests"))
        requests = 1 if stated is None else int(stated)
        cost = _number(usage.get("cost"))
        if cost is None:
            return cls(**tokens, requests=requests, unknown_costs=requests)
        return cls(**tokens, requests=requests, known_cost=cost)


NOTHING = Usage()


def total(usages: Iterable[Usage]) -> Usage:
    """The sum of *usages*."""
    return sum(usages, NOTHING)


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and 0 <= value <= MOST else None  # NaN is neither


def _rounded(value: Any) -> Any:
    return value if isinstance(value, int) else round(value, _DIGITS)
