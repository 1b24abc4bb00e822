"""The one Django application."""

from django.apps import AppConfig


class AnnotatorConfig(AppConfig):
    """Registers the application and binds tasks to our Celery app."""

    name = "annotator"
    verbose_name = "Concord"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Make `shared_task` find our Celery app in every process that loads Django."""
        from annotator import celery  # noqa: F401 (it reads the settings)
