from django.db import migrations


def move(apps, schema_editor):
    """Files that wait to be labelled wait where they are labelled from now on, and so do those in work,
    whose workers were stopped for the upgrade."""
    files = apps.get_model("annotator", "Job").objects.filter(kind="predict", queue="train")
    files.filter(state__in=["queued", "running"]).update(queue="encode", rung_at=None)


class Migration(migrations.Migration):

    dependencies = [
        ('annotator', '0023_went_back'),
    ]

    operations = [
        migrations.RunPython(move, migrations.RunPython.noop),
    ]
