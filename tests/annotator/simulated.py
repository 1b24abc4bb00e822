"""Projects whose items all have a verdict and a vector, as a simulation finds them."""

import io

import numpy as np

from annotator import jobs
from annotator.actions.simulations import simulations
from annotator.models import Item, JobState, SimulationRun, Verdict, VerdictSource, VerdictState
from tests.annotator.actions.test_loop import WORDS
from tests.annotator.web.helpers import encode
from tests.contracts.plugins import three_groups
from tests.factories import make_items, make_project

QUICK = {"seeds": 2, "start": 6, "batch": 20, "budget": 46}


def labelled_project(cast, count=240, *, twins=0, **fields):
    """Lea's project in which a student can learn the labels from the vectors.

    The last `twins` items have the contents of the first ones.
    """
    project = make_project(cast, **{"audit_share": 0, "strategy": "margin", **fields})
    texts = [f"ticket number {number}" for number in range(count - twins)]
    make_items(project, texts + texts[:twins])
    points, group = three_groups(count, 4)
    points[count - twins :], group[count - twins :] = points[:twins], group[:twins]
    encode(project, points)
    decide(project, group)
    return project


KINDS = tuple(f"Kind {n}" for n in range(20))


def mostly_easy_project(cast, count=400, **fields):
    """Of ten items seven are nearly the same: who picks at random spends most labels on them."""
    project = make_project(cast, audit_share=0, labels=KINDS, strategy="random", **fields)
    make_items(project, [f"ticket number {number}" for number in range(count)])
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(len(KINDS), 16))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    easy = rng.random(count) < 0.7
    group = np.where(easy, 0, rng.integers(1, len(KINDS), count))
    points = centres[group] + np.where(easy, 0.05, 0.15)[:, None] * rng.normal(size=(count, 16))
    encode(project, points)
    decide(project, group)
    return project


def decide(project, group):
    """A verdict for each item by its group; items without a group have None."""
    labels = list(project.labels.order_by("column"))
    Verdict.objects.bulk_create(
        Verdict(
            item=item,
            project=project,
            labels=[labels[column].pk],
            soft={str(labels[column].pk): 1.0},
            state=VerdictState.DECIDED,
            source=VerdictSource.CONSENSUS,
            position=1,
        )
        for item, column in zip(project.items.order_by("number"), group, strict=True)
        if column is not None
    )


def audited(project, count):
    """Let people have answered the first audit items of the secret order."""
    first = project.items.order_by("order_key").values_list("pk", flat=True)[:count]
    Item.objects.filter(pk__in=list(first)).update(part="evaluation", answers=1)
    return set(project.items.exclude(part="").values_list("number", flat=True))


def wish(*strategies, **changes):
    return simulations.Wish.from_json(
        {"strategies": strategies or ("margin", "random"), **QUICK, **changes}
    )


def start(project, *strategies, user=None, **changes):
    return simulations.create_simulation(project, wish(*strategies, **changes), user)


def work(simulation, pieces=100):
    """Do the waiting pieces of a simulation as the worker would; how many there were."""
    done = 0
    while done < pieces:
        simulation.refresh_from_db()
        if simulation.job is None or simulation.job.state != JobState.QUEUED:
            break
        jobs.execute(simulation.job_id)
        done += 1
    simulation.refresh_from_db()
    return done


def labelled_file(rows=90, header="text,label"):
    """A CSV of tickets about three things."""
    lines = [header]
    for n in range(rows):
        name = list(WORDS)[n % 3]
        words = WORDS[name].split()
        lines.append(f"{words[n % 7]} {words[(n * 3 + 1) % 7]} {words[(n * 5 + 2) % 7]} {n},{name}")
    return io.BytesIO("\n".join(lines).encode())


def finished(simulation):
    """How many of its curves are done."""
    return SimulationRun.objects.filter(simulation=simulation, state="done").count()
