"""Suggestions of files that are more than labels."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("annotator", "0019_promotion")]

    operations = [
        migrations.AddField(
            model_name="suggestion",
            name="value",
            field=models.JSONField(null=True),
        ),
    ]
