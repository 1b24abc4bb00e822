"""What a container engine asks: do jobs move, and does the model process answer."""

import socket
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from annotator.models import Job, JobState

pytestmark = pytest.mark.django_db


def waiting(seconds, queue="train"):
    return Job.objects.create(
        kind="encode", queue=queue, due_at=timezone.now() - timedelta(seconds=seconds)
    )


def in_work(host, *, beat_seconds_ago):
    return Job.objects.create(
        kind="encode",
        queue="train",
        state=JobState.RUNNING,
        worker=f"{host}:17",
        heartbeat_at=timezone.now() - timedelta(seconds=beat_seconds_ago),
    )


def test_healthy_while_nothing_waits_long():
    waiting(5)
    waiting(1000, queue="io")
    call_command("healthcheck", "train")


def test_ill_when_a_job_waits_and_none_is_in_work_here():
    waiting(1000)
    in_work("elsewhere", beat_seconds_ago=1)
    with pytest.raises(CommandError, match="wait for more than"):
        call_command("healthcheck", "train")


def test_healthy_while_a_long_training_beats_here():
    waiting(1000)
    in_work(socket.gethostname(), beat_seconds_ago=5)
    call_command("healthcheck", "train")


def test_ill_when_the_job_in_work_no_longer_beats():
    waiting(1000)
    in_work(socket.gethostname(), beat_seconds_ago=300)
    with pytest.raises(CommandError):
        call_command("healthcheck", "train")


def test_ill_without_a_model_process(tmp_path, settings):
    settings.DATA_DIR = tmp_path
    with pytest.raises(CommandError, match="not answering"):
        call_command("healthcheck", "--model")


def test_asks_for_something_to_look_at():
    with pytest.raises(CommandError, match="Name queues"):
        call_command("healthcheck")
