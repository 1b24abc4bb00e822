"""The teacher behind a chat endpoint, over real HTTP, with an endpoint that works."""

import json
import threading
import time

import numpy as np
import pytest

from learning.errors import NotEnoughDataError, ParameterError
from learning.teachers.asking import ask
from learning.teachers.limits import MemoryCache
from learning.teachers.openai import OpenAITeacher
from learning.teachers.types import Example, Means, TeacherItem, TeacherSchema
from tests.llm import loopback, plays
from tests.llm.conftest import texts
from tests.llm.loopback import Loopback


def by_number(answers):
    return {answer.number: answer for answer in answers}


def best(answer, schema):
    return str(schema.ids[int(np.argmax(answer.probabilities))])


class TestAnswers:
    @pytest.mark.parametrize("batch_size", [1, 4, 7])
    def test_every_item_gets_the_models_label_once(self, teach, schema, batch_size):
        with Loopback(plays.good) as server:
            found = by_number(ask(teach(server, batch_size=batch_size), texts(20), schema))
        assert set(found) == {item.number for item in texts(20)}
        for item in texts(20):
            answer = found[item.number]
            assert best(answer, schema) == plays.right_label(item.text, ["11", "12", "13"])
            assert answer.confidence == pytest.approx(0.9)
            assert answer.probabilities.max() == pytest.approx(0.9)
            assert (answer.abstained, answer.model) == ("", plays.MODEL)
        assert len(server.requests) == -(-20 // batch_size)

    def test_tokens_money_and_seconds_add_up_to_what_the_endpoint_claims(
        self, teach, connect, schema
    ):
        with Loopback(plays.good) as server:
            line = connect(server)
            found = list(ask(teach(server, line, batch_size=3), texts(8), schema))
        assert sum(answer.tokens_in for answer in found) == 3 * 100
        assert sum(answer.tokens_out for answer in found) == 3 * 10
        assert sum(answer.money for answer in found) == pytest.approx(3 * (0.1 + 0.04))
        assert line.budget.spent == pytest.approx(3 * (0.1 + 0.04))
        assert line.budget.reserved == 0
        assert all(answer.seconds > 0 for answer in found)

    def test_item_texts_and_examples_are_in_no_system_part(self, teach, schema):
        example = Example(item=TeacherItem(number=1, text="SECRET EXAMPLE"), labels=(12,))
        with Loopback(plays.good) as server:
            list(ask(teach(server, batch_size=2), texts(6), schema, [example]))
        for request in server.requests:
            assert "parcel" not in plays.system_of(request)
            assert "SECRET" not in plays.system_of(request)
            assert "SECRET EXAMPLE" in plays.user_of(request)
            assert len(plays.items_of(request)) == 2

    def test_log_probabilities_become_the_distribution(self, teach, schema):
        with Loopback(
            plays.with_logprobs({"11": 0.2, "12": 0.5, "13": 0.1, "null": 0.2})
        ) as server:
            (answer,) = ask(teach(server), texts(1), schema)
        np.testing.assert_allclose(answer.probabilities, [0.25, 0.625, 0.125], atol=1e-5)
        assert answer.confidence == pytest.approx(0.625)
        assert plays.body_of(server.requests[0])["top_logprobs"] == 20

    def test_null_is_the_models_own_abstention_and_costs_no_repair(self, teach, schema):
        with Loopback(plays.with_label(None)) as server:
            (answer,) = ask(teach(server), texts(1), schema)
        assert answer.abstained == "The model could not tell."
        assert answer.money > 0
        assert len(server.requests) == 1

    def test_several_labels_or_none(self, teach, schema):
        several = TeacherSchema(labels=schema.labels, multi_label=True)

        def label(request):
            labels = iter([["11", "13"], [], None])
            keys = plays.items_of(request)
            return json.dumps({"answers": [{"item": k, "labels": next(labels)} for k in keys]})

        with Loopback(plays.says(label)) as server:
            found = by_number(ask(teach(server, batch_size=3), texts(3), several))
        assert found[100].probabilities.tolist() == [1, 0, 1]
        assert found[101].probabilities.tolist() == [0, 0, 0]
        assert found[102].probabilities is None

    def test_an_image_goes_along_as_data(self, teach, schema):
        png = b"\x89PNG\r\n\x1a\n123"
        items = [TeacherItem(number=n, text="", image=png) for n in (1, 2)]
        with Loopback(plays.with_label("12")) as server:
            found = list(ask(teach(server, batch_size=8), items, schema))
        assert [best(answer, schema) for answer in found] == ["12", "12"]
        content = plays.body_of(server.requests[0])["messages"][1]["content"]
        assert content[1]["image_url"]["url"].startswith("data:image/png;base64,iVBOR")

    def test_another_model_than_before_is_marked(self, teach, schema):
        other = plays.says(plays.good_content, model="fake-2")
        with Loopback([plays.good, other]) as server:
            found = list(ask(teach(server), texts(3), schema))
        assert sorted(answer.flags for answer in found)[0] == ()
        assert any("model-changed" in answer.flags for answer in found)

    def test_the_prompts_own_words_are_sent_first(self, teach, schema):
        with Loopback(plays.good) as server:
            list(ask(teach(server, instructions="Be a judge."), texts(1), schema))
        assert plays.system_of(server.requests[0]).startswith("Be a judge.\n")

    def test_without_a_model_or_a_line_it_is_not_ready(self):
        with pytest.raises(NotEnoughDataError, match="line"):
            OpenAITeacher(model="m").ready(Means())
        with pytest.raises(ParameterError):
            OpenAITeacher(model="m", batch_size=0)


class TestRepair:
    def test_one_bad_answer_is_asked_again_with_what_was_wrong(self, teach, schema):
        with Loopback([plays.with_label("99"), plays.good]) as server:
            (answer,) = ask(teach(server), texts(1), schema)
        assert best(answer, schema) == plays.right_label(texts(1)[0].text, ["11", "12", "13"])
        assert answer.flags == ("repaired",)
        assert (answer.tokens_in, answer.tokens_out) == (200, 20)
        assert "a label that is not on the list" in plays.system_of(server.requests[1])

    def test_only_the_items_without_an_answer_are_asked_again(self, teach, schema):
        with Loopback([plays.changed(lambda answers, _: answers[:2]), plays.good]) as server:
            found = by_number(ask(teach(server, batch_size=5), texts(5), schema))
        assert len(plays.items_of(server.requests[1])) == 3
        assert [bool(found[n].flags) for n in range(100, 105)] == [False, False, True, True, True]

    def test_a_second_bad_answer_is_an_abstention_that_says_why(self, teach, schema):
        with Loopback(plays.with_label("99")) as server:
            (answer,) = ask(teach(server), texts(1), schema)
        assert answer.probabilities is None
        assert answer.abstained == "The answer held a label that is not on the list."
        assert len(server.requests) == 2

    def test_a_refusal_is_not_asked_again(self, teach, schema):
        message = {"role": "assistant", "content": None, "refusal": "I cannot"}
        with Loopback(plays.says(lambda _: "", message=message)) as server:
            (answer,) = ask(teach(server), texts(1), schema)
        assert answer.abstained == "The model refused to answer."
        assert len(server.requests) == 1


class TestWhatAnEndpointTakes:
    """Compatible endpoints take different parameters; the first calls find out which."""

    @pytest.mark.parametrize(
        "refused",
        [
            ("logprobs",),
            ("json_schema",),
            ("json_schema", "json_object"),
            ("max_tokens",),
            ("temperature", "max_tokens", "logprobs"),
            ("json_schema", "json_object", "logprobs", "temperature", "max_tokens"),
        ],
    )
    @pytest.mark.parametrize("named", [True, False])
    def test_is_found_once_and_then_kept(self, teach, schema, refused, named):
        with Loopback(plays.picky(*refused, named=named)) as server:
            teacher = teach(server)
            first = list(ask(teacher, texts(1), schema))
            calls = len(server.requests)
            later = list(ask(teacher, texts(10), schema))
        assert not [answer.abstained for answer in first + later if answer.abstained]
        assert calls <= 7
        assert len(server.requests) == calls + 10

    def test_that_takes_nothing_is_given_up_soon(self, teach, schema):
        with Loopback(plays.error(400)) as server:
            found = list(ask(teach(server), texts(200), schema))
        assert all("refused the request (400)" in answer.abstained for answer in found)
        assert "It takes none of our requests." in found[-1].abstained
        assert len(server.requests) <= 18

    def test_refuses_one_long_item_only(self, teach, schema):
        long = plays.error(400, code="context_length_exceeded")

        def play(request, wire):
            (long if "parcel 105" in plays.user_of(request) else plays.good)(request, wire)

        with Loopback(play) as server:
            found = by_number(ask(teach(server), texts(10), schema))
        assert found[105].abstained == (
            "The endpoint refused the request (400, context_length_exceeded)."
        )
        assert sum(bool(answer.abstained) for answer in found.values()) == 1
        assert len(server.requests) == 10


class TestCache:
    def test_the_same_question_is_not_paid_twice(self, teach, connect, schema):
        with Loopback(plays.good) as server:
            line = connect(server, cache=MemoryCache())
            first = by_number(ask(teach(server, line), texts(5), schema))
            again = by_number(ask(teach(server, line), texts(8), schema))
        assert len(server.requests) == 8
        assert again[100].flags == ("cached",)
        assert (again[100].money, again[100].tokens_in) == (0, 0)
        np.testing.assert_array_equal(again[100].probabilities, first[100].probabilities)

    @pytest.mark.parametrize(
        "change", [{"model": "other"}, {"temperature": 1.0}, {"instructions": "Be a judge."}]
    )
    def test_another_model_or_prompt_is_another_question(self, teach, connect, schema, change):
        with Loopback(plays.good) as server:
            line = connect(server, cache=MemoryCache())
            list(ask(teach(server, line), texts(2), schema))
            list(ask(teach(server, line, **change), texts(2), schema))
        assert len(server.requests) == 4

    def test_equal_texts_at_once_are_asked_once(self, teach, connect, schema):
        items = [TeacherItem(number=n, text="the same") for n in range(12)]
        with Loopback(loopback.slow(0.2, plays.good)) as server:
            line = connect(server, cache=MemoryCache(), concurrency=6)
            found = list(ask(teach(server, line), items, schema))
        assert len(server.requests) == 1
        assert len({best(answer, schema) for answer in found}) == 1
        assert sum(answer.flags == () for answer in found) == 1

    def test_an_abstention_for_a_fault_is_not_kept(self, teach, connect, schema):
        with Loopback([*[plays.with_label("99")] * 2, plays.good]) as server:
            line = connect(server, cache=MemoryCache())
            (first,) = ask(teach(server, line), texts(1), schema)
            (second,) = ask(teach(server, line), texts(1), schema)
        assert first.abstained
        assert not second.abstained

    def test_whoever_waits_for_another_asks_when_that_one_fails(self, teach, connect, schema):
        items = [TeacherItem(number=n, text="the same") for n in range(3)]
        with Loopback([*[plays.with_label("99")] * 2, plays.good]) as server:
            line = connect(server, cache=MemoryCache())
            found = list(ask(teach(server, line), items, schema))
        assert sum(bool(answer.abstained) for answer in found) == 1


class TestConcurrency:
    def test_calls_at_once_reach_the_lines_limit_and_do_not_pass_it(self, teach, connect, schema):
        def together(request, wire):
            """Held until as many are under way as may be, and a little longer for one too many.

            Not the first ones: others wait to hear from them what the endpoint understands.
            """
            ends = time.monotonic() + 30
            while len(server.requests) > 10 and server.most_running < 5 and time.monotonic() < ends:
                wire.pause(0.01)
            loopback.slow(0.1, plays.good)(request, wire)

        with Loopback(together) as server:
            line = connect(server, concurrency=5)
            teachers = [teach(server, line) for _ in range(2)]
            threads = [
                threading.Thread(target=lambda t=t: list(ask(t, texts(15), schema)))
                for t in teachers
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert server.most_running == 5
        assert len(server.requests) == 30
