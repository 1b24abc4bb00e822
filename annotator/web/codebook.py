"""The codebook's history: what labels and guidelines said before."""

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from annotator.actions.projects import codebook
from annotator.models import Can, CodebookChange
from annotator.web.pages import page, project_for

PER_PAGE = 20


@require_GET
@login_required
def history(request: HttpRequest, project_id: int) -> HttpResponse:
    """Every change with its difference, the latest first."""
    project = project_for(request, project_id, Can.MANAGE)
    rows = CodebookChange.objects.for_user(request.user).filter(project=project)
    ordered = rows.select_related("label", "changed_by").order_by("-pk")
    shown = Paginator(ordered, PER_PAGE).get_page(request.GET.get("page"))
    changes = [(each, codebook.difference(each.before, each.after)) for each in shown]
    context = {"changes": changes, "shown": shown, "tab": "codebook"}
    return page(request, "settings/codebook.html", project, "settings", context)
