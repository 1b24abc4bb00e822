"""A teacher behind any endpoint that speaks the OpenAI chat API."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, Literal

from learning.errors import ParameterError
from learning.teachers import chat
from learning.teachers.asking import check_items
from learning.teachers.both_ways import (
    as_shown,
    as_turned,
    as_turned_example,
    joined,
    turned,
)
from learning.teachers.chat import Offer, Prices, Shape
from learning.teachers.conversation import Conversation
from learning.teachers.limits import Stopped
from learning.teachers.line import Line
from learning.teachers.listwise import Listwise, reads
from learning.teachers.prompting import Prompt, first_prompt
from learning.teachers.threads import in_threads
from learning.teachers.types import (
    Example,
    Means,
    OfferLabels,
    Show,
    Teacher,
    TeacherAnswer,
    TeacherItem,
    TeacherSchema,
    needed,
)
from learning.types import Report

NOTHING = "The item has neither text nor image."
NO_CANDIDATES = "The item has no two candidates to put in order."
LONG_DRAFT = "The item's draft is longer than the {limit:,} characters that are sent of a text."
TOKENS_PER_LABEL = 16
TOKENS_PER_REASON = 160
# A candidate for a span takes about four labels' worth of tokens; 40 of them are room enough.
LABELS_PER_QUOTED = 160
LABELS_PER_KEY = 4  # the name of a question has a hundred letters at most
LONGEST_INSTRUCTIONS = 20_000

Work = Callable[[Sequence[TeacherItem], Stopped], list[TeacherAnswer]]


@dataclass(frozen=True, kw_only=True)
class OpenAITeacher:
    """Ask a language model for label ids as JSON, over any endpoint that speaks the OpenAI chat API.
    Source: own (OpenAI API reference, chat completions).

    What comes back is checked against the labels; after one repair it is an abstention. Where the
    endpoint offers log-probabilities, the chances of the labels are read from them.

    model: the id that the endpoint knows. batch_size: items in one prompt; above 1 the text of an
        item can sway its neighbours' answers, so raise it only as far as a test of this model allows.
    form: what holds the model to JSON; auto tries the best first. logprobs: auto asks for them until
        they are refused. temperature: 0 for the same answer again, as far as the model allows.
    thinking_tokens: tokens allowed for thinking before an answer. image_tokens: the most that an
        image counts. price_in, price_out: per million tokens.
    instructions: the first paragraph of the prompt, "" for the usual one. confidence, reason: ask for
        them. text_limit: characters of a text that are sent at most.
    demonstrations: solved items shown in a prompt, chosen anew for each. candidates: labels offered
        for an item, 0 for all; a form offers all. Both need what the caller lends; without it they do nothing.
    passes, window: where candidates are put in order, the sequences in which they are shown, and how many
        are shown in one prompt at most (`listwise.Listwise`). Of two passes the confidence is how far
        they agree, and the model is asked for none. Which of two texts is better is asked in both orders,
        with one pass in the item's own alone (`both_ways`).
    text_tokens: where texts are written, the most that one takes.
    """

    needs: ClassVar[tuple[str, ...]] = ("line",)

    model: str = ""
    batch_size: int = 1
    form: Literal["auto", "json_schema", "json_object", "text"] = "auto"
    logprobs: Literal["auto", "no"] = "auto"
    temperature: float = 0.0
    thinking_tokens: int = 0
    image_tokens: int = 3000
    price_in: float = 0.0
    price_out: float = 0.0
    instructions: str = ""
    confidence: bool = True
    reason: bool = False
    text_limit: int = 8000
    demonstrations: int = 0
    candidates: int = 0
    passes: int = 2
    window: int = 20
    text_tokens: int = 2_000

    def __post_init__(self) -> None:
        if not 1 <= self.batch_size <= 100:
            raise ParameterError("A prompt holds 1 to 100 items.")
        if not all(0 <= each <= 1e6 for each in (self.price_in, self.price_out, self.temperature)):
            raise ParameterError("Prices and the temperature lie between 0 and a million.")
        if len(self.instructions) > LONGEST_INSTRUCTIONS:
            raise ParameterError(f"Instructions have {LONGEST_INSTRUCTIONS:,} characters at most.")
        if not (0 <= self.demonstrations <= 50 and 0 <= self.candidates <= 1000):
            raise ParameterError(
                "A prompt shows 0 to 50 solved items and offers up to 1,000 labels."
            )
        if not (1 <= self.passes <= 8 and 2 <= self.window <= 100):
            raise ParameterError("An order takes 1 to 8 passes, in windows of 2 to 100 candidates.")
        if min(self.thinking_tokens, self.image_tokens) < 0 or self.text_limit < 1:
            raise ParameterError("Tokens are not negative, and a text has at least 1 character.")
        if not 1 <= self.text_tokens <= 20_000:
            raise ParameterError("A text that is written takes 1 to 20,000 tokens.")

    def ready(self, means: Means) -> Teacher:
        """The teacher on a line; raises NotEnoughDataError when none was lent or no model is named."""
        line = needed(means.line, "a line to an endpoint", "openai")
        needed(self.model or None, "the id of a model", "openai")
        form: chat.Form = "json_schema" if self.form == "auto" else self.form
        offer = Offer(Shape(form=form, logprobs=self.logprobs == "auto"))
        return _Asking(self, line, offer, means.show, means.offer)

    def prompt(self, schema: TeacherSchema) -> Prompt:
        """What the model is told first."""
        prompt = first_prompt(schema).edited(self.instructions or first_prompt(schema).instructions)
        return replace(
            prompt,
            confidence=self.confidence and not (schema.ranked and self.passes > 1),
            reason=self.reason,
            text_limit=self.text_limit,
        )

    def prompts(self, candidates: int) -> int:
        """How many an item of so many candidates takes."""
        return self.passes * reads(candidates, self.window)

    def passes_of(self, schema: TeacherSchema) -> int:
        """How many times an item is asked about, at least."""
        return self.passes if schema.ranked else min(self.passes, 2) if schema.sides else 1

    def labels_written(self, schema: TeacherSchema) -> int:
        """The most that an answer takes, in labels."""
        if schema.ranked:
            return self.window
        if schema.written:
            return -(-self.text_tokens // TOKENS_PER_LABEL)
        if schema.questions:
            marks = sum(one.marks for one in schema.questions)
            return schema.size + LABELS_PER_KEY * len(schema.questions) + LABELS_PER_QUOTED * marks
        if schema.quoted:
            return LABELS_PER_QUOTED
        return schema.size if schema.multi_label else 1

    def most_tokens_out(self, items: int, labels: int) -> int:
        """The most a model may write about so many items, `labels` labels each."""
        each = 48 + TOKENS_PER_LABEL * labels + (TOKENS_PER_REASON if self.reason else 0)
        return 32 + items * each + self.thinking_tokens


@dataclass(frozen=True)
class _Asking:
    """The teacher on its line."""

    teacher: OpenAITeacher
    line: Line
    offer: Offer
    show: Show | None = None
    offer_columns: OfferLabels | None = None

    def annotate(
        self,
        items: Sequence[TeacherItem],
        schema: TeacherSchema,
        examples: Sequence[Example],
        report: Report,
    ) -> Iterator[TeacherAnswer]:
        """Answers as they come. A failing endpoint, a spent budget or a stopped line abstains, with
        the cause; what `report` raises ends the run within a second or so.
        """
        check_items(items)
        teacher = self.teacher
        labels = teacher.labels_written(schema)
        talk = Conversation(
            line=self.line,
            offer=self.offer,
            model=teacher.model,
            prompt=teacher.prompt(schema),
            schema=schema if schema.questions else as_shown(schema),
            examples=tuple(examples),
            temperature=teacher.temperature,
            prices=Prices(tokens_in=teacher.price_in, tokens_out=teacher.price_out),
            most_out=lambda count: teacher.most_tokens_out(count, labels),
            image_tokens=teacher.image_tokens,
            settings=(teacher.batch_size, teacher.form, teacher.logprobs, teacher.thinking_tokens),
            show=self.show if teacher.demonstrations and not schema.ranked else None,
            offer_columns=self.offer_columns
            if teacher.candidates and not schema.questions
            else None,
        )
        lacking = {item.number: _lacks(item, schema, teacher.text_limit) for item in items}
        something = [item for item in items if not lacking[item.number]]
        batches = list(_batches(something, 1 if schema.ranked else teacher.batch_size))
        for number, told in lacking.items():
            if told:
                yield TeacherAnswer(number=number, abstained=told)
        work: Work = self._ordered(talk) if schema.ranked else talk.answer
        if schema.sides and teacher.passes_of(schema) > 1:
            work = partial(_both_ways, talk)
        yield from in_threads(work, batches, self.line.concurrency, report, len(something))

    def _ordered(self, talk: Conversation) -> Work:
        """Puts the candidates of each item to the model, several times."""
        listwise = Listwise(passes=self.teacher.passes, window=self.teacher.window)

        def work(items: Sequence[TeacherItem], stopped: Stopped) -> list[TeacherAnswer]:
            def ask(item: TeacherItem) -> TeacherAnswer:
                return talk.answer([item], stopped)[0]

            return [listwise.answer(item, ask) for item in items]

        return work


def _both_ways(
    talk: Conversation, items: Sequence[TeacherItem], stopped: Stopped
) -> list[TeacherAnswer]:
    """Asks about each item that has an answer once more, with its second text first."""
    own = talk.answer(items, stopped)
    told = {answer.number for answer in own if answer.probabilities is not None}
    again = [turned(item) for item in items if item.number in told]
    back = _turned_talk(talk)
    other = {each.number: each for each in back.answer(again, stopped)} if again else {}
    return [
        joined(one, other[one.number], talk.schema) if one.number in other else one for one in own
    ]


def _turned_talk(talk: Conversation) -> Conversation:
    """The same about items with their second text first; solved ones are turned with what waits for a side."""
    schema = as_turned(talk.schema)
    if schema == talk.schema:
        return talk
    show = talk.show

    def shown(items: Sequence[TeacherItem]) -> list[Example]:
        own = show([turned(item) for item in items]) if show else ()
        return [as_turned_example(one, talk.schema) for one in own]

    examples = tuple(as_turned_example(one, talk.schema) for one in talk.examples)
    return replace(talk, schema=schema, examples=examples, show=shown if show else None)


def _lacks(item: TeacherItem, schema: TeacherSchema, text_limit: int) -> str:
    """Why the item is not asked about: it has no candidates, two at least and not all blank, or neither a
    text nor an image; or a draft of which the end would be lost. "" where it is."""
    if schema.ranked:
        there = len(item.candidates) > 1 and any(one.strip() for one in item.candidates)
        return "" if there else NO_CANDIDATES
    if item.image is None and not item.whole.strip():
        return NOTHING
    if schema.written and len(item.text_b) > text_limit:
        return LONG_DRAFT.format(limit=text_limit)
    return ""


def _batches(items: Sequence[TeacherItem], size: int) -> Iterator[list[TeacherItem]]:
    """Texts by so many, images one by one."""
    batch: list[TeacherItem] = []
    for item in items:
        if item.image is not None:
            yield [item]
            continue
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
