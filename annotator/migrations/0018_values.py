"""Answers that are more than labels: spans, and what else a task type gives."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("annotator", "0017_endpoint_pace")]

    operations = [
        migrations.AddField(
            model_name="annotation",
            name="value",
            field=models.JSONField(null=True),
        ),
        migrations.AddField(
            model_name="verdict",
            name="value",
            field=models.JSONField(null=True),
        ),
    ]
