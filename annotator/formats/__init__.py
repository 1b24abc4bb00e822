"""Importers and exporters: bytes to records and back, with no database and no web."""

from annotator.formats.records import (
    LIMITS,
    FormatError,
    Given,
    Limits,
    Problem,
    Reader,
    Record,
    Rows,
)
from annotator.formats.writing import Field, Writer
from learning.registry import Entry, Registry

FORMATS: Registry[Reader] = Registry(
    "format",
    {
        "csv": Entry("CSV", "annotator.formats.delimited:Csv"),
        "tsv": Entry("TSV", "annotator.formats.delimited:Tsv"),
        "lines": Entry("Text, an item on each line", "annotator.formats.lines:Lines"),
        "jsonl": Entry("JSONL", "annotator.formats.json_lines:JsonLines"),
        "json": Entry("JSON list", "annotator.formats.json_list:JsonList"),
        "parquet": Entry("Parquet", "annotator.formats.parquet:Parquet"),
        "spreadsheet": Entry(
            "Excel or OpenDocument table", "annotator.formats.spreadsheet:Spreadsheet"
        ),
        "images": Entry("Zip of images", "annotator.formats.images:ZipOfImages"),
        "boxes": Entry(
            "Zip of images with labels or boxes", "annotator.formats.boxed_images:BoxedImages"
        ),
        "marks": Entry("Labels or boxes of images", "annotator.formats.marks:Marks"),
        "label-studio": Entry("Label Studio JSON", "annotator.formats.label_studio:LabelStudio"),
        "doccano": Entry("doccano JSONL", "annotator.formats.doccano:Doccano"),
        "prodigy": Entry("Prodigy JSONL", "annotator.formats.prodigy:Prodigy"),
        "argilla": Entry("Argilla JSON", "annotator.formats.argilla:Argilla"),
        "spacy": Entry("spaCy JSONL", "annotator.formats.spacy:Spacy"),
        "docbin": Entry("spaCy DocBin", "annotator.formats.docbin:DocBin"),
        "conll": Entry("CoNLL-2003", "annotator.formats.conll:Conll"),
        "tokens": Entry("Tokens and tags (Hugging Face)", "annotator.formats.tokens:Tokens"),
    },
)
# These bring pictures, whose columns are fixed.
OF_IMAGES = ("images", "boxes")
# This brings answers to pictures that are items already.
ON_IMAGES = "marks"
# In these a file may name pictures; in a project of pictures it does.
MAY_NAME = ("label-studio", "json", "jsonl", "prodigy", "doccano")

WRITERS: Registry[Writer] = Registry(
    "export format",
    {
        "jsonl": Entry("JSONL", "annotator.formats.json_lines:JsonLines"),
        "csv": Entry("CSV", "annotator.formats.delimited:Csv"),
        "parquet": Entry("Parquet", "annotator.formats.parquet:Parquet"),
        "label-studio": Entry("Label Studio JSON", "annotator.formats.label_studio:LabelStudio"),
        "doccano": Entry("doccano JSONL", "annotator.formats.doccano:Doccano"),
        "prodigy": Entry("Prodigy JSONL", "annotator.formats.prodigy:Prodigy"),
        "argilla": Entry("Argilla JSON", "annotator.formats.argilla:Argilla"),
        "spacy": Entry("spaCy JSONL", "annotator.formats.spacy:Spacy"),
        "docbin": Entry("spaCy DocBin", "annotator.formats.docbin:DocBin"),
        "conll": Entry("CoNLL-2003", "annotator.formats.conll:Conll"),
        "coco": Entry("COCO JSON", "annotator.formats.coco:Coco"),
        "yolo": Entry("YOLO texts", "annotator.formats.yolo:Yolo"),
        "tokens": Entry("Tokens and tags (Hugging Face)", "annotator.formats.tokens:Tokens"),
        "huggingface": Entry("Parquet (Hugging Face)", "annotator.formats.huggingface:HuggingFace"),
    },
)

__all__ = [
    "FORMATS",
    "LIMITS",
    "MAY_NAME",
    "OF_IMAGES",
    "ON_IMAGES",
    "WRITERS",
    "Field",
    "FormatError",
    "Given",
    "Limits",
    "Problem",
    "Reader",
    "Record",
    "Rows",
    "Writer",
]
