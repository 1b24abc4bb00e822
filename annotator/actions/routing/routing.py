"""Routing: what the policy's teacher is believed, what it is asked next, what goes to people first.

One job does it, after trainings, after the teacher's runs and when the policy changes. Every step
may be repeated: a killed worker's successor begins again and finds what was done.
"""

from __future__ import annotations

import math
import secrets
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models.functions import Now

from annotator import jobs
from annotator.actions.routing import accepting, budgeting, candidates, doubling, planning
from annotator.actions.routing.accepting import Word
from annotator.actions.routing.planning import Plan
from annotator.actions.teachers import teacher_runs
from annotator.actions.verdicts import settling
from annotator.actions.verdicts.sealing import position as sealed_position
from annotator.errors import ConflictError
from annotator.models import Policy, Project, Routing, TeacherRun

if TYPE_CHECKING:
    import numpy as np

    from annotator.actions.routing.candidates import Sight
    from learning.routing.types import FittedRouter, Seed
    from learning.types import Report

WAIT_SECONDS = 3.0
# After a run that failed, but for want of money, it is tried again by itself.
RETRY_SECONDS = planning.RETRY_SECONDS + 30.0
# A seed this near its size will do: the last few items may wait for somebody for days.
ENOUGH = 0.8
# Routers are compared anew when the seed has grown by this share.
GROWN = 0.1
# Which the back-test cannot compare with sending some to the teacher.
PEOPLE = budgeting.PEOPLE


def wish(project: Project) -> None:
    """Ask for a routing; safe to ask twice."""
    with transaction.atomic():
        key = f"route:{project.pk}"
        jobs.enqueue("route", project=project, key=key, due_in_seconds=WAIT_SECONDS)


def wish_after_training(project: Project) -> None:
    """Ask for a routing where something was answered since the last one.

    Not after a training that the routing itself asked for: each would follow the other for ever.
    """
    if not Policy.objects.filter(pk=project.pk).exclude(teacher=None).exists():
        return
    last = Routing.objects.filter(pk=project.pk).values_list("facts", flat=True).first() or {}
    if last.get("position") != sealed_position(project):
        wish(project)


def enough(policy: Policy) -> int:
    """Double-labelled items from which on the teacher is believed anything."""
    return math.ceil(policy.seed_size * ENOUGH)


def draw(project: Project, policy: Policy) -> list[int]:
    """Draw what the seed lacks; numbers of the drawn items that the teacher is yet to be asked about."""
    import numpy as np

    if policy.teacher is None:
        return []
    with transaction.atomic():
        # Parts two that draw at once: the seed would be twice as large.
        project = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        if doubling.draw_seed(project, policy, np.random.default_rng(secrets.randbits(64))):
            jobs.enqueue("refill", project=project, key=f"refill:{project.pk}")
    return doubling.unasked(project, policy.teacher)


def run_route(run: jobs.Run) -> dict[str, Any]:
    """Believe, ask, and send to people what the policy says; while it is off, take all back."""
    import numpy as np

    project = run.project
    rows = Policy.objects.select_related("teacher__voice", "teacher__endpoint", "teacher__project")
    policy = rows.filter(pk=project.pk).first()
    if policy is None or policy.teacher is None:
        return _take_back(run)
    plan = Plan(position=settling.settle_now(project))
    looking, fitting, choosing = np.random.default_rng(evidence(project, plan)).spawn(3)
    if policy.enabled:
        with run.fence():
            doubling.draw_checks(project, policy)
        tired = teacher_runs.given_up(policy.teacher, policy.resumed_at)
        plan.due = [number for number in draw(project, policy) if number not in tired]
    run.progress(0, 4, "Looking at items and answers")
    sight = candidates.look(run, policy, policy.teacher, looking)
    fitted = None if sight is None else _fit(run, policy, sight, plan, fitting)
    run.progress(1, 4, "Believing the teacher")
    words = _believed(policy, sight, fitted) if policy.enabled else {}
    changed = accepting.bring_in_line(run, words)
    run.progress(2, 4, "Choosing what is asked next")
    if policy.enabled:
        _choose(policy, sight, fitted, plan, choosing)
    run.progress(3, 4, "Writing")
    _keep(run, policy, plan)
    started = _ask(run, policy, plan)
    _follow(project, policy, plan, changed)
    told = {"seed": plan.seed, "people": len(plan.numbers), "trouble": plan.trouble}
    return changed | told | ({} if started is None else {"run": started.pk})


def evidence(project: Project, plan: Plan) -> list[int]:
    """What a routing's draws follow from: the same answers give the same verdicts, however often they
    are routed. Each step has draws of its own, since some are left out where nothing has changed."""
    return [project.pk, plan.position]


def _take_back(run: jobs.Run) -> dict[str, Any]:
    """People only: nothing of a teacher's is a verdict, nothing is sent to anybody."""
    changed = accepting.bring_in_line(run, {})
    with run.fence():
        Routing.objects.filter(pk=run.project.pk).update(numbers=[], reasons=[])
        jobs.enqueue("refill", project=run.project, key=f"refill:{run.project.pk}")
    return changed


def _fit(
    run: jobs.Run, policy: Policy, sight: Sight, plan: Plan, rng: np.random.Generator
) -> FittedRouter | None:
    """The fitted router; None while the seed is too small, and then no word is believed."""
    from learning.errors import NotEnoughDataError
    from learning.routing import ROUTERS

    plan.seed = len(sight.drawn)
    seed = sight.seed()
    if seed.rows:
        error = seed.teacher_error()
        plan.facts["error"] = [error.value, error.low, error.high]
    if plan.seed < enough(policy):
        return None

    def report(done: int, total: int) -> None:
        run.progress(done, total, "Learning where the teacher errs")

    testing, curving, looping, learning = rng.spawn(4)
    plan.router = _router(policy, seed, plan, testing, report)
    router = ROUTERS[plan.router]()
    doubt = planning.doubt_of_seed(policy, sight)
    plan.curve = budgeting.curve(policy, router, seed, doubt, curving, report)
    if plan.curve and not sight.of_marks:  # the loop's opinion is one of labels
        kept = _kept_curve(policy).get("loop") or {}
        plan.curve["loop"] = budgeting.loop(policy, sight.voices(), kept, looping, report)
    try:
        return router.fit(seed, learning, report)
    except NotEnoughDataError as refusal:
        plan.trouble = str(refusal)
        return None


def _router(
    policy: Policy, seed: Seed, plan: Plan, rng: np.random.Generator, report: Report
) -> str:
    """The router that the policy names, else the one that does best on the seed: tested again only
    when the seed has grown, since each test takes several fits of each."""
    from learning.routing import ROUTERS
    from learning.routing.choice import back_test, best

    if policy.router:
        return policy.router
    kept = Routing.objects.filter(pk=policy.pk, teacher=policy.teacher).first()
    tested = {} if kept is None else kept.facts.get("back_test", {})
    if tested.get("best") in ROUTERS and seed.rows <= tested["seed"] * (1 + GROWN):
        plan.facts["back_test"] = tested
        return str(tested["best"])
    tried = {name: ROUTERS[name]() for name in ROUTERS if name != PEOPLE}
    standings = back_test(tried, seed, rng, report)
    chosen = best(standings)
    plan.facts["back_test"] = {
        "best": chosen,
        "seed": seed.rows,
        "standings": [asdict(standing) for standing in standings],
    }
    return chosen


def _kept_curve(policy: Policy) -> dict[str, Any]:
    kept = Routing.objects.filter(pk=policy.pk, teacher=policy.teacher).first()
    return {} if kept is None else kept.curve


def _believed(policy: Policy, sight: Sight | None, fitted: FittedRouter | None) -> dict[int, Word]:
    """Item -> the word that is as likely right as the policy asks.

    One that stands falls when it is less likely right by more than what the draw of the seed does to
    such a chance. Where the student learned the word itself nothing new is known of it: it stays as it
    was, unless the policy asks for more by now.
    """
    if sight is None or fitted is None or policy.router == PEOPLE:
        return {}
    live = set(sight.label_ids)
    rows = sight.word_rows()
    right = (1 - fitted.wrong(sight.items)[rows]) * budgeting.trust(policy)
    standing = accepting.fitting(policy)
    fall_below = policy.confidence - _noise(policy.confidence, len(sight.drawn))
    believed = {} if sight.all_words else dict(standing)
    for row, word, p in zip(rows.tolist(), sight.words, right.tolist(), strict=True):
        before = standing.get(word.item)
        if before is not None and before.annotation != word.annotation:
            before = None
        least = policy.confidence if before is None else fall_below
        if not sight.fair[row] and before is not None:
            believed[word.item] = before
        elif sight.fair[row] and p >= least and set(word.labels) <= live:
            believed[word.item] = Word(annotation=word.annotation, p_right=p)
        else:
            believed.pop(word.item, None)
    return believed


def _noise(confidence: float, seed: int) -> float:
    """The standard error of such a chance, told from so many drawn items."""
    return math.sqrt(confidence * (1 - confidence) / max(seed, 1))


def _choose(
    policy: Policy,
    sight: Sight | None,
    fitted: FittedRouter | None,
    plan: Plan,
    rng: np.random.Generator,
) -> None:
    """Who gets what next. Where the teacher may not be asked, all waits for people as without it."""
    plan.trouble = plan.trouble or planning.hindrance(policy)
    if plan.trouble or policy.router == PEOPLE:
        plan.due = []
        return
    if sight is not None and fitted is not None:
        people = planning.send_to_people(policy, sight, fitted, plan, rng)
        planning.pick_for_teacher(policy, sight, fitted, people, plan, rng)


def _keep(run: jobs.Run, policy: Policy, plan: Plan) -> None:
    with run.fence():
        Routing.objects.update_or_create(
            project=run.project,
            defaults={
                "teacher": policy.teacher,
                "router": plan.router,
                "seed": plan.seed,
                "numbers": plan.numbers,
                "reasons": plan.reasons,
                "curve": plan.curve,
                "facts": plan.facts | {"position": plan.position},
                "computed_at": Now(),
            },
        )
        Policy.objects.filter(pk=policy.pk).update(trouble=plan.trouble[:300])


def _ask(run: jobs.Run, policy: Policy, plan: Plan) -> TeacherRun | None:
    """Start a run about what is due; not while one is at work, whose end asks for a routing."""
    teacher = policy.teacher
    if (
        teacher is None
        or not plan.due
        or TeacherRun.objects.live().filter(teacher=teacher).exists()
    ):
        return None
    try:
        with run.fence():
            # Parts this from a person who switches the policy off at this moment.
            on = Policy.objects.select_for_update(no_key=True).filter(pk=policy.pk, enabled=True)
            if not on.exists():
                return None
            started = teacher_runs.ask_about(run.project, teacher, plan.due)
            Routing.objects.filter(pk=policy.pk).update(run=started)
    except ConflictError as refusal:
        plan.trouble = str(refusal.detail)
        Policy.objects.filter(pk=policy.pk).update(trouble=plan.trouble[:300])
        return None
    return started


def _follow(project: Project, policy: Policy, plan: Plan, changed: dict[str, int]) -> None:
    """Students learn from what changed, and the queue follows; without training it does alone."""
    enough = sum(changed.values()) >= project.retrain_answers
    kind = "train" if enough and not project.training_paused else "refill"
    with transaction.atomic():
        jobs.enqueue(kind, project=project, key=f"{kind}:{project.pk}")
        if policy.enabled and plan.trouble:
            # Under a key of its own, which holds no earlier wish up.
            key = f"route-again:{project.pk}"
            jobs.enqueue("route", project=project, key=key, due_in_seconds=RETRY_SECONDS)
