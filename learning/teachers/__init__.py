"""Teachers: machine annotators that give label distributions, reasons and costs."""

from learning.registry import Entry, Registry
from learning.teachers.types import TeacherPlugin

TEACHERS: Registry[TeacherPlugin] = Registry(
    "teacher",
    {
        "zero-shot": Entry("Label names alone", "learning.teachers.zero_shot:ZeroShot"),
        "openai": Entry("A language model", "learning.teachers.openai:OpenAITeacher"),
        "local": Entry("A language model on this machine", "learning.teachers.local:LocalTeacher"),
        "student": Entry("A student", "learning.teachers.student:StudentTeacher"),
        "recorded": Entry("Answers made elsewhere", "learning.teachers.recorded:Recorded"),
        "committee": Entry("A committee of teachers", "learning.teachers.committee:Committee"),
    },
)
