"""The Celery app: messages are doorbells that carry a job id, and rows are the truth."""

import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_process_init
from django.conf import settings
from kombu.transport import TRANSPORT_ALIASES

from annotator.runtime import child

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotator.settings")

app = Celery("annotator")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["annotator"])
if settings.BROKER_URL.startswith("filesystem:"):
    TRANSPORT_ALIASES["filesystem"] = "annotator.runtime.broker:Transport"
    (settings.BROKER_FOLDER / "messages").mkdir(parents=True, exist_ok=True)
    (settings.BROKER_FOLDER / "control").mkdir(exist_ok=True)


@setup_logging.connect
def keep_our_logging(**_: Any) -> None:
    """Leave the logging alone that Django's settings made."""


@worker_process_init.connect
def die_with_the_worker(**_: Any) -> None:
    """Let no pool process outlive the worker that forked it, however the worker ends."""
    child.die_with_parent()
