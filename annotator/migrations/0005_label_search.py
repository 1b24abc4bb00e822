"""Labels are found by what is typed of them, and listed a page at a time, among 100,000."""

from django.db import migrations, models

# Neither function can be inlined, since it sets its own search path: the planner then knows what a
# call costs and takes the index instead of asking every label of the project.
FORWARD = r"""
CREATE FUNCTION annotator_plain(words text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 1000 SET search_path = pg_catalog AS $$
    SELECT lower(regexp_replace(normalize(words, NFKD), '[\u0300-\u036f]', '', 'g'))
$$;

CREATE FUNCTION annotator_label_words(name text, description text, words text[]) RETURNS tsvector
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 10000 SET search_path = pg_catalog AS $$
    SELECT to_tsvector('simple'::regconfig, regexp_replace(
        lower(regexp_replace(
            normalize(name || ' ' || description || ' ' || array_to_string(words, ' '), NFKD),
            '[\u0300-\u036f]', '', 'g')),
        '[-_/.:@&?=#%+]+', ' ', 'g'))
$$;

CREATE INDEX label_begins ON annotator_label
    (project_id, annotator_plain(regexp_replace(name, '^.* > ', '')) COLLATE "C");
CREATE INDEX label_words ON annotator_label
    USING gin (annotator_label_words(name, description, words));
"""

BACKWARD = """
DROP INDEX label_words;
DROP INDEX label_begins;
DROP FUNCTION annotator_label_words(text, text, text[]);
DROP FUNCTION annotator_plain(text);
"""


class Migration(migrations.Migration):
    dependencies = [("annotator", "0004_texts_and_candidates")]

    operations = [
        migrations.AddIndex(
            model_name="label",
            index=models.Index(fields=["project", "position", "id"], name="label_place"),
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
