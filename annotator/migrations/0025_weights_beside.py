from django.db import migrations


def follow(apps, schema_editor):
    """Skills that were learnt while each weight counted as it was given are learnt anew, and verdicts follow.

    Where every vote weighs 1 both rules are the same one, and the skills stand.
    """
    fits = apps.get_model("annotator", "ConsensusFit").objects.exclude(method="")
    annotators = apps.get_model("annotator", "Annotator").objects.exclude(kind="teacher")
    weighed = annotators.exclude(weight=1).values("project")
    for fit in fits.exclude(project__in=weighed):
        fit.model["relative_weights"] = True
        fit.save(update_fields=["model"])
    jobs = apps.get_model("annotator", "Job").objects
    for pk in fits.filter(project__in=weighed, project__archived_at=None).values_list("pk", flat=True):
        key = f"skills:{pk}"
        if not jobs.filter(key=key, state="queued").exists():
            jobs.create(kind="skills", queue="io", project_id=pk, key=key)


class Migration(migrations.Migration):

    dependencies = [
        ('annotator', '0024_files_beside_encoding'),
    ]

    operations = [
        migrations.RunPython(follow, migrations.RunPython.noop),
    ]
