from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("annotator", "0006_teacher_spans")]
    operations = [
        migrations.AddField(
            model_name="recordedanswer", name="spans", field=models.JSONField(null=True)
        )
    ]
