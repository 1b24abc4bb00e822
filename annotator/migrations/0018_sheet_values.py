"""Audit sheets keep what students say where answers are more than labels."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("annotator", "0017_best_f1")]
    operations = [
        migrations.AddField(
            model_name="auditsheet", name="values", field=models.JSONField(null=True)
        ),
    ]
