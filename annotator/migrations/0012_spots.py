import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("annotator", "0011_webhooks")]
    operations = [
        migrations.AddField(
            model_name="seeding",
            name="label",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="annotator.label",
            ),
        ),
        migrations.AddField(
            model_name="seeding",
            name="kept",
            field=models.JSONField(db_default=models.Value([], models.JSONField()), default=list),
        ),
        migrations.AddField(
            model_name="seeding",
            name="refused",
            field=models.JSONField(db_default=models.Value([], models.JSONField()), default=list),
        ),
        migrations.AddField(
            model_name="seeding",
            name="taken_back_at",
            field=models.DateTimeField(null=True),
        ),
    ]
