"""One batch of items put to a chat endpoint: asked once, repaired once, and then an abstention."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learning.errors import BudgetSpentError, EndpointError, RunStoppedError
from learning.spans import Span
from learning.teachers import chat
from learning.teachers.answers import read_answers
from learning.teachers.chat import Message, Offer, Prices, Usage
from learning.teachers.limits import SLICE_SECONDS, Kept, Stopped, check_stopped, wait_for
from learning.teachers.line import Answered, Call, Line, Reply
from learning.teachers.prompting import Prompt, Request, answer_format, write_request
from learning.teachers.said import Said, spread
from learning.teachers.types import (
    FAULT,
    Example,
    OfferLabels,
    Show,
    TeacherAnswer,
    TeacherItem,
    TeacherSchema,
)

BYTES_PER_TOKEN = 3.0  # a cautious guess, for the rate only
SHAPE_STATUSES = {400, 422, 501}
# What an endpoint, or the line to it, refuses of one item and not of the next
ITEM_CODES = {
    "content_filter", "context_length_exceeded", "request_too_large", "string_above_max_length",
}  # fmt: skip

COULD_NOT_TELL = "The model could not tell."

_REPAIR = (
    "Your last answer could not be used: {problem} Answer with the JSON described above and nothing "
    "else, one entry for every item, "
)
_LABELS, _ORDER = "label ids from the list only.", "every candidate's number once and no other."
_TEXT = "with the whole text, or null."


@dataclass
class _Tally:
    """What the calls for one batch took, and what was noticed on the way.

    fault: what is missing is so because of the way to the model, not because of the items.
    """

    tokens_in: int = 0
    tokens_out: int = 0
    money: float = 0.0
    seconds: float = 0.0
    model: str = ""
    fault: bool = False
    flags: set[str] = field(default_factory=set)
    cut: set[int] = field(default_factory=set)
    repaired: set[int] = field(default_factory=set)

    def note(self, answered: Answered, usage: Usage) -> None:
        """Add one good call; a claim of impossible tokens is marked."""
        self.money += answered.money
        self.seconds += answered.reply.seconds
        self.tokens_in += usage.tokens_in
        self.tokens_out += usage.tokens_out
        if not usage.believed:
            self.flags.add("usage")


@dataclass(frozen=True, kw_only=True)
class _Limit:
    """The most tokens that one call can take. rate: what it is likely to, for the rates."""

    tokens_in: int
    tokens_out: int

    @property
    def rate(self) -> float:
        return self.tokens_in / BYTES_PER_TOKEN + self.tokens_out


@dataclass(frozen=True, kw_only=True)
class Conversation:
    """How the items of one run are put to one model.

    show, offer_columns: solved items and label columns for the items of one prompt; without them all prompts
    show `examples` and offer every label. most_out: the most tokens that may be written about so many
    items. settings: what else sets an
    answer apart in the cache.
    """

    line: Line
    offer: Offer
    model: str
    prompt: Prompt
    schema: TeacherSchema
    examples: tuple[Example, ...]
    temperature: float
    prices: Prices
    most_out: Callable[[int], int]
    image_tokens: int
    settings: tuple[Any, ...] = ()
    show: Show | None = None
    offer_columns: OfferLabels | None = None

    def answer(self, items: Sequence[TeacherItem], stopped: Stopped) -> list[TeacherAnswer]:
        """One answer or abstention for each item; what was answered before is not asked again."""
        cache = self.line.cache
        if cache is None:
            return list(self._ask(items, stopped))
        answers: list[TeacherAnswer] = []
        mine: list[TeacherItem] = []
        later: list[TeacherItem] = []
        keys = {item.number: self._key(item) for item in items}
        for item in items:
            known = cache.begin(keys[item.number])
            if isinstance(known, Kept):
                answers.append(_unpacked(item.number, known.answer))
            else:
                (mine if known else later).append(item)
        answers += self._claimed(mine, keys, stopped)
        for item in later:
            answers.append(self._after_another(item, keys, stopped))
        return answers

    def _claimed(
        self, items: Sequence[TeacherItem], keys: dict[int, str], stopped: Stopped
    ) -> list[TeacherAnswer]:
        """Ask about items whose keys are claimed, and end every claim whatever happens."""
        if not items or self.line.cache is None:
            return []
        fresh: dict[int, TeacherAnswer] = {}
        try:
            fresh = {answer.number: answer for answer in self._ask(items, stopped)}
        finally:
            for item in items:
                self.line.cache.finish(keys[item.number], _packed(fresh.get(item.number)))
        return list(fresh.values())

    def _after_another(
        self, item: TeacherItem, keys: dict[int, str], stopped: Stopped
    ) -> TeacherAnswer:
        """Wait for whoever asks the same now; take their answer, or ask when they got none."""
        while self.line.cache is not None:
            known = self.line.cache.begin(keys[item.number])
            if isinstance(known, Kept):
                return _unpacked(item.number, known.answer)
            if known:
                return self._claimed([item], keys, stopped)[0]
            try:
                wait_for(SLICE_SECONDS, lambda: stopped() or self.line.stopped())
            except RunStoppedError as error:
                return TeacherAnswer(number=item.number, abstained=str(error))
        return next(self._ask([item], stopped))

    def _key(self, item: TeacherItem) -> str:
        alone = self._request([item])
        said = [self.model, self.temperature, *self.settings, alone.fingerprint]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()

    def _request(self, items: Sequence[TeacherItem]) -> Request:
        examples = (*self.examples, *(self.show(items) if self.show else ()))
        columns = self.offer_columns(items) if self.offer_columns else None
        return write_request(self.prompt, self.schema, items, examples, columns=columns)

    def _ask(self, items: Sequence[TeacherItem], stopped: Stopped) -> Iterator[TeacherAnswer]:
        tally = _Tally()
        said: dict[int, Said] = {}
        why = self._twice(items, said, tally, stopped)
        for place, item in enumerate(items):
            yield self._answer(item, said.get(item.number), why, tally, place, len(items))

    def _twice(
        self,
        items: Sequence[TeacherItem],
        said: dict[int, Said],
        tally: _Tally,
        stopped: Stopped,
    ) -> str:
        """Fill `said`; returns why items are missing in it, "" when none is."""
        problem = ""
        try:
            check_stopped(stopped)
            for repairing in (False, True):
                left = [item for item in items if item.number not in said]
                found, problem, final = self._once(left, problem, tally, stopped)
                said |= found
                tally.repaired = set(found) if repairing else set()
                if final or not problem:
                    break
        except (EndpointError, BudgetSpentError, RunStoppedError) as error:
            tally.money += error.money
            tally.fault = getattr(error, "code", "") not in ITEM_CODES
            return str(error)
        return problem

    def _once(
        self, items: Sequence[TeacherItem], problem: str, tally: _Tally, stopped: Stopped
    ) -> tuple[dict[int, Said], str, bool]:
        """Valid answers by number, what is wrong with the rest, and whether to leave it at that."""
        request = self._request(items)
        tally.cut |= request.cut
        message = self._message(items, request, problem, tally, stopped)
        if message.refused:
            return {}, message.refused, True
        texts = {item.number: item.text[: self.prompt.text_limit] for item in items}
        reading = read_answers(message.content, request, self.schema, message.tokens, texts)
        found = {request.keys[key]: said for key, said in reading.answers.items()}
        if reading.problem and message.cut:
            return found, "The answer was cut off for its length.", False
        return found, reading.problem, False

    def _message(
        self,
        items: Sequence[TeacherItem],
        request: Request,
        problem: str,
        tally: _Tally,
        stopped: Stopped,
    ) -> Message:
        """Send the prompt in the best shape that the endpoint takes, and note what it took."""
        system = request.system
        if problem:
            system += "\n\n" + _REPAIR.format(problem=problem) + _repaired(self.schema)
        most = max(request.counts.values(), default=0)
        form = answer_format(self.prompt, self.schema, request.columns, most)
        pictures = [item for item in items if item.image is not None]
        limit = _Limit(
            tokens_in=chat.most_tokens_in(
                system, request.user, form, self.image_tokens * len(pictures)
            ),
            tokens_out=self.most_out(len(items)),
        )

        def body() -> bytes:
            return chat.body_of(
                self.offer.shape,
                model=self.model,
                system=system,
                user=request.user,
                images=pictures,
                answer_format=form,
                most_tokens=limit.tokens_out,
                temperature=self.temperature,
            )

        with self.offer.finding(lambda: stopped() or self.line.stopped()):
            answered = self._sent(body, limit, tally, stopped)
        usage = chat.usage_of(answered.reply, limit.tokens_in, limit.tokens_out)
        self.line.bucket.give_back(max(limit.rate - usage.tokens_in - usage.tokens_out, 0.0))
        tally.note(answered, usage)
        message = chat.message_of(answered.reply)
        if self.offer.is_new_model(message.model):
            tally.flags.add("model-changed")
        tally.model = message.model or tally.model
        return message

    def _sent(
        self, body: Callable[[], bytes], limit: _Limit, tally: _Tally, stopped: Stopped
    ) -> Answered:
        """The reply to the first shape that is not refused."""

        def bill(reply: Reply) -> float:
            usage = chat.usage_of(reply, limit.tokens_in, limit.tokens_out)
            return self.prices.of(usage.tokens_in, usage.tokens_out)

        worst = self.prices.of(limit.tokens_in, limit.tokens_out)
        while True:
            call = Call(path=chat.PATH, body=body(), tokens=limit.rate, worst=worst, bill=bill)
            try:
                answered = self.line.ask(call, stopped)
            except EndpointError as error:
                if not self._other_shape(error):
                    raise
                tally.money += error.money
            else:
                self.offer.taken()
                return answered

    def _other_shape(self, error: EndpointError) -> bool:
        """Tell whether to ask again in another shape; gives an endpoint up that takes none."""
        if error.status not in SHAPE_STATUSES or error.code in ITEM_CODES:
            return False
        if self.offer.refused(error.parameter):
            return True
        if self.offer.hopeless:
            self.line.breaker.give_up(f"{error} It takes none of our requests.")
        return False

    def _answer(
        self, item: TeacherItem, said: Said | None, why: str, tally: _Tally, place: int, of: int
    ) -> TeacherAnswer:
        """The item's answer with its share of what the batch took."""
        flags = set(tally.flags)
        flags |= {"repaired"} if item.number in tally.repaired else set()
        flags |= {"text-cut"} if item.number in tally.cut else set()
        flags |= {FAULT} if tally.fault and said is None else set()
        p = None if said is None else _chances(said, self.schema)
        if said is not None and p is None:
            why = COULD_NOT_TELL
        return TeacherAnswer(
            number=item.number,
            probabilities=p,
            spans=None if said is None else said.spans,
            dropped=0 if said is None else said.dropped,
            order=None if said is None else said.order,
            text=None if said is None else said.text,
            confidence=_confidence(said, self.schema),
            reason="" if said is None else said.reason,
            abstained="" if p is not None else why,
            model=tally.model,
            tokens_in=_share(tally.tokens_in, place, of),
            tokens_out=_share(tally.tokens_out, place, of),
            money=tally.money / of,
            seconds=tally.seconds / of,
            flags=tuple(sorted(flags)),
        )


def _repaired(schema: TeacherSchema) -> str:
    return _TEXT if schema.written else _ORDER if schema.ranked else _LABELS


def _share(whole: int, place: int, of: int) -> int:
    """One of `of` near-equal parts that add up to the whole."""
    return whole * (place + 1) // of - whole * place // of


def _chances(said: Said, schema: TeacherSchema) -> NDArray[np.float32] | None:
    """(k,): from log-probabilities, else as far as the model says that it is sure."""
    if said.columns is None or said.distribution is not None:
        return said.distribution
    return spread(said.columns, said.confidence, schema)


def _confidence(said: Said | None, schema: TeacherSchema) -> float | None:
    """What the model says; where it says nothing, the chance of its label if that is known."""
    if said is None or said.columns is None:
        return None
    if schema.multi_label:
        return said.confidence
    if said.confidence is None and said.distribution is not None:
        return min(float(said.distribution.max()), 1.0)
    return said.confidence


def _packed(answer: TeacherAnswer | None) -> dict[str, Any] | None:
    """What is kept of an answer: not an abstention whose cause may be gone tomorrow."""
    if answer is None or (answer.probabilities is None and answer.abstained != COULD_NOT_TELL):
        return None
    p = answer.probabilities
    return {
        "probabilities": None if p is None else [float(chance) for chance in p],
        "spans": None if answer.spans is None else [[*span, p] for span, p in answer.spans],
        "dropped": answer.dropped,
        "order": answer.order,
        "text": answer.text,
        "confidence": answer.confidence,
        "reason": answer.reason,
        "model": answer.model,
    }


def _unpacked(number: int, kept: dict[str, Any]) -> TeacherAnswer:
    p = kept["probabilities"]
    spans = kept.get("spans")
    return TeacherAnswer(
        number=number,
        probabilities=None if p is None else np.asarray(p, dtype=np.float32),
        spans=None if spans is None else tuple((Span(*span), sure) for *span, sure in spans),
        dropped=kept.get("dropped", 0),
        order=None if kept.get("order") is None else tuple(map(tuple, kept["order"])),
        text=kept.get("text"),
        confidence=kept["confidence"],
        reason=kept["reason"],
        abstained=COULD_NOT_TELL if p is None else "",
        model=kept["model"],
        flags=("cached",),
    )
