"""SIGKILL while the map is drawn: the former map stands, and a successor draws the new one."""

import time

import numpy as np
import pytest

from annotator import jobs
from annotator.actions.encoders.encoding import matrix_folder
from annotator.actions.explore import mapping
from annotator.models import Job
from learning.layouts import LAYOUTS
from tests.annotator.actions.test_mapping import spread
from tests.annotator.web.helpers import draw, encode
from tests.factories import make_items, make_project
from tests.faults.test_killed_jobs import PATIENCE_SECONDS, killed_while_working

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]


def test_a_killed_drawing_leaves_the_former_map_and_is_done_by_its_successor(cast, monkeypatch):
    project = make_project(cast, audit_share=0)
    make_items(project, [f"parcel {n}" for n in range(600)])
    encode(project, spread(range(600)))
    draw(project)
    before = mapping.current_map(project)
    LAYOUTS["tsne"]  # loaded here, so that the killed process spends its time drawing
    job = mapping.wish(project, again=True)
    report = jobs.Run.progress

    def is_drawn_in_part():
        return Job.objects.filter(pk=job.pk, message="Drawing the map", done__gt=0).exists()

    def held(*given):
        """Report, and wait for the kill where it is aimed at."""
        report(*given)
        if is_drawn_in_part():
            time.sleep(PATIENCE_SECONDS)

    monkeypatch.setattr(jobs.Run, "progress", held)
    killed_while_working(job.pk, is_drawn_in_part)
    monkeypatch.undo()
    assert mapping.current_map(project).name == before.name
    jobs.execute(job.pk)
    job.refresh_from_db()
    assert (job.state, job.error, job.attempt) == ("done", "", 2)
    after = mapping.current_map(project)
    assert after.name != before.name
    np.testing.assert_array_equal(after.drawn.xy, before.drawn.xy)  # the same items, the same seed
    assert len(list(matrix_folder(project.pk).glob("*.map"))) == 1
