"""The end of a project: gone for good, or back, and never half of each."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from annotator import jobs
from annotator.actions.projects import projects, purging
from annotator.errors import NotFoundError
from annotator.models import Job, Project

pytestmark = pytest.mark.django_db(transaction=True)


def purge_of(project):
    projects.delete_project(project)
    Job.objects.filter(kind="purge").update(due_at=project.created_at)
    return jobs.Run(jobs.claim(Job.objects.get(kind="purge").pk))


def test_a_project_that_is_being_purged_is_not_restored(project):
    run = purge_of(project)

    def restore(_):
        try:
            projects.restore_project(project)
        except NotFoundError as refusal:
            return refusal.detail
        finally:
            connection.close()
        return "restored"

    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            assert purging.run_purge(run)["purged"] is True
            told = threads.submit(restore, None)
            with pytest.raises(TimeoutError):
                told.result(timeout=0.5)
        assert "was purged" in told.result()
    assert not Project.objects.exists()


def test_a_project_that_was_restored_is_not_purged(project):
    run = purge_of(project)
    projects.restore_project(project)
    assert purging.run_purge(run) == {"purged": False}
    assert Project.objects.get().archived_at is None
