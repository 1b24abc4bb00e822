"""Rates, breaker, budget, cache and waits of calls to an endpoint, with a clock of our own."""

import itertools
import threading
import time
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from learning.errors import BudgetSpentError, EndpointError, ParameterError, RunStoppedError
from learning.teachers import limits
from learning.teachers.limits import Breaker, Bucket, CappedBudget, Kept, MemoryCache, Retries
from learning.teachers.line import error_words, never, retry_after
from learning.teachers.threads import in_threads


class FakeTime:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    fake = FakeTime()
    monkeypatch.setattr(limits.time, "sleep", fake.sleep)
    return fake


class TestBucket:
    @pytest.mark.parametrize("rate", [6, 60, 600])
    def test_lets_as_many_requests_pass_as_the_rate_allows(self, clock, rate):
        bucket = Bucket(requests_per_minute=rate, clock=clock)
        began = clock.now
        for _ in range(rate + 1):
            bucket.take(0, never)
        assert 58.9 <= clock.now - began <= 60.2

    def test_lets_as_many_tokens_pass_as_the_rate_allows(self, clock):
        bucket = Bucket(requests_per_minute=1e6, tokens_per_minute=6000, clock=clock)
        began = clock.now
        for _ in range(13):
            bucket.take(1000, never)
        assert clock.now - began == pytest.approx(119, abs=0.5)

    def test_does_not_save_up_a_long_pause(self, clock):
        bucket = Bucket(requests_per_minute=60, clock=clock)
        clock.sleep(3600)
        began = clock.now
        for _ in range(11):
            bucket.take(0, never)
        assert clock.now - began >= 9

    def test_takes_back_what_was_not_used(self, clock):
        bucket = Bucket(tokens_per_minute=6000, clock=clock)
        began = clock.now
        for _ in range(10):
            bucket.take(1000, never)
            bucket.give_back(900)
        assert clock.now - began < 11

    def test_without_rates_nothing_waits(self, clock):
        bucket = Bucket(clock=clock)
        for _ in range(1000):
            bucket.take(10**6, never)
        assert clock.now == 1000

    def test_a_pause_holds_those_who_wait_already(self, clock):
        bucket = Bucket(clock=clock)
        bucket.pause(5)
        bucket.take(0, never)
        assert clock.now == pytest.approx(1005, abs=0.2)

    def test_stops_waiting_when_the_run_is_stopped(self, clock):
        bucket = Bucket(clock=clock)
        bucket.pause(3600)
        with pytest.raises(RunStoppedError):
            bucket.take(0, lambda: clock.now > 1001)
        assert clock.now < 1002

    def test_refuses_a_rate_of_nothing(self):
        with pytest.raises(ParameterError):
            Bucket(requests_per_minute=0)


def fail(breaker, times=1, **how):
    for _ in range(times):
        with breaker.turn(never) as turn:
            turn.failed("It is failing (500).", **how)


def work(breaker):
    with breaker.turn(never) as turn:
        turn.passed()


class TestBreaker:
    def test_opens_after_failures_in_a_row_and_lets_one_probe_after_the_pause(self, clock):
        breaker = Breaker(failures=5, cool_seconds=2, clock=clock)
        fail(breaker, 4)
        assert breaker.cause == ""
        fail(breaker)
        assert breaker.cause == "It is failing (500)."
        before = clock.now
        work(breaker)
        assert clock.now - before == pytest.approx(2, abs=0.2)
        assert breaker.cause == ""

    def test_one_success_starts_the_count_again(self, clock):
        breaker = Breaker(failures=3, clock=clock)
        for _ in range(9):
            fail(breaker, 2)
            work(breaker)
        assert breaker.cause == ""

    def test_opens_when_twenty_of_the_last_fifty_failed(self, clock):
        breaker = Breaker(failures=99, clock=clock)
        for _ in range(19):
            fail(breaker)
            work(breaker)
        assert breaker.cause == ""
        fail(breaker)
        assert breaker.cause

    def test_waits_twice_as_long_after_each_failed_probe(self, clock):
        breaker = Breaker(failures=1, cool_seconds=1, longest_cool_seconds=5, clock=clock)
        pauses = []
        for _ in range(5):
            fail(breaker)
            pauses.append(clock.now)
        gaps = [b - a for a, b in itertools.pairwise(pauses)]
        assert gaps == pytest.approx([1, 2, 4, 5], abs=0.3)

    def test_gives_up_when_nothing_worked_for_its_patience(self, clock):
        breaker = Breaker(failures=1, cool_seconds=20, patience_seconds=30, clock=clock)
        fail(breaker)
        fail(breaker)
        with pytest.raises(EndpointError, match="failing"), breaker.turn(never):
            pass
        clock.sleep(100)
        work(breaker)
        assert breaker.cause == ""

    def test_slow_failures_need_not_be_many(self, clock):
        breaker = Breaker(failures=5, patience_seconds=60, clock=clock)
        for _ in range(2):
            clock.sleep(60)
            fail(breaker)
        assert breaker.cause

    def test_gives_up_at_once_on_what_does_not_pass(self, clock):
        breaker = Breaker(failures=2, clock=clock)
        fail(breaker, 2, passing=False)
        before = clock.now
        with pytest.raises(EndpointError), breaker.turn(never):
            pass
        assert clock.now == before

    def test_lets_only_one_probe_at_a_time(self, clock):
        breaker = Breaker(failures=1, cool_seconds=1, patience_seconds=5, clock=clock)
        fail(breaker)
        clock.sleep(2)
        with breaker.turn(never) as probe:
            with pytest.raises(EndpointError), breaker.turn(never):
                pass
            probe.passed()
        work(breaker)

    def test_a_probe_that_ends_without_a_verdict_leaves_room_for_the_next(self, clock):
        breaker = Breaker(failures=1, cool_seconds=1, clock=clock)
        fail(breaker)
        clock.sleep(2)
        with pytest.raises(BudgetSpentError), breaker.turn(never):
            raise BudgetSpentError
        work(breaker)
        assert breaker.cause == ""

    def test_an_order_to_wait_longer_is_not_forgotten(self, clock):
        breaker = Breaker(failures=1, cool_seconds=1, clock=clock)
        with breaker.turn(never) as turn:
            turn.failed("busy")
            breaker.give_up("It asks to wait 600 seconds.", 600)
        clock.sleep(300)
        with pytest.raises(EndpointError, match="600"), breaker.turn(never):
            pass
        clock.sleep(301)
        work(breaker)


class TestRetries:
    def test_waits_are_spread_over_the_whole_of_a_doubling_range(self):
        retries = Retries(base_seconds=1, longest_seconds=8)
        for attempt, most in enumerate([1, 2, 4, 8, 8]):
            waits = [retries.seconds(attempt) for _ in range(300)]
            assert 0 <= min(waits) < 0.2 * most
            assert 0.8 * most < max(waits) <= most

    def test_a_very_late_attempt_does_not_overflow(self):
        assert Retries().seconds(10_000) <= 20


class TestRetryAfter:
    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            ("7", 7), ("0.5", 0.5), ("", 0), ("soon", 0), ("-3", 0), ("nan", 0), ("inf", 0),
            ("1e9", 0), ("9" * 30, 86_400), ("Wed, 21 Oct 2015 07:28:00 GMT", 0), ("٣", 0),
        ],
    )  # fmt: skip
    def test_is_a_number_of_seconds_or_nothing(self, value, seconds):
        assert retry_after({"retry-after": value}) == seconds

    def test_may_be_a_date(self):
        began = time.time()
        left = retry_after({"retry-after": formatdate(began + 100, usegmt=True)})
        assert 99 - (time.time() - began) <= left <= 100  # a date has no parts of a second

    @given(st.text())
    def test_never_raises(self, value):
        assert 0 <= retry_after({"retry-after": value}) <= 86_400


@given(st.binary() | st.text().map(str.encode))
def test_words_of_an_error_are_known_ones_only(body):
    assert error_words(body) == ("", "")


class TestBudget:
    def test_holds_the_worst_case_back_until_it_is_settled(self):
        budget = CappedBudget(cap=10)
        first = budget.reserve(6)
        with pytest.raises(BudgetSpentError):
            budget.reserve(5)
        budget.settle(first, 1)
        budget.settle(budget.reserve(9), 9)
        assert (budget.spent, budget.reserved) == (10, 0)

    def test_a_settlement_never_passes_its_reservation(self):
        budget = CappedBudget(cap=10)
        budget.settle(budget.reserve(2), 50)
        assert budget.spent == 2

    def test_is_not_passed_by_threads(self):
        budget = CappedBudget(cap=100)

        def spend():
            for _ in range(200):
                try:
                    budget.settle(budget.reserve(1), 1)
                except BudgetSpentError:
                    return

        threads = [threading.Thread(target=spend) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert budget.spent == 100


def test_a_cache_gives_a_question_to_one_caller_at_a_time():
    cache = MemoryCache()
    assert cache.begin("a") is True
    assert cache.begin("a") is False
    cache.finish("a", None)
    assert cache.begin("a") is True
    cache.finish("a", {"x": 1})
    assert cache.begin("a") == Kept({"x": 1})


class TestThreads:
    def test_give_every_answer_of_every_batch(self):
        batches = [[n, n + 1] for n in range(0, 40, 2)]
        found = in_threads(lambda batch, stopped: batch, batches, 4, lambda *_: None, 40)
        assert sorted(found) == list(range(40))

    def test_pass_on_what_a_batch_raises_and_stop_the_others(self):
        running, stopped_early = threading.Event(), threading.Event()

        def work(batch, stopped):
            if batch == [0]:
                running.wait(60)
                raise ZeroDivisionError
            running.set()
            while not stopped():
                time.sleep(0.01)
            stopped_early.set()
            return batch

        with pytest.raises(ZeroDivisionError):
            list(in_threads(work, [[0], [1]], 2, lambda *_: None, 2))
        assert stopped_early.is_set()

    def test_report_while_nothing_comes(self):
        told, heard = [], threading.Event()

        def report(*numbers):
            told.append(numbers)
            heard.set()

        list(in_threads(lambda batch, _: heard.wait(60) and batch, [[1]], 1, report, 1))
        assert told[0] == (0, 1)
        assert told[-1] == (1, 1)

    def test_nothing_to_do_is_done(self):
        assert list(in_threads(lambda b, _: b, [], 4, lambda *_: None, 0)) == []
