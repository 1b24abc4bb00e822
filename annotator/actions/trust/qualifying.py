"""May a teacher label? Found by asking it about items that people answered, before it does."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from annotator import jobs
from annotator.actions.queue import auditing
from annotator.actions.teachers import foretelling, identity, lending, teacher_runs, teachers
from annotator.actions.trust import calibrating, testing
from annotator.errors import ConflictError, InvalidError
from annotator.models import (
    ItemKind,
    Project,
    Qualification,
    Replay,
    Teacher,
    TeacherRun,
    TeacherRunKind,
    TeacherRunState,
    User,
)

if TYPE_CHECKING:
    from annotator.actions.trust.testing import Bench, Switch
    from learning.teachers.qualification import Qualification as Found
    from learning.teachers.qualification import Qualify
    from learning.teachers.trial import Share
    from learning.teachers.types import Example, TeacherItem, TeacherSchema
    from learning.teachers.types import Teacher as Ready
    from learning.teachers.types import TeacherAnswer as Said

MOST_GOLD = 100
# Texts without content are no items, so their numbers are none.
NOTHING_FROM = -10

State = Literal[
    "untried", "trying", "qualified", "refused", "changed", "moved", "drifted", "crowded"
]


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Whether a teacher may label under a policy, and why not."""

    state: State
    sentence: str
    qualification: Qualification | None = None

    @property
    def may_label(self) -> bool:
        return self.state == "qualified"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A test before it starts. `gold` items can be asked about, `missing` more are needed; answers
    are asked for `reads` times at most, for money between `low` and `high`. `remedy` tells where the
    missing ones come from, and of new items for which answers do not count; "" where none is missing."""

    gold: int
    missing: int
    reads: int
    low: float
    high: float
    source: str
    remedy: str


def plan(project: Project, teacher: Teacher, most: int = MOST_GOLD) -> Plan:
    """What a test would ask and cost. Raises ConflictError for a project without labels."""
    found = testing.gold(teacher, lending.schema_of(project), _checked(most))
    test = _test(teacher)
    missing = max(test.fewest - len(found), 0)
    reads = test.reads(len(found), len(_nothing(project, teacher)))
    told = _told(teacher, [each.item.number for each in found], reads)
    return Plan(
        gold=len(found),
        missing=missing,
        reads=reads,
        remedy=_remedy(teacher, test) if missing else "",
        **{k: told[k] for k in ("low", "high", "source")},
    )


def start(project: Project, teacher: Teacher, by: User | None, most: int = MOST_GOLD) -> TeacherRun:
    """Test a teacher in the background. Raises ConflictError while too few items have an answer."""
    if not project.task.weighed:
        raise ConflictError(
            "The test holds labels of whole items against each other; there is none of "
            f"{project.task.called} yet. Try it on some items, and read what it said."
        )
    found = testing.gold(teacher, lending.schema_of(project), _checked(most))
    test = _test(teacher)
    if len(found) < test.fewest:
        raise ConflictError(
            f"Whether {teacher.name} may label cannot be told yet: people have answered "
            f"{len(found)} items of the random sample, and {test.fewest} are needed, "
            f"{test.fewest - len(found)} more. {_remedy(teacher, test)}"
        )
    numbers = [each.item.number for each in found]
    reads = test.reads(len(found), len(_nothing(project, teacher)))
    return teacher_runs.start_test(
        project,
        teacher,
        by,
        TeacherRunKind.QUALIFY,
        numbers,
        reads=reads,
        estimate=_told(teacher, numbers, reads),
    )


def _remedy(teacher: Teacher, test: Qualify) -> str:
    """What has to be answered first, where something has, and where answers come from."""
    parts = auditing.fair_parts(teacher.plugin)
    joined = auditing.reach(teacher.project, *parts, wanted=test.fewest).told
    return f"{joined} {auditing.source(teacher.project)}".strip()


def _checked(most: int) -> int:
    if not 30 <= most <= 500:
        raise InvalidError("A teacher is tested on 30 to 500 items.", field="items")
    return most


def _told(teacher: Teacher, numbers: list[int], reads: int) -> dict[str, Any]:
    """The estimate of a test: it may stop after asking each item alone, three times."""
    once = foretelling.estimate(teacher, numbers)
    share = reads / len(numbers) if numbers else 0.0
    return replace(once, items=reads, low=3 * once.low, high=share * once.high).to_json()


def _test(teacher: Teacher) -> Qualify:
    """Prompts of growing size for whoever has prompts; else each item alone."""
    from learning.teachers.qualification import Qualify

    return Qualify() if "batch_size" in teacher.params else Qualify(sizes=(1,))


def _nothing(project: Project, teacher: Teacher) -> list[TeacherItem]:
    from learning.teachers.calibration import content_free_items

    if teacher.plugin not in testing.PROMPTED or project.item_kind == ItemKind.IMAGE:
        return []
    return content_free_items(NOTHING_FROM)


def work(job: jobs.Run, run: TeacherRun, schema: TeacherSchema, switch: Switch) -> dict[str, Any]:
    """Do the test of a run from its beginning; what a killed worker had heard comes from the cache.

    The finding and the run's end are written together.
    """
    import numpy as np

    teacher, project = run.teacher, job.project
    gold = testing.gold_of(teacher, schema, run.numbers)
    bench = testing.Bench(job=job, run=run, switch=switch)
    nothing = _nothing(project, teacher)
    with ExitStack() as stack:
        passes = Passes(bench=bench, attempt=job.job.attempt, stack=stack)
        found = _test(teacher).run(
            passes.make,
            gold,
            schema,
            np.random.default_rng(run.pk),
            nothing=nothing,
            at_once=teacher.concurrency if teacher.plugin in teachers.CALLING else 1,
            report=bench.report,
        )
    bench.check_model()
    with job.fence():
        if not teacher_runs.end(run, TeacherRunState.DONE):
            raise jobs.CancelledError("Cancelled.")
        heard = sum(map(len, passes.heard))  # fewer than foreseen where a size was not safe
        TeacherRun.objects.filter(pk=run.pk).update(answered=heard, reads=heard)
        _keep(run, schema, gold, found, passes)
    calibrating.wish(project)  # what it says of nothing is known now
    return {"qualified": found.qualified, "items_per_prompt": found.items_per_prompt}


@dataclass(kw_only=True)
class Passes:
    """The passes of one test: each asks anew, also about what the one before it asked.

    heard: what was said in each, by item number.
    """

    bench: Bench
    attempt: int
    stack: ExitStack
    heard: list[dict[int, Said]] = field(default_factory=list)

    def make(self, size: int) -> Ready:
        """The teacher for one more pass, with prompts of so many items."""
        run = self.bench.run
        instead = {"batch_size": size} if "batch_size" in run.params else {}
        self.stack.close()  # the connections of the pass before
        way = lending.ready(
            run.teacher,
            run,
            self.attempt,
            self.bench.is_off,
            anew=f"test {run.pk}.{len(self.heard)}",
            instead=instead,
        )
        watched = testing.Watched(teacher=self.stack.enter_context(way), bench=self.bench)
        self.heard.append(watched.heard)
        return watched


def _keep(
    run: TeacherRun,
    schema: TeacherSchema,
    gold: Sequence[Example],
    found: Found,
    passes: Passes,
) -> None:
    from learning.teachers.calibration import prior_of
    from learning.teachers.trial import said_of, truth_of

    alone, silent = passes.heard[0], passes.heard[-1]
    prior = prior_of([said for number, said in silent.items() if number < 0])
    said = {each.item.number: said_of(alone.get(each.item.number), schema) for each in gold}
    Qualification.objects.create(
        project_id=run.project_id,
        teacher=run.teacher,
        run=run,
        identity=identity.identity(run.teacher, schema),
        qualified=found.qualified,
        items_per_prompt=found.items_per_prompt,
        report=_report(found),
        gold={str(each.item.number): sorted(truth_of(each, schema)) for each in gold},
        said={str(number): each if each is None else sorted(each) for number, each in said.items()},
        prior=None
        if prior is None
        else {str(pk): round(float(p), 6) for pk, p in zip(schema.ids, prior, strict=True)},
        model_ids=sorted(passes.bench.models),
    )


def _report(found: Found) -> dict[str, Any]:
    """Everything that a lead may read, as JSON."""

    def told(share: Share | None) -> dict[str, Any] | None:
        return None if share is None else share_json(share)

    return {
        "sentences": list(found.sentences),
        "constant": found.constant,
        "arms": [
            {
                "size": arm.size,
                "right": told(arm.right),
                "abstained": told(arm.abstained),
                "broken": arm.missing + arm.invented + arm.twice,
                "loss": arm.loss,
                "low": arm.low,
                "high": arm.high,
                "verdict": arm.verdict,
                "money_per_right": arm.money_per_right,
                "seconds": arm.seconds,
            }
            for arm in found.arms
        ],
        **{
            name: told(getattr(found, name))
            for name in (
                *("alone", "repeated", "reordered", "relabelled"),
                *("abstained", "abstained_on_nothing"),
            )
        },
    }


def share_json(share: Share) -> dict[str, Any]:
    """A share with its interval, as rows keep it."""
    return {
        "count": share.count,
        "n": share.n,
        "value": share.value,
        "low": share.low,
        "high": share.high,
    }


def state(teacher: Teacher) -> Standing:
    """Whether the teacher, as it is set up now, may label under a policy."""
    name = teacher.voice.name
    latest = Qualification.objects.filter(teacher=teacher).order_by("-pk").first()
    if TeacherRun.objects.live().filter(teacher=teacher, kind=TeacherRunKind.QUALIFY).exists():
        told = f"Whether {name} may label is being found out."
        return Standing(state="trying", sentence=told, qualification=latest)
    if latest is None:
        return Standing(
            state="untried", sentence=f"Nobody has tested whether {name} may label yet."
        )
    found, sentence = _judged(teacher, latest)
    return Standing(state=found, sentence=sentence, qualification=latest)


def _judged(teacher: Teacher, latest: Qualification) -> tuple[State, str]:
    name = teacher.voice.name
    if not teacher.project.live_labels().exists() or latest.identity != identity.identity(
        teacher, lending.schema_of(teacher.project)
    ):
        return (
            "changed",
            f"The settings of {name}, the labels, or how it is asked changed since its test.",
        )
    if latest.moved_to:
        return "moved", f"The model of {name} now calls itself {latest.moved_to}."
    if not latest.qualified:
        least = "marking nothing" if teacher.project.task.quoted else "the commonest answer"
        return "refused", f"{name} was not shown to be better than {least}."
    replay = Replay.objects.filter(qualification=latest).order_by("-pk").first()
    if replay is not None and replay.alarms:
        return "drifted", f"{name} does not answer as it did in its test. {replay.alarms[0]}"
    if teacher.params.get("batch_size", 1) > latest.items_per_prompt:
        return "crowded", (
            f"{name} was safe with {latest.items_per_prompt} in a prompt; its settings say "
            f"{teacher.params['batch_size']}."
        )
    return "qualified", f"{name} may label, with up to {latest.items_per_prompt} in a prompt."
