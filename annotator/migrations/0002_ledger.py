"""The append-only ledger: triggers that refuse change, and the one audited way past them."""

from django.db import migrations

FORWARD = """
CREATE TABLE annotator_ledgerdoor (
    id bigserial PRIMARY KEY,
    opened_at timestamptz NOT NULL DEFAULT now(),
    opened_by text NOT NULL,
    deed text NOT NULL,
    subject bigint NOT NULL,
    rows bigint NOT NULL DEFAULT 0
);

CREATE FUNCTION annotator_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('annotator.ledger_door', true) = txid_current()::text THEN
        RETURN COALESCE(NEW, OLD);
    END IF;
    RAISE EXCEPTION 'Annotations are never changed or deleted: % on % was refused.',
        TG_OP, TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE TRIGGER annotation_append_only BEFORE UPDATE OR DELETE ON annotator_annotation
    FOR EACH ROW EXECUTE FUNCTION annotator_refuse_change();
CREATE TRIGGER annotation_no_truncate BEFORE TRUNCATE ON annotator_annotation
    FOR EACH STATEMENT EXECUTE FUNCTION annotator_refuse_change();

-- A sealed position stays; only an entry without one may receive it.
CREATE FUNCTION annotator_refuse_unsealing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('annotator.ledger_door', true) = txid_current()::text
       OR (TG_OP = 'UPDATE' AND OLD.position IS NULL
           AND NEW.annotation_id = OLD.annotation_id AND NEW.project_id = OLD.project_id) THEN
        RETURN COALESCE(NEW, OLD);
    END IF;
    RAISE EXCEPTION 'A sealed position is never changed: % was refused.', TG_OP
        USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE TRIGGER ledger_append_only BEFORE UPDATE OR DELETE ON annotator_ledgerentry
    FOR EACH ROW EXECUTE FUNCTION annotator_refuse_unsealing();

-- Every annotation, also one that came by COPY, waits for the sealer from its first moment. The table
-- has no constraints of its own: this looks at all new rows at once, in scalar subqueries, each of
-- which is one look-up by primary key, however large the tables are.
CREATE FUNCTION annotator_enter_ledger() RETURNS trigger LANGUAGE plpgsql AS $$
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

CREATE TRIGGER annotation_enters_ledger AFTER INSERT ON annotator_annotation
    REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION annotator_enter_ledger();

-- The only way past the triggers; it leaves a line in annotator_ledgerdoor.
CREATE FUNCTION annotator_open_ledger(opened_by text, deed text, subject bigint)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE door bigint;
BEGIN
    INSERT INTO annotator_ledgerdoor (opened_by, deed, subject)
    VALUES (opened_by, deed, subject) RETURNING id INTO door;
    PERFORM set_config('annotator.ledger_door', txid_current()::text, true);
    RETURN door;
END $$;

CREATE FUNCTION annotator_redact(opened_by text, annotation bigint)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM annotator_open_ledger(opened_by, 'redact', annotation);
    UPDATE annotator_annotation SET comment = '', reason = '' WHERE id = annotation;
    UPDATE annotator_ledgerentry SET redacted_at = now() WHERE annotation_id = annotation;
    PERFORM set_config('annotator.ledger_door', '', true);
END $$;

CREATE FUNCTION annotator_purge(opened_by text, project bigint)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE door bigint; gone bigint;
BEGIN
    IF NOT EXISTS (SELECT 1 FROM annotator_project p
                   WHERE p.id = project AND p.archived_at IS NOT NULL) THEN
        RAISE EXCEPTION 'Only a deleted project can be purged.';
    END IF;
    door := annotator_open_ledger(opened_by, 'purge', project);
    DELETE FROM annotator_ledgerentry WHERE project_id = project;
    DELETE FROM annotator_annotation WHERE project_id = project;
    GET DIAGNOSTICS gone = ROW_COUNT;
    UPDATE annotator_ledgerdoor SET rows = gone WHERE id = door;
    PERFORM set_config('annotator.ledger_door', '', true);
    RETURN gone;
END $$;
"""

BACKWARD = """
DROP FUNCTION annotator_purge(text, bigint);
DROP FUNCTION annotator_redact(text, bigint);
DROP FUNCTION annotator_open_ledger(text, text, bigint);
DROP TRIGGER annotation_enters_ledger ON annotator_annotation;
DROP TRIGGER ledger_append_only ON annotator_ledgerentry;
DROP TRIGGER annotation_no_truncate ON annotator_annotation;
DROP TRIGGER annotation_append_only ON annotator_annotation;
DROP FUNCTION annotator_enter_ledger();
DROP FUNCTION annotator_refuse_unsealing();
DROP FUNCTION annotator_refuse_change();
DROP TABLE annotator_ledgerdoor;
"""


class Migration(migrations.Migration):
    dependencies = [("annotator", "0001_initial")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
