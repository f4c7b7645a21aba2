"""What one attempt at a node may spend, and what is booked for it."""

from __future__ import annotations

import asyncio

import pytest

from airflow_provider_vibe.plan.models import Budget
from airflow_provider_vibe.runtime import budget as budget_module
from airflow_provider_vibe.runtime.budget import BudgetBusy, NodeAccount
from airflow_provider_vibe.runtime.errors import HOPELESS, ErrorKind, kind_of
from airflow_provider_vibe.runtime.ledger import Attempt, Entry
from airflow_provider_vibe.runtime.usage import Usage
from airflow_provider_vibe.tools.base import ToolResult
from airflow_provider_vibe.tools.budget import BudgetSpent, accounted, current_budget, within_budget

ONE_REQUEST = {"input_tokens": 3, "output_tokens": 4, "requests": 1, "cost": 0.5}


class Kept:
    """A store that does everything at once, and knows who works."""

    def __init__(self, *working, **entries):
        self.entries = {"n": Entry(), **entries}
        self.alive = set(working)

    async def read(self, node):
        return self.entries.get(node, Entry())

    async def read_all(self):
        return dict(self.entries)

    async def write(self, node, entry):
        self.entries[node] = Entry.from_json(entry.as_json())

    async def working(self):
        return self.alive


def run(work, store=None, try_number=1, **limits):
    """What *work* gives on the account of the node ``n``, and the account when the attempt is over."""
    store = store or Kept()
    budget = Budget(**limits) if limits else None

    async def attempt():
        account = NodeAccount("n", try_number, store, budget, reserved_tokens=50)
        current_budget.set(account)
        await account.open()
        try:
            return await work(account), None
        except Exception as error:
            return error, None
        finally:
            used.append(await account.finish(2.0))

    used: list[Usage] = []
    given, _ = asyncio.run(attempt())
    return given, used[0]


def calling(answer=ONE_REQUEST, max_tokens=10, prompt="", times=1, **kwargs):
    """Work that calls a model; an error as the answer is raised."""

    async def call():
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def work(account):
        for _ in range(times):
            await within_budget(
                call, max_tokens=max_tokens, usage_of=lambda given: given, prompt=prompt, **kwargs
            )
        return "done"

    return work


def used_by(usage, try_number=1, **held):
    return Entry({try_number: Attempt(used=usage, held=Usage(**held))})


def test_without_a_budget_a_call_is_only_counted():
    given, used = run(calling(times=3))
    assert given == "done"
    assert (used.requests, used.input_tokens, used.output_tokens, used.cost) == (3, 9, 12, 1.5)
    assert used.seconds == 2.0


def test_where_nobody_counts_the_call_is_made():
    async def call():
        return 5

    assert asyncio.run(within_budget(call, max_tokens=None, usage_of=lambda given: {})) == 5


def test_a_refused_call_is_not_made_and_the_error_tells_the_numbers():
    store = Kept(other=used_by(Usage(requests=5)))
    given, used = run(calling(AssertionError("called")), store, requests=5)
    assert isinstance(given, BudgetSpent)
    assert "'n' may call no model" in str(given) and "5 of 5 requests are used" in str(given)
    assert used.requests == 0
    assert kind_of(given) is ErrorKind.BUDGET and ErrorKind.BUDGET in HOPELESS


@pytest.mark.parametrize(
    ("max_tokens", "prompt", "limit", "fits"),
    [
        (10, "", 10, True),
        (11, "", 10, False),
        (None, "", 50, True),  # the configured reserve
        (None, "", 49, False),
        (10, "x" * 30, 20, True),  # 3 bytes a token
        (10, "x" * 31, 20, False),
        (10, "茶" * 10, 20, True),
        (10, "茶" * 11, 20, False),
        (10, "\ud800", 11, True),
    ],
)
def test_a_call_reserves_its_longest_answer_and_an_estimate_of_its_prompt(max_tokens, prompt, limit, fits):
    given, _ = run(calling(max_tokens=max_tokens, prompt=prompt), tokens=limit)
    assert (given == "done") is fits


def test_what_does_not_fit_the_tokens_left_is_told_in_parts():
    store = Kept(other=used_by(Usage(input_tokens=60, output_tokens=20)))
    given, _ = run(calling(max_tokens=15, prompt="x" * 30), store, tokens=100)
    assert "80 of 100 tokens are used" in str(given)
    assert "may take 25: about 10 of its prompt and 15 of its answer" in str(given)


def test_an_answer_longer_than_its_reservation_is_booked_as_it_was():
    long_answer = {**ONE_REQUEST, "output_tokens": 30}
    given, used = run(calling(long_answer, max_tokens=10, times=2), tokens=25)
    assert isinstance(given, BudgetSpent)
    assert used.tokens == 33


def test_requests_that_one_call_made_again_are_all_booked():
    given, used = run(calling({**ONE_REQUEST, "requests": 3}, times=2), requests=3)
    assert isinstance(given, BudgetSpent) and used.requests == 3


def test_costs_stop_calls_once_they_reach_the_limit():
    given, used = run(calling(times=5), cost=1.2)
    assert "$1.5 of $1.2 are spent" in str(given) and used.requests == 3


def test_an_unknown_cost_is_not_nothing():
    given, used = run(calling({**ONE_REQUEST, "cost": None}, times=2), cost=1000.0)
    assert "the cost of 1 requests is not known" in str(given)
    assert used.cost is None and (used.requests, used.unknown_costs) == (1, 1)


def test_seconds_of_all_nodes_count():
    store = Kept(other=used_by(Usage(seconds=59.0)), another=used_by(Usage(seconds=1.5)))
    given, _ = run(calling(), store, seconds=60)
    assert "60.5 of 60 seconds of work are used" in str(given)
    assert run(calling(), Kept(other=used_by(Usage(seconds=59.0))), seconds=60)[0] == "done"


class RateLimitError(Exception):
    status_code = 429


class ServerError(Exception):
    status_code = 503


class GatewayTimeout(Exception):
    status_code = 504


@pytest.mark.parametrize(
    ("error", "tokens", "unanswered"),
    [
        (RateLimitError(), 0, 0),
        (ServerError(), 0, 0),
        (ConnectionRefusedError(), 0, 0),
        (ConnectionResetError(), 12, 1),  # it had been sent
        (GatewayTimeout(), 12, 1),
        (TimeoutError(), 12, 1),
        (ValueError(), 12, 1),
    ],
)
def test_a_failed_call_is_a_request_and_keeps_its_tokens_unless_it_was_surely_not_billed(
    error, tokens, unanswered
):
    given, used = run(calling(error, prompt="xxxxxx"), tokens=100)
    assert given is error
    assert (used.requests, used.tokens, used.unanswered) == (1, tokens, unanswered)
    assert (used.cost is None) is bool(unanswered)
    assert used.unpriced == 0  # a call that timed out does not end a run with a budget in dollars


class UnexpectedModelBehavior(Exception):
    """As pydantic_ai raises it when an answer does not fit."""


@pytest.mark.parametrize("error", [ValueError("bad output"), UnexpectedModelBehavior("bad output")])
def test_a_call_that_failed_after_answers_is_booked_as_these_were(error):
    work = calling(error, usage_when_failed=lambda: {**ONE_REQUEST, "requests": 2})
    _, used = run(work, tokens=100)
    assert (used.requests, used.tokens, used.unanswered) == (2, 7, 0)


def test_a_timeout_after_answers_counts_on_top_of_them():
    work = calling(TimeoutError(), usage_when_failed=lambda: ONE_REQUEST)
    _, used = run(work, tokens=100)
    assert (used.requests, used.tokens, used.unanswered) == (2, 17, 1)


def test_a_cancelled_call_keeps_its_reservation():
    async def work(account):
        async def call():
            raise asyncio.CancelledError

        try:
            await within_budget(call, max_tokens=10, usage_of=lambda given: {})
        except asyncio.CancelledError:
            return "cancelled"

    assert run(work, requests=9)[1].tokens == 10


def test_a_retry_gets_no_new_money():
    store = Kept()
    first, _ = run(calling(RateLimitError()), store, requests=1)
    second, used = run(calling(), store, try_number=2, requests=1)
    assert isinstance(first, RateLimitError) and isinstance(second, BudgetSpent)
    assert (used.requests, used.seconds) == (1, pytest.approx(4.0, abs=0.5))


def test_what_a_killed_attempt_held_is_gone_for_its_retry():
    store = Kept(n=used_by(Usage(), requests=1, output_tokens=40))
    _, used = run(calling(), store, try_number=2, requests=9)
    assert (used.requests, used.output_tokens, used.unanswered) == (2, 44, 1)
    again, _ = run(calling(), Kept(n=used_by(Usage(), requests=1)), try_number=1, requests=1)
    assert isinstance(again, BudgetSpent)  # also when Airflow ran the same try twice


def test_without_a_budget_a_later_attempt_still_knows_what_the_earlier_ones_used():
    store = Kept()
    run(calling(), store)
    run(calling(ServerError()), store, try_number=2)
    _, used = run(calling(), store, try_number=3)
    assert (used.requests, used.cost) == (3, 1.0)


def test_a_node_that_uses_no_model_writes_nothing_without_a_budget():
    async def work(account):
        return "done"

    store = Kept()
    run(work, store)
    assert store.entries["n"] == Entry()


def test_waiting_for_others_ends():
    now = [0.0]

    async def pause(seconds):
        now[0] += seconds

    async def attempt():
        store = Kept("other", other=used_by(Usage(), requests=1))
        budget = Budget(requests=1)
        account = NodeAccount("n", 1, store, budget, pause=pause, clock=lambda: now[0])
        with pytest.raises(BudgetBusy, match="calls of other hold the rest"):
            await account.reserve(1, 0)
        assert now[0] == pytest.approx(budget_module.LONGEST_WAIT, abs=10)
        assert store.entries["n"].newest == Attempt()  # it asks for nothing any more
        return await account.finish(now[0])

    assert asyncio.run(attempt()).seconds == pytest.approx(0)  # waiting is no work
    assert kind_of(BudgetBusy()) is ErrorKind.TIMEOUT  # which is tried again


def test_calls_of_one_node_at_once_share_the_budget_too():
    async def work(account):
        gate = asyncio.Event()

        async def call():
            await gate.wait()
            return ONE_REQUEST

        calls = [
            asyncio.create_task(within_budget(call, max_tokens=1, usage_of=lambda given: given))
            for _ in range(3)
        ]
        await asyncio.sleep(0)
        gate.set()
        return await asyncio.gather(*calls, return_exceptions=True)

    given, used = run(work, requests=2)
    assert used.requests == 2
    assert [type(each) for each in given].count(BudgetSpent) == 1


def test_an_entry_that_a_zombie_overwrote_is_written_again():
    class Overwriting(Kept):
        overwritten = False

        async def read_all(self):
            if not self.overwritten:
                self.overwritten = True
                self.entries["n"] = used_by(Usage(requests=1))  # the first attempt, which knew of no second
            return await super().read_all()

    store = Overwriting()
    given, used = run(calling(), store, try_number=2, requests=2)
    assert given == "done" and used.requests == 2
    assert sorted(store.entries["n"].attempts) == [1, 2]


# tools that count for themselves


class Reporting:
    calls_models = True

    def __init__(self, usage):
        self.usage, self.called = usage, 0

    async def __call__(self):
        self.called += 1
        return ToolResult(True, "x", {"usage": self.usage})


def test_what_a_tool_reports_is_booked_once():
    async def work(account):
        tool = Reporting(ONE_REQUEST)
        await accounted(tool, tool)

        async def counted_itself():
            await calling()(account)
            return ToolResult(True, "x", {"usage": ONE_REQUEST})

        await accounted(tool, counted_itself)

    assert run(work, requests=9)[1].requests == 2


def test_a_tool_that_calls_models_is_not_started_once_the_budget_is_spent():
    tool = Reporting(ONE_REQUEST)

    async def work(account):
        await accounted(tool, tool)
        await accounted(tool, tool)

    given, _ = run(work, requests=1)
    assert isinstance(given, BudgetSpent) and tool.called == 1


def test_a_tool_that_calls_none_goes_on_when_the_budget_is_spent():
    tool = Reporting(None)
    tool.calls_models = False

    async def work(account):
        await accounted(tool, tool)

    store = Kept(other=used_by(Usage(requests=1)))
    assert run(work, store, requests=1)[0] is None and tool.called == 1


@pytest.mark.parametrize("metadata", [None, {}, {"usage": 12}, {"usage": {"input_tokens": "many"}}])
def test_a_report_of_another_form_breaks_nothing(metadata):
    async def work(account):
        async def call():
            return ToolResult(True, "x", metadata)

        return await accounted(Reporting(None), call)

    assert run(work, requests=9)[0].output == "x"
