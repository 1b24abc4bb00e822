from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('annotator', '0025_weights_beside'),
    ]

    operations = [
        migrations.AddField(
            model_name='job',
            name='expected_at',
            field=models.DateTimeField(null=True),
        ),
    ]
