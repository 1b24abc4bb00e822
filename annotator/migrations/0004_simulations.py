"""Replays of labelled items under several strategies, and the trail of a project's strategy."""


import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('annotator', '0003_lighter_annotations'),
    ]

    operations = [
        migrations.CreateModel(
            name='Simulation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('running', 'Running'), ('done', 'Done'), ('failed', 'Failed'), ('cancelled', 'Cancelled')], default='waiting', max_length=16)),
                ('settings', models.JSONField(default=dict)),
                ('file_name', models.CharField(blank=True, max_length=255)),
                ('stored_name', models.CharField(blank=True, max_length=100)),
                ('position', models.PositiveBigIntegerField(default=0)),
                ('folder', models.CharField(blank=True, max_length=100)),
                ('data_hash', models.CharField(blank=True, max_length=64)),
                ('facts', models.JSONField(default=dict)),
                ('full', models.JSONField(default=dict)),
                ('advice', models.JSONField(default=dict)),
                ('error', models.TextField(blank=True)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('finished_at', models.DateTimeField(null=True)),
                ('created_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('encoding', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='annotator.encoding')),
                ('job', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='annotator.job')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='simulations', to='annotator.project')),
            ],
        ),
        migrations.CreateModel(
            name='SimulationRun',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('strategy', models.CharField(max_length=32)),
                ('seed', models.PositiveIntegerField()),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('done', 'Done'), ('failed', 'Failed')], default='waiting', max_length=16)),
                ('points', models.JSONField(default=list)),
                ('pick_seconds', models.FloatField(null=True)),
                ('seconds', models.FloatField(default=0.0)),
                ('error', models.TextField(blank=True)),
                ('finished_at', models.DateTimeField(null=True)),
                ('simulation', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='runs', to='annotator.simulation')),
            ],
        ),
        migrations.CreateModel(
            name='StrategyChange',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('before', models.CharField(max_length=32)),
                ('after', models.CharField(max_length=32)),
                ('changed_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('changed_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='strategy_changes', to='annotator.project')),
                ('simulation', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='annotator.simulation')),
            ],
        ),
        migrations.AddConstraint(
            model_name='simulation',
            constraint=models.UniqueConstraint(condition=models.Q(('state__in', ('waiting', 'running'))), fields=('project',), name='one_live_simulation_per_project'),
        ),
        migrations.AddConstraint(
            model_name='simulationrun',
            constraint=models.UniqueConstraint(fields=('simulation', 'strategy', 'seed'), name='one_run_per_strategy_and_seed'),
        ),
        migrations.AddIndex(
            model_name='strategychange',
            index=models.Index(fields=['project', '-id'], name='strategy_change_latest'),
        ),
    ]
