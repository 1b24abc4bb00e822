"""The one Django application, and which static files of others are taken along."""

from django.apps import AppConfig
from django.contrib.staticfiles.apps import StaticFilesConfig


class AnnotatorConfig(AppConfig):
    """Registers the application and binds tasks to our Celery app."""

    default = True
    name = "annotator"
    verbose_name = "Concord"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Make `shared_task` find our Celery app in every process that loads Django."""
        from annotator import celery  # noqa: F401 (it reads the settings)


class StaticConfig(StaticFilesConfig):
    """Leaves out what no page of ours loads, htmx 4 and its extensions among it."""

    ignore_patterns = [
        *StaticFilesConfig.ignore_patterns,
        "ext",
        "htmx-4*",
        "htmax-4*",
        "rest_framework",
    ]
