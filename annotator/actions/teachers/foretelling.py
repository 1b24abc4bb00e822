"""What a run will cost, before anything is paid: an interval, never one figure."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any, cast

from annotator.actions.teachers import lending, teachers
from annotator.models import Teacher, TeacherAnswer

if TYPE_CHECKING:
    from learning.teachers.openai import OpenAITeacher

# Earlier calls that tell the price of the next one; fewer than the least tell nothing.
LATEST, LEAST = 200, 5
PROMPTS = 10
# How many bytes of a prompt make a token, and how many tokens an answer has that says little.
FEWEST_BYTES, MOST_BYTES = 2.0, 5.0
SHORT_ANSWER = 12


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Money for a run: `low` … `high`. source: earlier calls, a few prompts, or no price at all."""

    items: int
    low: float
    high: float
    source: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def estimate(teacher: Teacher, numbers: list[int]) -> Estimate:
    """From what the teacher's calls took as it is set up now, else from prompts about these items.

    A committee costs what its members cost together.
    """
    parts = [_of_one(each, numbers) for each in teachers.asked_of(teacher)]
    sources = {each.source for each in parts if each.source != "free"} or {"free"}
    return Estimate(
        items=len(numbers),
        low=sum(each.low for each in parts),
        high=sum(each.high for each in parts),
        source="prompts" if "prompts" in sources else sources.pop(),
    )


def _of_one(teacher: Teacher, numbers: list[int]) -> Estimate:
    params = teacher.params
    count = len(numbers)
    priced = params.get("price_in", 0) or params.get("price_out", 0)
    if teacher.plugin not in teachers.CALLING or not priced or not count:
        return Estimate(items=count, low=0.0, high=0.0, source="free")
    paid = [
        float(money)
        for money in TeacherAnswer.objects.filter(run__teacher=teacher, run__params=params)
        .filter(tokens_in__gt=0)
        .exclude(flags__contains=["cached"])
        .order_by("-pk")
        .values_list("money", flat=True)[:LATEST]
    ]
    if len(paid) >= LEAST:
        return _from_calls(paid, count)
    return _from_prompts(teacher, numbers)


def _from_calls(paid: list[float], count: int) -> Estimate:
    """The interval at 95 % of a sum of `count` prices to come, given a sample of earlier ones: by
    Student's t, since a few calls tell the spread itself only roughly."""
    from learning.audit.intervals import CONFIDENCE, student_quantile

    middle = count * fmean(paid)
    width = (
        student_quantile(CONFIDENCE, len(paid) - 1)
        * stdev(paid)
        * math.sqrt(count * (1 + count / len(paid)))
    )
    return Estimate(items=count, low=max(middle - width, 0.0), high=middle + width, source="calls")


def _from_prompts(teacher: Teacher, numbers: list[int]) -> Estimate:
    from learning.teachers import TEACHERS
    from learning.teachers.prompting import write_request

    plugin = cast("OpenAITeacher", TEACHERS.create(teacher.plugin, teacher.params))
    schema = lending.schema_of(teacher.project)
    step = max(len(numbers) // PROMPTS, 1)
    items = lending.items_of(teacher.project, numbers[::step][:PROMPTS])
    if not items:
        return Estimate(items=len(numbers), low=0.0, high=0.0, source="free")
    prompt = plugin.prompt(schema)
    sizes, images = [], 0
    for item in items:
        request = write_request(prompt, schema, [item])
        sizes.append(len(request.system.encode()) + len(request.user.encode()))
        images += plugin.image_tokens if item.image is not None else 0
    pictures = images / len(items)
    # Several items share a prompt; its fixed part is then paid once for all of them.
    together = 1 if schema.ranked else plugin.batch_size
    least_in = fmean(sizes) / MOST_BYTES / together
    most_in = fmean(sizes) / FEWEST_BYTES + pictures
    most_out = plugin.most_tokens_out(1, plugin.labels_written(schema))
    least = prompts = plugin.passes_of(schema)
    if schema.ranked:
        prompts = plugin.prompts(max(len(item.candidates) for item in items))
    cost_in, cost_out = plugin.price_in / 1e6, plugin.price_out / 1e6
    return Estimate(
        items=len(numbers),
        low=len(numbers) * least * (least_in * cost_in + SHORT_ANSWER * cost_out),
        high=len(numbers) * prompts * (most_in * cost_in + most_out * cost_out),
        source="prompts",
    )
