from django.db import migrations, models

# Texts that answer a form's questions are blanked as those are that are a whole answer.
FORWARD = """
CREATE OR REPLACE FUNCTION annotator_redact_texts(opened_by text, item bigint)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM annotator_open_ledger(opened_by, 'redact texts', item);
    UPDATE annotator_ledgerentry e SET redacted_at = now() FROM annotator_annotation a
    WHERE a.id = e.annotation_id AND a.item_id = item
      AND (a.value ? 'text' OR a.value->'texts' <> '{}');
    UPDATE annotator_annotation SET value = value || '{"text": ""}'
    WHERE item_id = item AND value ? 'text';
    UPDATE annotator_annotation SET value = jsonb_set(value, '{texts}', (
        SELECT jsonb_object_agg(key, one || '{"text": ""}')
        FROM jsonb_each(value->'texts') AS written(key, one)))
    WHERE item_id = item AND value->'texts' <> '{}';
    PERFORM set_config('annotator.ledger_door', '', true);
END $$;
"""
BACKWARD = """
CREATE OR REPLACE FUNCTION annotator_redact_texts(opened_by text, item bigint)
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


class Migration(migrations.Migration):
    dependencies = [
        ("annotator", "0014_recorded_orders"),
    ]

    operations = [
        migrations.AddField(
            model_name="formquestion",
            name="optional",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="formquestion",
            name="edits",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
