"""The versions of a teacher's prompt: one for every change of what a language model is told."""

from __future__ import annotations

from annotator.models import Teacher, TeacherPrompt, User

KIND = "openai"
# The parameters that make the prompt.
SETTINGS = ("instructions", "confidence", "reason", "demonstrations", "candidates", "text_limit")


def keep(teacher: Teacher, by: User | None) -> TeacherPrompt | None:
    """Count a version up when the prompt's settings changed; the teacher's row is locked or fresh."""
    if teacher.plugin != KIND:
        return None
    now = {name: teacher.params[name] for name in SETTINGS}
    last = latest(teacher)
    if last is not None and last.settings == now:
        return last
    version = last.version + 1 if last else 1
    return TeacherPrompt.objects.create(
        teacher=teacher, version=version, settings=now, created_by=by
    )


def latest(teacher: Teacher) -> TeacherPrompt | None:
    return TeacherPrompt.objects.filter(teacher=teacher).order_by("-version").first()
