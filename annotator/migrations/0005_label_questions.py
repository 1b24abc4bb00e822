"""Questions about one label of an item, verdicts that know some labels only, and seeding by a search."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('annotator', '0004_simulations'),
    ]

    operations = [
        migrations.CreateModel(
            name='Seeding',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('query', models.CharField(blank=True, max_length=300)),
                ('numbers', django.contrib.postgres.fields.ArrayField(base_field=models.PositiveIntegerField(), default=list, size=None)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('ended_at', models.DateTimeField(null=True)),
            ],
        ),
        migrations.RemoveConstraint(
            model_name='assignment',
            name='one_live_lease_or_answer_per_slot',
        ),
        migrations.RemoveConstraint(
            model_name='assignment',
            name='one_meeting_per_voice',
        ),
        migrations.AddField(
            model_name='annotation',
            name='question',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='annotator.label'),
        ),
        migrations.AddField(
            model_name='assignment',
            name='question',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='annotator.label'),
        ),
        migrations.AddField(
            model_name='pick',
            name='question',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='annotator.label'),
        ),
        migrations.AddField(
            model_name='project',
            name='label_questions',
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name='verdict',
            name='known',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), null=True, size=None),
        ),
        migrations.AlterField(
            model_name='verdict',
            name='state',
            field=models.CharField(choices=[('decided', 'Decided'), ('tie', 'Tie'), ('partial', 'Some labels known')], max_length=16),
        ),
        migrations.AddConstraint(
            model_name='assignment',
            constraint=models.UniqueConstraint(condition=models.Q(('question', None), ('state__in', ['leased', 'answered'])), fields=('item', 'slot'), name='one_live_lease_or_answer_per_slot'),
        ),
        migrations.AddConstraint(
            model_name='assignment',
            constraint=models.UniqueConstraint(condition=models.Q(('question__isnull', False), ('state__in', ['leased', 'answered'])), fields=('item', 'question', 'slot'), name='one_live_question_per_slot'),
        ),
        migrations.AddConstraint(
            model_name='assignment',
            constraint=models.UniqueConstraint(condition=models.Q(('question', None), ('state__in', ['leased', 'answered', 'skipped'])), fields=('item', 'annotator'), name='one_meeting_per_voice'),
        ),
        migrations.AddConstraint(
            model_name='assignment',
            constraint=models.UniqueConstraint(condition=models.Q(('question__isnull', False), ('state__in', ['leased', 'answered', 'skipped'])), fields=('item', 'annotator', 'question'), name='one_question_per_voice'),
        ),
        migrations.AddField(
            model_name='seeding',
            name='created_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='seeding',
            name='example',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='annotator.item'),
        ),
        migrations.AddField(
            model_name='seeding',
            name='project',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='seedings', to='annotator.project'),
        ),
        migrations.AddIndex(
            model_name='seeding',
            index=models.Index(condition=models.Q(('ended_at', None)), fields=['project', '-id'], name='seeding_standing'),
        ),
    ]
