from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("annotator", "0008_forms")]
    operations = [
        migrations.AddField(
            model_name="project",
            name="soft_rows",
            field=models.BooleanField(db_default=True, default=True),
        ),
        migrations.AddField(
            model_name="studentversion",
            name="beside",
            field=models.JSONField(db_default=models.Value({}, models.JSONField()), default=dict),
        ),
    ]
