"""What each student version says of the audit sample, with the figures that follow."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('annotator', '0005_label_questions'),
    ]

    operations = [
        migrations.CreateModel(
            name='AuditSheet',
            fields=[
                ('version', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='sheet', serialize=False, to='annotator.studentversion')),
                ('numbers', django.contrib.postgres.fields.ArrayField(base_field=models.PositiveIntegerField(), default=list, size=None)),
                ('said', models.JSONField(default=list)),
                ('doubts', django.contrib.postgres.fields.ArrayField(base_field=models.FloatField(), default=list, size=None)),
                ('held', django.contrib.postgres.fields.ArrayField(base_field=models.PositiveIntegerField(), default=list, size=None)),
                ('figures', models.JSONField(null=True)),
                ('position', models.PositiveBigIntegerField(default=0)),
                ('computed_at', models.DateTimeField(null=True)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='audit_sheets', to='annotator.project')),
            ],
        ),
    ]
