"""Every fault of an endpoint: nothing wedges, no budget is passed, no label comes from nowhere."""

import json
import ssl
import threading
import time
from email.utils import formatdate

import numpy as np
import pytest

from annotator.runtime.outbound import CallLimits
from learning.errors import LearningError
from learning.teachers.asking import ask
from learning.teachers.limits import Breaker, CappedBudget, Retries
from tests.llm import loopback, plays
from tests.llm.conftest import KEY, PATIENT, QUICK, texts
from tests.llm.loopback import Loopback

# What an endpoint may do for ever -> what the items say then
LASTING = {
    "429": (plays.error(429), "too busy (429)"),
    "429 with Retry-After": (plays.error(429, headers={"Retry-After": "1"}), "too busy (429)"),
    "429, come back tomorrow": (plays.error(429, headers={"Retry-After": "86400"}), "86,400 seconds"),
    "429, no money": (plays.error(429, code="insufficient_quota"), "account is used up"),
    "500": (plays.error(500), "failing (500)"),
    "503 as a page": (loopback.text(b"<html>down</html>", 503), "failing (503)"),
    "401": (plays.error(401, code="invalid_api_key"), "refuses the key (401)"),
    "404": (plays.error(404, code="model_not_found"), "no such model"),
    "418": (plays.error(418), "refused the request (418)"),
    "never answers": (loopback.silent, "did not answer in time"),
    "slow": (loopback.slow(5, plays.good), "did not answer in time"),
    "drips": (loopback.drip, "did not answer in time"),
    "hangs up": (loopback.hang_up, "cut its answer short"),
    "cuts": (loopback.cut, "cut its answer short"),
    "no HTTP": (loopback.not_http, "cut its answer short"),
    "redirects": (loopback.redirect("http://127.0.0.1:1/v1"), "redirect"),
    "10 MB": (loopback.huge(10_000_000), "larger than"),
    "bomb": (loopback.bomb(100_000_000), "larger than"),
    "endless": (loopback.endless, "larger than"),
    "wrong encoding": (loopback.text(b"{}", 200, {"Content-Encoding": "br"}), "encoding"),
    "empty": (plays.raw(b""), "not JSON"),
    "garbage": (plays.raw(b"\x00\xff\xfe garbage"), "not JSON"),
    "a list": (plays.raw(b"[1, 2]"), "not JSON"),
    "no choices": (plays.raw(b'{"choices": []}'), "not JSON"),
    "choices of nonsense": (plays.raw(b'{"choices": [[{"message": 7}]], "usage": []}'), "not JSON"),
    "deep": (plays.raw(b'{"a":' * 50_000), "not JSON"),
    "deep answer": (plays.says(lambda _: '{"answers": ' + "[" * 50_000), "not JSON"),
    "an event stream": (plays.raw(b'data: {"choices": [{"delta": {"content": "11"}}]}\n\n' * 9), "not JSON"),
    "prose": (plays.says(lambda _: "I think it is refund."), "not JSON"),
    "empty answer": (plays.says(lambda _: ""), "not JSON"),
    "cut answer": (plays.says(lambda r: plays.good_content(r)[:-9], finish="length"), "cut off"),
    "a filter": (plays.says(lambda _: "", finish="content_filter"), "refused to answer"),
    "another label": (plays.with_label("99"), "not on the list"),
    "a label's description": (plays.with_label("wants money back"), "not on the list"),
    "two labels": (plays.with_label(["11", "12"]), "not on the list"),
    "a number": (plays.with_label(11.0), "not on the list"),
    "true": (plays.with_label(True), "not on the list"),
    "no label": (plays.changed(lambda a, _: [{"item": x["item"]} for x in a]), "not on the list"),
    "other ids": (plays.changed(lambda a, _: [{**x, "item": "zzzzzz"} for x in a]), "not asked about"),
    "each twice": (plays.changed(lambda a, _: a + [{**x, "label": "11"} for x in a]), "two labels"),
    "nobody": (plays.changed(lambda a, _: []), "left items out"),
    "the question": (plays.says(plays.user_of), "not JSON"),
    "our own example": (plays.says(plays.system_of), "not asked about"),
}  # fmt: skip


NEVER_ENDING = {"never answers", "slow", "drips"}
FOR_EVER = CallLimits(silence_seconds=600, whole_seconds=600)  # if nobody stopped it
# Long for what ends by itself or is stopped, even on a busy machine; short beside what does not.
SOON_SECONDS = 60


def limits_of(name):
    return QUICK if name in NEVER_ENDING else PATIENT


def begun(line):
    """How many calls the line has begun so far: the server may hear of the last ones later."""
    calls, send = [], line.send

    def counted(*given):
        calls.append(1)
        return send(*given)

    line.send = counted
    return calls


def run(teacher, schema, count=12):
    began = time.monotonic()
    found = list(ask(teacher, texts(count), schema))
    return found, time.monotonic() - began


class TestLastingFaults:
    @pytest.mark.parametrize("name", LASTING)
    def test_end_in_abstentions_with_the_cause_and_within_the_budget(
        self, teach, connect, schema, name
    ):
        play, cause = LASTING[name]
        with Loopback(play) as server:
            line = connect(server, limits=limits_of(name), budget=CappedBudget(cap=40.0))
            found, seconds = run(teach(server, line), schema)
        assert len(found) == 12
        assert all(answer.probabilities is None for answer in found)
        assert any(cause in answer.abstained for answer in found), found[0].abstained
        assert not any(word in a.abstained for a in found for word in (KEY, "<", "parcel"))
        assert line.budget.spent <= 40.0
        assert line.budget.reserved == 0
        assert sum(answer.money for answer in found) == pytest.approx(line.budget.spent)
        assert seconds < SOON_SECONDS

    def test_a_port_where_nothing_listens_costs_nothing(self, teach, connect, schema):
        with Loopback(plays.good) as server:
            line = connect(server)
        found, seconds = run(teach(server, line), schema)
        assert {answer.abstained for answer in found} == {
            f"Nothing answers at 127.0.0.1:{server.port}."
        }
        assert line.budget.spent == 0
        assert seconds < SOON_SECONDS

    @pytest.mark.parametrize(("names", "days"), [(["127.0.0.1"], -1), (["example.com"], 1)])
    def test_a_certificate_that_cannot_be_trusted_gets_no_prompt(
        self, teach, connect, schema, tmp_path, names, days
    ):
        path = loopback.certificate(tmp_path, names, days=days)
        trust = ssl.create_default_context(cafile=path)
        with Loopback(plays.good, tls=loopback.serving(path)) as server:
            line = connect(server, trust=trust)
            found, _ = run(teach(server, line), schema)
        assert all("not trusted" in answer.abstained for answer in found)
        assert server.requests == []
        assert line.budget.spent == 0

    def test_the_breaker_opens_before_twenty_of_fifty_calls_have_failed(
        self, teach, connect, schema
    ):
        with Loopback(plays.error(500)) as server:
            run(teach(server, connect(server)), schema, count=300)
        assert len(server.requests) <= 20

    def test_a_key_that_is_revoked_in_the_middle_ends_the_calls(self, teach, connect, schema):
        with Loopback([*[plays.good] * 10, plays.error(401)]) as server:
            line = connect(server, concurrency=1)
            found, _ = run(teach(server, line), schema, count=200)
        assert sum(not answer.abstained for answer in found) == 10
        assert len(server.requests) == 11
        assert found[-1].abstained == "The endpoint refuses the key (401)."


class TestPassingFaults:
    @pytest.mark.parametrize("name", ["429", "500", "hangs up", "cuts", "never answers", "no HTTP"])
    def test_are_tried_again_until_the_endpoint_is_well(self, teach, connect, schema, name):
        play, _ = LASTING[name]
        with Loopback([play] * 3 + [plays.good]) as server:
            line = connect(
                server,
                limits=limits_of(name),
                concurrency=2,
                # More than three faults take, for good answers that come too late for the limits.
                retries=Retries(attempts=12, base_seconds=0.02),
                breaker=Breaker(cool_seconds=0.05, patience_seconds=60),
            )
            found, _ = run(teach(server, line), schema)
        assert [answer.abstained for answer in found] == [""] * 12

    def test_an_outage_longer_than_all_tries_of_an_item_loses_few_items(
        self, teach, connect, schema
    ):
        until = time.monotonic() + 1.0

        def down(request, wire):
            (plays.error(500) if time.monotonic() < until else plays.good)(request, wire)

        with Loopback(down) as server:
            breaker = Breaker(cool_seconds=0.05, longest_cool_seconds=0.4, patience_seconds=60)
            line = connect(server, breaker=breaker)
            found, _ = run(teach(server, line), schema, count=60)
        assert sum(bool(answer.abstained) for answer in found) <= 8

    @pytest.mark.parametrize("as_date", [False, True])
    def test_retry_after_is_waited_for_by_everybody(self, teach, connect, schema, as_date):
        def busy(request, wire):
            when = formatdate(time.time() + 2.9, usegmt=True) if as_date else "1.2"
            plays.error(429, headers={"Retry-After": when})(request, wire)

        with Loopback([busy, plays.good]) as server:
            line = connect(server, concurrency=1)
            found, _ = run(teach(server, line), schema, count=3)
        assert not any(answer.abstained for answer in found)
        assert server.times[1] - server.times[0] >= 1.2

    def test_a_lost_answer_counts_as_paid(self, teach, connect, schema):
        with Loopback([loopback.cut, plays.good]) as server:
            line = connect(server)
            (answer,), _ = run(teach(server, line), schema, count=1)
        assert not answer.abstained
        assert answer.money == pytest.approx(line.budget.spent)
        assert answer.money > 0.14 * 2


class TestBudget:
    def test_is_never_passed_and_the_rest_goes_to_people(self, teach, connect, schema):
        with Loopback(loopback.slow(0.02, plays.good)) as server:
            line = connect(server, budget=CappedBudget(cap=5.0), concurrency=8)
            found, _ = run(teach(server, line), schema, count=80)
        done = sum(not answer.abstained for answer in found)
        assert {answer.abstained for answer in found} == {"", "The budget is spent."}
        assert line.budget.spent == pytest.approx(done * 0.14)
        assert 5.0 - 2.5 < line.budget.spent <= 5.0  # the worst case of one call is about 2
        assert len(server.requests) == done

    @pytest.mark.parametrize(
        "usage",
        [
            {"prompt_tokens": 10**9, "completion_tokens": 10**9},
            {"prompt_tokens": -5, "completion_tokens": -5},
            {"prompt_tokens": 0, "completion_tokens": 0},
            {"prompt_tokens": "many", "completion_tokens": None},
            {"prompt_tokens": True, "completion_tokens": [1]},
            {"prompt_tokens": 1e400, "completion_tokens": 10},
            "free",
        ],
    )
    def test_counts_a_call_at_its_worst_when_the_claim_is_impossible(
        self, teach, connect, schema, usage
    ):
        with Loopback(plays.says(plays.good_content, usage=usage)) as server:
            line = connect(server, budget=CappedBudget(cap=10.0))
            found, _ = run(teach(server, line), schema, count=40)
        paid = [answer for answer in found if not answer.abstained]
        assert 1 <= len(paid) <= 10
        assert all("usage" in answer.flags for answer in paid)
        assert line.budget.spent <= 10.0
        assert sum(answer.money for answer in found) == pytest.approx(line.budget.spent)

    def test_that_ends_between_two_tries_counts_the_first(self, teach, connect, schema):
        with Loopback(loopback.cut) as server:
            line = connect(server, budget=CappedBudget(cap=3.0))
            (answer,), _ = run(teach(server, line), schema, count=1)
        assert answer.abstained == "The budget is spent."
        assert answer.money == pytest.approx(line.budget.spent)
        assert answer.money > 1

    def test_that_is_too_small_for_one_call_sends_nothing(self, teach, connect, schema):
        with Loopback(plays.good) as server:
            line = connect(server, budget=CappedBudget(cap=0.5))
            run(teach(server, line), schema)
        assert server.requests == []

    def test_bounds_what_a_model_may_write(self, teach, schema):
        with Loopback(plays.good) as server:
            run(teach(server, batch_size=4), schema)
        assert all(plays.body_of(request)["max_tokens"] <= 500 for request in server.requests)


class TestStopping:
    @pytest.mark.parametrize(
        "play", [loopback.silent, loopback.drip, plays.error(500), loopback.slow(0.2, plays.good)]
    )
    def test_the_kill_switch_ends_everything_soon(self, teach, connect, schema, play):
        killed = threading.Event()
        with Loopback(play) as server:
            retries = Retries(attempts=99, base_seconds=30)
            breaker = Breaker(patience_seconds=999)
            line = connect(
                server,
                limits=FOR_EVER,
                stopped=killed.is_set,
                retries=retries,
                breaker=breaker,
            )
            calls = begun(line)
            threading.Timer(0.5, killed.set).start()
            found, seconds = run(teach(server, line), schema, count=500)
            sent = len(calls)
            time.sleep(0.3)
            assert len(calls) == sent > 0
        assert len(found) == 500
        assert seconds < SOON_SECONDS
        assert line.budget.reserved == 0
        assert sum(answer.money for answer in found) == pytest.approx(line.budget.spent)

    def test_a_cancelled_run_ends_while_the_endpoint_is_silent(self, teach, connect, schema):
        class CancelledError(Exception):
            pass

        began = time.monotonic()

        def report(done, total):
            if time.monotonic() - began > 0.3:
                raise CancelledError

        with Loopback(loopback.silent) as server:
            line = connect(server, limits=FOR_EVER)
            with pytest.raises(CancelledError):
                list(ask(teach(server, line), texts(9), schema, report=report))
            assert time.monotonic() - began < SOON_SECONDS
        assert line.budget.reserved == 0

    def test_a_reader_who_leaves_early_stops_the_calls(self, teach, connect, schema):
        with Loopback([plays.good, loopback.silent]) as server:
            line = connect(server, limits=FOR_EVER)
            calls = begun(line)
            answers = ask(teach(server, line), texts(200), schema)
            next(answers)
            began = time.monotonic()
            answers.close()
            assert time.monotonic() - began < SOON_SECONDS
            sent = len(calls)
            time.sleep(0.3)
            assert len(calls) == sent
        assert sent < 20


class TestHostileItems:
    """200 texts that give orders, to a model that obeys them, among 200 ordinary ones."""

    def ask_all(self, teach, connect, schema, hostile, batch_size):
        items = [item for pair in zip(texts(200), hostile, strict=True) for item in pair]
        with Loopback(plays.obedient) as server:
            line = connect(server, budget=CappedBudget(cap=10_000.0))
            teacher = teach(server, line, batch_size=batch_size, text_limit=2000)
            found = {answer.number: answer for answer in ask(teacher, items, schema)}
        return found, line, server

    @pytest.fixture
    def hostile(self):
        from learning.teachers.types import TeacherItem

        return [
            TeacherItem(number=1000 + place, text=text)
            for place, text in enumerate(plays.hostile_texts(200))
        ]

    def test_only_labels_of_the_schema_enter_and_no_other_answer_changes(
        self, teach, connect, schema, hostile
    ):
        found, line, server = self.ask_all(teach, connect, schema, hostile, 1)
        assert len(found) == 400
        for answer in found.values():
            assert (answer.probabilities is None) == bool(answer.abstained)
            if answer.probabilities is not None:
                assert answer.probabilities.shape == (3,)
        for item in texts(200):
            p = found[item.number].probabilities
            assert str(schema.ids[int(np.argmax(p))]) == plays.right_label(
                item.text, ["11", "12", "13"]
            )
        orders = [found[item.number] for item in hostile]
        assert sum(bool(answer.abstained) for answer in orders) > 100
        assert line.budget.reserved == 0
        assert all(len(plays.items_of(request)) == 1 for request in server.requests)

    def test_they_cost_no_more_than_one_repair_each(self, teach, connect, schema, hostile):
        found, _, _ = self.ask_all(teach, connect, schema, hostile, 1)
        ordinary = max(found[item.number].money for item in texts(200))
        assert ordinary == pytest.approx(0.14)
        worst = 4.5  # of one call: its bytes and the most it may write
        assert max(found[item.number].money for item in hostile) <= 2 * worst

    def test_in_one_prompt_with_others_only_labels_of_the_schema_enter(
        self, teach, connect, schema, hostile
    ):
        found, line, server = self.ask_all(teach, connect, schema, hostile, 8)
        assert len(found) == 400
        assert all(a.probabilities is None or a.probabilities.shape == (3,) for a in found.values())
        assert line.budget.reserved == 0
        marks = [key for request in server.requests for key in plays.items_of(request)]
        assert "000000" not in marks[:8]

    def test_a_fence_in_a_text_does_not_end_its_block(self, teach, schema, hostile):
        with Loopback(plays.good) as server:
            list(ask(teach(server, text_limit=30_000), hostile, schema))
        read = [text for request in server.requests for text in plays.items_of(request).values()]
        assert sorted(read) == sorted(item.text for item in hostile)


def test_nothing_that_an_endpoint_says_is_raised_as_its_own_words(connect):
    """A person reads our sentences; what a stranger wrote is neither shown nor logged."""
    from learning.teachers.line import Call

    message = {"error": {"message": "<script>", "code": "evil\ncode", "param": "a b<"}}
    with Loopback(loopback.text(json.dumps(message).encode(), 400)) as server:
        line = connect(server)
        call = Call(path="/x", body=b"{}", tokens=1, worst=0, bill=lambda reply: 0.0)
        with pytest.raises(LearningError) as caught:
            line.ask(call)
    assert str(caught.value) == "The endpoint refused the request (400)."
    assert caught.value.parameter == ""
