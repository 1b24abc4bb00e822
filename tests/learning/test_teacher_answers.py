"""What a model wrote becomes labels of the schema, or nothing."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learning.teachers.answers import label_chances, read_answers
from learning.teachers.prompting import Prompt, write_request
from learning.teachers.said import spread
from learning.teachers.types import LabelText, TeacherItem, TeacherSchema

NAMES = ("refund", "Delivery", "12", "Other", "other")  # ids 11, 12, 13, 14, 15
LABELS = tuple(LabelText(id=11 + n, name=name) for n, name in enumerate(NAMES))
SINGLE = TeacherSchema(labels=LABELS)
MULTI = TeacherSchema(labels=LABELS, multi_label=True)


def request_for(schema=SINGLE, count=2, columns=None):
    items = [TeacherItem(number=n, text="x") for n in range(count)]
    keys = iter([f"{n:06x}" for n in range(count)])
    return write_request(
        Prompt(instructions="x"),
        schema,
        items,
        columns=columns,
        draw=lambda size: next(keys) if size == 3 else "ab" * size,
    )


def read(entries, schema=SINGLE, count=2, columns=None):
    content = entries if isinstance(entries, str) else json.dumps({"answers": entries})
    return read_answers(content, request_for(schema, count, columns), schema)


def label_of(value, **fields):
    reading = read([{"item": "000000", "label": value, **fields}], count=1)
    return reading.answers["000000"].columns if reading.answers else None


class TestLabels:
    @pytest.mark.parametrize(
        ("value", "columns"),
        [
            ("11", (0,)), (11, (0,)), (" 11 ", (0,)), ("refund", (0,)), ("REFUND", (0,)),
            ("delivery", (1,)), ("12", (1,)), (None, None),
        ],
    )  # fmt: skip
    def test_are_named_by_id_or_by_a_name_that_only_one_has(self, value, columns):
        assert label_of(value) == columns

    @pytest.mark.parametrize(
        "value",
        ["99", "other", "", "1", "refun", "refund delivery", 11.0, True, ["11"], {"id": "11"}, "１１",
         "11\x00", "-11", "011", 10**400],
    )  # fmt: skip
    def test_that_are_not_on_the_list_are_no_answer(self, value):
        reading = read([{"item": "000000", "label": value}], count=1)
        assert reading.answers == {}
        assert reading.problem

    def test_that_were_not_offered_are_no_answer(self):
        entry = [{"item": "000000", "label": "11"}]
        assert read(entry, count=1, columns=[1, 2]).answers == {}
        assert read(entry, count=1, columns=[0]).answers["000000"].columns == (0,)

    def test_several_are_all_known_or_none_counts(self):
        several = [{"item": "000000", "labels": ["11", "12", "11"]}]
        assert read(several, MULTI, 1).answers["000000"].columns == (0, 1)
        assert read([{"item": "000000", "labels": []}], MULTI, 1).answers["000000"].columns == ()
        assert read([{"item": "000000", "labels": ["11", "99"]}], MULTI, 1).answers == {}
        assert read([{"item": "000000", "labels": "11"}], MULTI, 1).answers == {}


class TestItems:
    def test_are_matched_by_id_in_any_order(self):
        reading = read([{"item": "000001", "label": "11"}, {"item": "000000", "label": "12"}])
        assert {key: said.columns for key, said in reading.answers.items()} == {
            "000000": (1,),
            "000001": (0,),
        }
        assert reading.problem == ""

    def test_that_were_not_asked_about_are_passed_over(self):
        reading = read([{"item": "000009", "label": "11"}, {"item": "000000", "label": "12"}])
        assert set(reading.answers) == {"000000"}
        assert "not asked about" in reading.problem

    def test_that_are_answered_twice_have_no_answer(self):
        twice = [{"item": "000000", "label": label} for label in ("11", "12", "13")]
        reading = read([*twice, {"item": "000001", "label": "11"}])
        assert set(reading.answers) == {"000001"}

    def test_without_an_id_count_only_where_one_was_asked_about(self):
        assert read([{"label": "11"}], count=1).answers["000000"].columns == (0,)
        assert read([{"label": "11"}], count=2).answers == {}


class TestForms:
    @pytest.mark.parametrize(
        "content",
        [
            '{"answers": [{"item": "000000", "label": "11"}]}',
            '[{"item": "000000", "label": "11"}]',
            '{"item": "000000", "label": "11"}',
            '```json\n{"answers": [{"item": "000000", "label": "11"}]}\n```',
            'Sure [as asked]! {"answers": [{"item": "000000", "label": "11"}]} Hope this helps {you}.',
            '<think>maybe {"label": "12"}</think>{"item": "000000", "label": "11"}',
        ],
    )
    def test_that_models_write_are_read(self, content):
        assert read(content, count=1).answers["000000"].columns == (0,)

    @pytest.mark.parametrize(
        "content",
        ["", "11", '"11"', "null", "{}", "[]", '{"answers": {}}', '{"answers": ["11"]}', "[" * 100_000,
         '{"a":' * 100_000, '{"answers": [{"item": "000000", "label": "11"}]', "x" * 500_000,
         '{"reason": "it says {"label": "11"}", "label": "12"}', '["{"label": "11"}"]',
         "{" + "9" * 10_000, '{"label": ' + "9" * 10_000 + "}"],
    )  # fmt: skip
    def test_that_are_none_give_nothing_and_say_so(self, content):
        reading = read(content, count=1)
        assert reading.answers == {}
        assert reading.problem

    @pytest.mark.parametrize(
        "value", [1.5, -0.1, 80, "0.9", True, None, [1], 10**400, math.nan, math.inf]
    )
    def test_a_wrong_confidence_is_no_confidence(self, value):
        content = json.dumps({"item": "000000", "label": "11", "confidence": value})
        said = read(content, count=1).answers["000000"]
        assert said.confidence is None

    def test_a_reason_is_short_plain_text(self):
        content = json.dumps({"label": "11", "reason": "a\x00\x1b[31m\u202e" + "b" * 9000})
        reason = read(content, count=1).answers["000000"].reason
        assert len(reason) == 1000
        assert reason.startswith("a[31mb")


@given(
    st.text()
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4)
        | st.sampled_from(["11", "000000", "refund"]),
        lambda inner: st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["answers", "item", "label", "labels", "confidence", "reason"]),
            inner,
            max_size=5,
        ),
        max_leaves=20,
    ).map(json.dumps),
    st.sampled_from([SINGLE, MULTI]),
)  # fmt: skip
def test_whatever_is_written_only_labels_on_offer_come_out(content, schema):
    request = request_for(schema, columns=[0, 1])
    reading = read_answers(content, request, schema)
    assert set(reading.answers) <= set(request.keys)
    for said in reading.answers.values():
        assert said.columns is None or set(said.columns) <= {0, 1}
        assert schema.multi_label or said.columns is None or len(said.columns) == 1


class TestLogProbabilities:
    def rows(self, *steps):
        return [
            {
                "token": steps_token,
                "logprob": math.log(shown[steps_token]),
                "top_logprobs": [{"token": t, "logprob": math.log(p)} for t, p in shown.items()],
            }
            for steps_token, shown in steps
        ]

    def said(self, rows, content='{"label": "12"}', schema=SINGLE):
        reading = read_answers(content, request_for(schema, 1), schema, rows)
        return reading.answers["000000"]

    def test_one_token_for_each_label(self):
        rows = self.rows(
            ('{"label": "', {'{"label": "': 1.0}),
            ("12", {"12": 0.6, "11": 0.3, "null": 0.1}),
            ('"}', {'"}': 1.0}),
        )
        np.testing.assert_allclose(self.said(rows).distribution, [1 / 3, 2 / 3, 0, 0, 0], atol=1e-6)

    def test_one_token_for_each_digit(self):
        rows = self.rows(
            ('{"label": ', {'{"label": ': 1.0}),
            ('"1', {'"1': 0.9, "null": 0.1}),
            ("2", {"2": 0.5, "1": 0.25, "5": 0.25}),
            ('"}', {'"}': 1.0}),
        )
        np.testing.assert_allclose(self.said(rows).distribution, [0.25, 0.5, 0, 0, 0.25], atol=1e-6)

    def test_a_label_that_begins_another_keeps_its_own_share(self):
        codes = ['1"', '12"', '2"']
        tokens = self.rows(("1", {"1": 0.8, "2": 0.2}), ('"', {'"': 0.5, "2": 0.5}))
        from learning.teachers.answers import _tokens

        chances = label_chances(_tokens(tokens), 0, codes)
        assert chances == pytest.approx({'1"': 0.4, '12"': 0.4, '2"': 0.2})

    def test_a_token_that_could_begin_several_is_shared(self):
        from learning.teachers.answers import _tokens

        tokens = self.rows(("2", {"1": 0.4, "2": 0.6}), ('"', {'"': 1.0}))
        chances = label_chances(_tokens(tokens), 0, ['11"', '12"', '2"'])
        assert chances == pytest.approx({'11"': 0.2, '12"': 0.2, '2"': 0.6})

    def test_each_of_several_items_has_its_own(self):
        content = (
            '{"answers": [{"item": "000000", "label": "11"}, {"item": "000001", "label": "12"}]}'
        )
        first, second = content.index('11"'), content.index('12"')
        rows = self.rows(
            (content[:first], {content[:first]: 1.0}),
            ("11", {"11": 0.9, "12": 0.1}),
            (content[first + 2 : second], {content[first + 2 : second]: 1.0}),
            ("12", {"12": 0.7, "11": 0.3}),
            (content[second + 2 :], {content[second + 2 :]: 1.0}),
        )
        reading = read_answers(content, request_for(), SINGLE, rows)
        assert reading.answers["000000"].distribution[0] == pytest.approx(0.9)
        assert reading.answers["000001"].distribution[1] == pytest.approx(0.7)

    def test_an_injected_label_in_a_reason_does_not_take_the_place(self):
        content = json.dumps({"reason": 'it says "label": "13"', "label": "12"})
        place = content.rindex('12"')
        rows = self.rows(
            (content[:place], {content[:place]: 1.0}),
            ("12", {"12": 0.75, "11": 0.25}),
            (content[place + 2 :], {content[place + 2 :]: 1.0}),
        )
        assert self.said(rows, content).distribution[1] == pytest.approx(0.75)

    @pytest.mark.parametrize(
        "rows",
        [
            [None], [{"token": 1}], [{"token": "x", "logprob": 3.0}], [{"token": "x", "logprob": "0"}],
            [{"token": '{"label": "12"}', "logprob": math.nan}],
            [{"token": "something else", "logprob": 0.0}],
            [{"token": '{"label": "12"}', "logprob": 0.0, "top_logprobs": [{"token": "y", "logprob": 0}] * 3}],
        ],
    )  # fmt: skip
    def test_that_are_broken_leave_the_label_without_a_distribution(self, rows):
        said = self.said(rows)
        assert said.columns == (1,)
        assert said.distribution is None

    def test_that_contradict_the_label_are_not_believed(self):
        rows = self.rows(
            ('{"label": "', {'{"label": "': 1.0}),
            ("12", {"12": 0.2, "11": 0.8}),
            ('"}', {'"}': 1.0}),
        )
        assert self.said(rows).distribution is None


class TestSpread:
    def test_the_stated_confidence_lies_on_the_label(self):
        np.testing.assert_allclose(spread([1], 0.6, SINGLE), [0.1, 0.6, 0.1, 0.1, 0.1], atol=1e-6)

    @given(st.floats(0, 1), st.integers(0, 4))
    def test_the_label_stays_the_likeliest(self, confidence, column):
        p = spread([column], confidence, SINGLE)
        assert np.argmax(p) == column
        assert p.sum(dtype=np.float64) == pytest.approx(1, abs=1e-5)

    def test_without_one_it_is_certain(self):
        assert spread([2], None, SINGLE).tolist() == [0, 0, 1, 0, 0]
        assert spread([], None, MULTI).tolist() == [0, 0, 0, 0, 0]
