from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("annotator", "0016_warm_starts")]
    operations = [
        migrations.AddField(
            model_name="project",
            name="best_f1",
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]
