from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("annotator", "0005_label_search")]
    operations = [
        migrations.AddField(
            model_name="teacheranswer", name="value", field=models.JSONField(null=True)
        ),
        migrations.AddField(
            model_name="teacheranswer",
            name="dropped",
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
    ]
