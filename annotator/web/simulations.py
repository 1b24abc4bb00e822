"""“What would have been best?”: replay the labels under several strategies, compare, use the best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_htmx.http import HttpResponseClientRefresh

from annotator.actions.queue import choosing
from annotator.actions.simulations import comparing, replaying, simulations
from annotator.actions.simulations.parting import FEWEST_ITEMS
from annotator.errors import AnnotatorError, ConflictError, NotFoundError
from annotator.models import Can, Project, Simulation, StrategyChange
from annotator.web import overlays
from annotator.web.entrance import refuse
from annotator.web.pages import page, person, project_for
from annotator.web.simulation_form import SimulationForm

if TYPE_CHECKING:
    from learning.comparison import Standing

PER_PAGE = 20
TRAIL = 5
MOST_LAID_OVER = 5
# More bands than these hide one another.
MOST_BANDS = 5
# The interval of two seeds is so wide that a band of it would hide the curves.
FEWEST_BANDED = 3


@require_http_methods(["GET", "POST"])
@never_cache
@login_required
def strategy(request: HttpRequest, project_id: int) -> HttpResponse:
    """The strategy in use, past simulations, and a new one, which a POST starts."""
    project = project_for(request, project_id, Can.MANAGE)
    initial = simulations.suggested(project).to_json()
    form = SimulationForm(
        request.POST or None, request.FILES or None, project=project, initial=initial
    )
    if request.method == "POST" and form.is_valid():
        file = form.cleaned_data.get("file")
        try:
            made = simulations.create_simulation(
                project,
                form.wish(),
                person(request),
                file=file,
                file_name=file.name if file else "",
            )
        except AnnotatorError as error:
            refuse(form, error)
        else:
            return redirect("simulation", project_id=project.pk, simulation_id=made.pk)
    rows = Simulation.objects.filter(project=project).select_related("created_by").order_by("-pk")
    found = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "form": form,
        "tab": "strategy",
        "simulations": found,
        "entries": [(each, _outcome(each)) for each in found],
        "labelled": replaying.labelled_count(project),
        "fewest": FEWEST_ITEMS,
        "refusal": "" if project.task.students else simulations.NOTHING_LEARNS,
        "reads_files": simulations.reads_files(project),
        **_in_use(project),
    }
    status = 422 if form.errors else 200
    return page(request, "simulations/strategy.html", project, "settings", context, status)


def _outcome(simulation: Simulation) -> str:
    if simulation.error:
        return simulation.error
    return comparing.advice_in_words(simulation)


def _in_use(project: Project) -> dict[str, Any]:
    """The strategy in use with its idea, and the trail of its changes."""
    from learning.registry import idea_of
    from learning.selection import STRATEGIES

    changes = StrategyChange.objects.filter(project=project).order_by("-pk")
    trail = list(changes.select_related("changed_by")[:TRAIL])
    last = trail[0] if trail and trail[0].after == project.strategy else None
    return {
        "strategy_name": comparing.name_of(project.strategy),
        "strategy_idea": idea_of(STRATEGIES[project.strategy]),
        "trail": [(each, *map(comparing.name_of, (each.before, each.after))) for each in trail],
        "refused": choosing.refused(project),
        "former_name": comparing.name_of(last.before) if last else "",
    }


def _simulation(request: HttpRequest, project: Project, simulation_id: int) -> Simulation:
    found = Simulation.objects.for_user(request.user).filter(project=project, pk=simulation_id)
    simulation = found.select_related("project", "job", "created_by").first()
    if simulation is None:
        raise NotFoundError("There is no such simulation in this project.")
    return simulation


@require_GET
@never_cache
@login_required
def simulation(request: HttpRequest, project_id: int, simulation_id: int) -> HttpResponse:
    """One simulation: what is recommended, the curves, the figures; others may be laid over it."""
    project = project_for(request, project_id, Can.MANAGE)
    found = _simulation(request, project, simulation_id)
    context = {
        "tab": "strategy",
        "job_error": found.error,
        **_progress(found),
        **_results(found, _laid_over(request, found)),
        **_in_use(project),
    }
    return page(request, "simulations/simulation.html", project, "settings", context)


@require_GET
@never_cache
@login_required
def state(request: HttpRequest, project_id: int, simulation_id: int) -> HttpResponse:
    """How far it is, polled by its page, with the curves again when there is one more of them."""
    project = project_for(request, project_id, Can.MANAGE)
    found = _simulation(request, project, simulation_id)
    if not found.is_live:
        return HttpResponseClientRefresh()
    context = {"project": project, **_progress(found)}
    if request.GET.get("seen") != str(context["finished"]):
        context |= _results(found, []) | {"again": True}
    return render(request, "simulations/state.html", context)


@require_POST
@login_required
def cancel(request: HttpRequest, project_id: int, simulation_id: int) -> HttpResponse:
    """Stop it; the curves that are finished stay."""
    project = project_for(request, project_id, Can.MANAGE)
    found = _simulation(request, project, simulation_id)
    try:
        simulations.cancel(found)
    except ConflictError as late:
        messages.warning(request, late.detail)
    else:
        messages.success(request, "The simulation is cancelled. Finished curves stay.")
    return redirect("simulation", project_id=project.pk, simulation_id=found.pk)


@require_POST
@login_required
def use(request: HttpRequest, project_id: int, simulation_id: int) -> HttpResponse:
    """Write the recommended strategy into the project."""
    project = project_for(request, project_id, Can.MANAGE)
    found = _simulation(request, project, simulation_id)
    try:
        changed = simulations.apply(found, person(request))
    except ConflictError as late:
        messages.warning(request, late.detail)
    else:
        name = comparing.name_of(changed.strategy)
        messages.success(request, f"“{name}” chooses from now on; the queue is being filled anew.")
    return redirect("simulation", project_id=project.pk, simulation_id=found.pk)


@require_POST
@login_required
def take_back(request: HttpRequest, project_id: int) -> HttpResponse:
    """Go back to the strategy before the last change."""
    project = project_for(request, project_id, Can.MANAGE)
    try:
        change = simulations.take_back(project, person(request))
    except ConflictError as late:
        messages.warning(request, late.detail)
    else:
        messages.success(request, f"“{comparing.name_of(change.after)}” chooses again.")
    return redirect("strategy", project_id=project.pk)


def _progress(simulation: Simulation) -> dict[str, Any]:
    finished = simulation.runs.exclude(state="waiting").count()
    return {
        "simulation": simulation,
        "job": simulation.job,
        "finished": finished,
        "all_runs": simulation.runs.count(),
        "seconds_left": comparing.seconds_left(simulation),
    }


def _laid_over(request: HttpRequest, simulation: Simulation) -> list[Simulation]:
    wanted = [
        int(each) for each in request.GET.getlist("with") if each.isdigit() and len(each) < 18
    ]
    return list(comparing.laid_over(simulation, wanted)[:MOST_LAID_OVER])


@dataclass(frozen=True, kw_only=True)
class Row:
    """A strategy in the table of figures."""

    standing: Standing
    name: str
    recommended: bool
    current: bool

    @property
    def reached(self) -> list[tuple[float | None, bool]]:
        """Labels to 90 and 95 % of what all labels give, each with whether the curve begins there."""
        to = self.standing.labels_to
        return [(to.get(share), self.standing.from_the_start(share)) for share in (0.9, 0.95)]

    @property
    def notable(self) -> bool:
        """Whether its band is drawn also where there are many curves."""
        return self.recommended or self.current or self.standing.strategy == comparing.REFERENCE


def _results(simulation: Simulation, others: list[Simulation]) -> dict[str, Any]:
    """The curves and figures of a simulation, and of others that are laid over it."""
    shown = [simulation, *others]
    tables = [(each, _rows(each)) for each in shown]
    few = sum(len(rows) for _, rows in tables) <= MOST_BANDS
    lines = [
        _line(row, mark=f" · {each.pk}" if others else "", banded=few or row.notable)
        for each, rows in tables
        for row in sorted(rows, key=lambda row: _order(row.standing.strategy))
    ]
    measure = comparing.measure_of(simulation)
    return {
        "chart": overlays.chart(
            lines,
            measure=measure,
            full=simulation.full.get("score"),
            description=_description(lines, measure),
        ),
        "tables": [(each, rows, comparing.refused(each)) for each, rows in tables],
        "several": bool(others),
        "few": few,
        "banded": any(line.banded for line in lines),
        "fewest_banded": FEWEST_BANDED,
        "measure": measure,
        "advice": comparing.advice_in_words(simulation),
        "others": list(comparing.laid_over(simulation)),
        "laid_over": {each.pk for each in others},
        "test_width": _test_width(simulation),
    }


def _rows(simulation: Simulation) -> list[Row]:
    advice = simulation.advice
    # One that only stays because nothing is clearly better is in use, no more.
    best = advice and advice["strategy"] == advice["best"]
    recommended = advice["strategy"] if best else None
    return [
        Row(
            standing=one,
            name=comparing.name_of(one.strategy),
            recommended=one.strategy == recommended,
            current=one.strategy == simulation.project.strategy,
        )
        for one in comparing.standings(simulation)
    ]


def _order(strategy: str) -> int:
    """Their place in the registry: a curve keeps its colour while others come and go."""
    from learning.selection import STRATEGIES

    names = list(STRATEGIES)
    return names.index(strategy) if strategy in names else len(names)


def _line(row: Row, *, mark: str, banded: bool) -> overlays.Line:
    standing = row.standing
    return overlays.Line(
        name=row.name + mark,
        short=standing.strategy + mark,
        strong=row.recommended,
        banded=banded and len(standing.seeds) >= FEWEST_BANDED,
        places=[
            overlays.Place(x=count, y=mean.value, low=mean.low, high=mean.high)
            for count, mean in zip(standing.labels, standing.curve, strict=True)
        ],
    )


def _description(lines: list[overlays.Line], measure: str) -> str:
    ends = ", ".join(f"{line.name} {line.places[-1].y * 100:.0f} %" for line in lines)
    return f"{measure[0].upper()}{measure[1:]} by labels for each strategy; at the end: {ends}."


def _test_width(simulation: Simulation) -> float | None:
    """Half of the widest 95 % interval that the test part gives one figure, in points; None where items are
    more than right or wrong."""
    from learning.metrics import wilson

    if simulation.project.task.figure != "accuracy":
        return None

    tested, score = simulation.facts.get("tested"), simulation.full.get("accuracy")
    if not tested or score is None:
        return None
    low, high = wilson(round(score * tested), tested)
    return 50 * (high - low)
