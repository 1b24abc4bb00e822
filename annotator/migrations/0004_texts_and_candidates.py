from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models

FORWARD = """
CREATE FUNCTION annotator_redact_texts(opened_by text, item bigint)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM annotator_open_ledger(opened_by, 'redact texts', item);
    UPDATE annotator_ledgerentry e SET redacted_at = now() FROM annotator_annotation a
    WHERE a.id = e.annotation_id AND a.item_id = item AND a.value ? 'text';
    UPDATE annotator_annotation SET value = value || '{"text": ""}'
    WHERE item_id = item AND value ? 'text';
    PERFORM set_config('annotator.ledger_door', '', true);
END $$;
"""
BACKWARD = "DROP FUNCTION annotator_redact_texts(text, bigint);"


class Migration(migrations.Migration):
    dependencies = [("annotator", "0003_codebook")]
    operations = [
        migrations.AddField(
            model_name="item",
            name="candidates",
            field=ArrayField(models.TextField(), blank=True, db_default=[], default=list),
        ),
        migrations.AlterField(
            model_name="project",
            name="item_kind",
            field=models.CharField(
                choices=[
                    ("text", "Text"),
                    ("pair", "Two texts"),
                    ("list", "Candidates to be ranked"),
                    ("image", "Image"),
                ],
                default="text",
                max_length=16,
            ),
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
