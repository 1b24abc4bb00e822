"""The programs that the supervisor keeps running, and the environment they run in."""

import os
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path

from annotator import environment
from annotator.runtime import processes

CODE = Path(__file__).resolve().parent.parent.parent
WEB_THREADS = 8


@dataclass(frozen=True, kw_only=True)
class Service:
    """One program: how it is started, and which signal it gets when the supervisor is killed."""

    name: str
    program: tuple[str, ...]
    role: str
    nice: int = 0
    dies_by: signal.Signals = signal.SIGKILL
    pass_fds: tuple[int, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)


def every(listener: int) -> list[Service]:
    """List the services, the web server first; it takes over the socket of that number."""
    return [
        _web(listener),
        # Of its own, so that nothing that takes long keeps a student waiting.
        _worker("fast", ["-Q", "fast", "-P", "solo"], nice=5),
        _worker("worker", ["-Q", "io,llm", "-P", "prefork", "-c", _worker_processes()], nice=5),
        # Of its own, so that a large file being encoded keeps no other import or export waiting. It labels
        # files too, which wait for no training then.
        _worker("encode", ["-Q", "encode", "-P", "solo"], nice=5),
        _worker("train", ["-Q", "train", "-P", "solo"], nice=10),
        Service(
            name="model",
            program=(sys.executable, "-m", "annotator.runtime.modelserver"),
            role="model",
            nice=5,
            environment={
                "MODEL_PRELOAD": environment.text("MODEL_PRELOAD", "minilm"),
                "OMP_NUM_THREADS": "1",
            },
        ),
        Service(name="sweeper", program=(sys.executable, "manage.py", "sweep"), role="worker"),
    ]


def surroundings(data_dir: Path, port: int) -> dict[str, str]:
    """Return the environment of every child; the mark is how the next start finds leftovers."""
    ours = {
        "DATA_DIR": str(data_dir),
        "PORT": str(port),
        "DJANGO_SETTINGS_MODULE": "annotator.settings",
        "PYTHONUNBUFFERED": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TOKENIZERS_PARALLELISM": "false",
        processes.MARK: str(data_dir),
    }
    return {**os.environ, **ours}


def _web(listener: int) -> Service:
    workers = environment.text("WEB_WORKERS", str(min(4, max(1, (os.cpu_count() or 2) // 2))))
    return Service(
        name="web",
        program=(
            *(sys.executable, "-m", "gunicorn", "annotator.wsgi", "--bind", f"fd://{listener}"),
            *("--worker-class", "gthread", "--workers", workers, "--threads", str(WEB_THREADS)),
            *("--preload", "--timeout", "120", "--graceful-timeout", "4", "--keep-alive", "30"),
            *("--no-control-socket", "--log-level", "warning"),
        ),
        role="web",
        dies_by=signal.SIGQUIT,
        pass_fds=(listener,),
    )


def _worker(name: str, options: list[str], *, nice: int = 0) -> Service:
    return Service(
        name=name,
        program=(
            *(sys.executable, "-m", "celery", "-A", "annotator", "worker", "-n", f"{name}@%h"),
            *("-l", "WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat"),
            *options,
        ),
        role="worker",
        nice=nice,
    )


def _worker_processes() -> str:
    return environment.text("WORKER_PROCESSES", "1")
