from django.db import migrations

# A question that was taken away before anything was answered left a gap in the columns of its form, and
# arrays have none. Far up first, so that no two labels share a column in between.
FORWARD = """
CREATE TEMPORARY TABLE dense ON COMMIT DROP AS
SELECT id, row_number() OVER (PARTITION BY project_id ORDER BY "column") - 1 AS place, "column" AS was
FROM annotator_label;
UPDATE annotator_label l SET "column" = l."column" + 1000000 FROM dense d WHERE d.id = l.id AND d.place <> d.was;
UPDATE annotator_label l SET "column" = d.place FROM dense d WHERE d.id = l.id AND d.place <> d.was;
DROP TABLE dense;
"""


class Migration(migrations.Migration):
    dependencies = [("annotator", "0019_recorded_texts")]

    operations = [migrations.RunSQL(FORWARD, migrations.RunSQL.noop)]
