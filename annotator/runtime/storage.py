"""Static files with fingerprints in their names, so that browsers keep them for ever."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticStorage(CompressedManifestStaticFilesStorage):
    """Also follows `import` between our modules, so that each is fetched by its fingerprint."""

    support_js_module_import_aggregation = True
