import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("annotator", "0015_written_questions")]
    operations = [
        migrations.CreateModel(
            name="WarmStart",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("source_name", models.CharField(max_length=200)),
                ("matches", models.JSONField(default=list)),
                ("rows", models.PositiveIntegerField(default=0)),
                ("folder", models.CharField(blank=True, max_length=200)),
                ("fingerprint", models.CharField(blank=True, max_length=64)),
                ("contents", models.BinaryField(default=bytes)),
                ("items", models.PositiveIntegerField(default=0)),
                ("trouble", models.TextField(blank=True)),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("withdrawn_at", models.DateTimeField(null=True)),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="warm_starts",
                        to="annotator.project",
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="annotator.project",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("withdrawn_at", None)),
                        fields=("project",),
                        name="one_live_warm_start",
                    )
                ],
            },
        ),
    ]
