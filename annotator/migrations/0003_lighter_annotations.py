"""Annotations without constraints of their own: the ledger's trigger looks at all new rows at once."""

import django.db.models.deletion
from django.db import migrations, models

# Scalar subqueries on purpose: each is one look-up by primary key, however large the tables are.
ENTER = """
CREATE OR REPLACE FUNCTION annotator_enter_ledger() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT 1 FROM fresh f
        WHERE (SELECT i.project_id FROM annotator_item i WHERE i.id = f.item_id)
                  IS DISTINCT FROM f.project_id
           OR (SELECT v.project_id FROM annotator_annotator v WHERE v.id = f.annotator_id)
                  IS DISTINCT FROM f.project_id
    ) THEN
        RAISE EXCEPTION 'An annotation needs an item and a voice of its own project.'
            USING ERRCODE = 'foreign_key_violation';
    END IF;
    INSERT INTO annotator_ledgerentry (annotation_id, project_id)
    SELECT id, project_id FROM fresh ORDER BY id;
    RETURN NULL;
END $$;
"""

ENTER_BEFORE = """
CREATE OR REPLACE FUNCTION annotator_enter_ledger() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO annotator_ledgerentry (annotation_id, project_id)
    SELECT id, project_id FROM fresh ORDER BY id;
    RETURN NULL;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("annotator", "0002_ledger")]

    operations = [
        migrations.AlterField(
            model_name="annotation",
            name="annotator",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="annotations",
                to="annotator.annotator",
            ),
        ),
        migrations.AlterField(
            model_name="annotation",
            name="assignment",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="annotations",
                to="annotator.assignment",
            ),
        ),
        migrations.AlterField(
            model_name="annotation",
            name="item",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="annotations",
                to="annotator.item",
            ),
        ),
        migrations.AddIndex(
            model_name="annotation",
            index=models.Index(
                condition=models.Q(("assignment__isnull", False)),
                fields=["assignment"],
                name="annotation_assignment",
            ),
        ),
        migrations.RunSQL(ENTER, ENTER_BEFORE),
    ]
