"""Projects with a teacher behind a scripted endpoint, and working off its runs."""

from annotator import jobs
from annotator.actions.teachers import endpoints, teachers
from annotator.models import JobState, Project, Role
from tests.factories import join, make_items, make_project, make_user

KEY = "sk-canary-9f1b"
PRICES = {"price_in": 1000.0, "price_out": 4000.0}  # a thousandth and four for one token


def admin():
    return make_user("ada", is_superuser=True, is_staff=True)


def teacher_on(server, cast, *, items=12, texts=None, project=None, **settings) -> tuple:
    """(project, teacher) of Lea's, on the endpoint of a scripted server."""
    project = project or make_project(cast, audit_share=0)
    if items or texts:
        make_items(project, texts or items)
    endpoint = endpoints.register(admin(), "Loopback", server.base_url)
    params = {"model": "fake", **PRICES, **settings.pop("params", {})}
    teacher = teachers.create_teacher(
        project,
        cast.lea,
        name="Fake",
        plugin="openai",
        endpoint=endpoint,
        key=KEY,
        params=params,
        **{"cap_run": 1_000, **settings},
    )
    from annotator.actions.teachers import budgets

    budgets.change_caps(project, cap_day=10_000, cap_project=10_000)
    return project, teacher


def work_off(run, pieces=50):
    """Do the waiting pieces of a run as the worker would."""
    for _ in range(pieces):
        run.refresh_from_db()
        if run.job is None or run.job.state != JobState.QUEUED:
            break
        jobs.execute(run.job_id)
    run.refresh_from_db()
    return run


def manager_of(project: Project):
    user = make_user("max")
    join(project, user, Role.MANAGER)
    return user
