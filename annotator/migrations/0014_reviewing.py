"""What reviewers make of items, flags of detectors and of chance, and leases on cases."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('annotator', '0013_people_quality'),
    ]

    operations = [
        migrations.CreateModel(
            name='ReviewCase',
            fields=[
                ('item', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='case', serialize=False, to='annotator.item')),
                ('leased_until', models.DateTimeField(null=True)),
                ('unsure', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), default=list, size=None)),
            ],
        ),
        migrations.AddField(
            model_name='annotation',
            name='outcome',
            field=models.CharField(blank=True, choices=[('', 'Not reviewed'), ('keep', 'Kept'), ('change', 'Changed'), ('decide', 'Decided'), ('ambiguous', 'Several labels fit'), ('bad', 'Bad item')], db_default='', default='', max_length=16),
        ),
        migrations.AddField(
            model_name='flag',
            name='evidence',
            field=models.JSONField(default=list),
        ),
        migrations.AddField(
            model_name='flag',
            name='kind',
            field=models.CharField(choices=[('person', 'Asked by a person'), ('detector', 'Looks wrong'), ('random', 'Drawn at random')], default='person', max_length=16),
        ),
        migrations.AddField(
            model_name='flag',
            name='labels',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), default=list, size=None),
        ),
        migrations.AddField(
            model_name='flag',
            name='outcome',
            field=models.CharField(blank=True, choices=[('', 'Not reviewed'), ('keep', 'Kept'), ('change', 'Changed'), ('decide', 'Decided'), ('ambiguous', 'Several labels fit'), ('bad', 'Bad item')], default='', max_length=16),
        ),
        migrations.AddField(
            model_name='flag',
            name='probability',
            field=models.FloatField(null=True),
        ),
        migrations.AddField(
            model_name='flag',
            name='rank',
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='flag',
            name='score',
            field=models.FloatField(null=True),
        ),
        migrations.AddField(
            model_name='flag',
            name='scores',
            field=models.JSONField(default=dict),
        ),
        migrations.AddField(
            model_name='flag',
            name='suggested',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), default=list, size=None),
        ),
        migrations.AddField(
            model_name='flag',
            name='word',
            field=models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='settled_flags', to='annotator.annotation'),
        ),
        migrations.AlterField(
            model_name='flag',
            name='raised_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='flags', to='annotator.annotator'),
        ),
        migrations.AlterField(
            model_name='verdict',
            name='state',
            field=models.CharField(choices=[('decided', 'Decided'), ('tie', 'Tie'), ('partial', 'Some labels known'), ('bad', 'Bad item')], max_length=16),
        ),
        migrations.AddIndex(
            model_name='flag',
            index=models.Index(condition=models.Q(('state', 'open')), fields=['project', 'rank'], name='flag_open'),
        ),
        migrations.AddConstraint(
            model_name='flag',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'open'), models.Q(('kind', 'person'), _negated=True)), fields=('item',), name='one_open_flag_of_machines'),
        ),
        migrations.AddField(
            model_name='reviewcase',
            name='project',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='cases', to='annotator.project'),
        ),
        migrations.AddField(
            model_name='reviewcase',
            name='reviewer',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
    ]
