"""COCO's JSON of object detection: images, categories, and boxes in pixels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, ClassVar

from annotator.formats.boxes import in_pixels
from annotator.formats.writing import Field, compact


@dataclass(frozen=True, kw_only=True)
class Coco:
    """One object with `images`, `annotations` (`bbox`: left, top, width, height in pixels) and
    `categories`. Source: the data format of Lin et al. 2014 (cocodataset.org).

    Images without a verdict, or whose file was redacted, are left out: an image without boxes says in
    COCO that there is nothing in it.

    labels: the project's, whose places are the ids of the categories: the same in every export.
    """

    labels: list[str] = field(default_factory=list)

    shapes: ClassVar[tuple[str, ...]] = ("boxes",)
    exact: ClassVar[bool] = False
    item_kinds: ClassVar[tuple[str, ...]] = ("image",)

    def write(
        self, records: Iterable[Mapping[str, Any]], fields: Sequence[Field], stream: BinaryIO
    ) -> int:
        """Write one object of all records that have a verdict; give their number."""
        images: list[dict[str, Any]] = []
        boxes: list[dict[str, Any]] = []
        categories = {name: place for place, name in enumerate(self.labels, start=1)}
        for record in records:
            if record.get("boxes") is None or not record.get("width"):
                continue
            size = record["width"], record["height"]
            number = len(images) + 1
            named = {"id": number, "file_name": record["image"]}
            images.append(named | {"width": size[0], "height": size[1]})
            for box in record["boxes"]:
                category = categories.setdefault(box["label"], len(categories) + 1)
                at = in_pixels(box, *size)
                boxes.append(
                    {
                        "id": len(boxes) + 1,
                        "image_id": number,
                        "category_id": category,
                        "bbox": at,
                        "area": round(at[2] * at[3], 2),
                        "iscrowd": 0,
                    }
                )
        named_categories = [{"id": pk, "name": name} for name, pk in categories.items()]
        told = {"images": images, "annotations": boxes, "categories": named_categories}
        stream.write(compact(told).encode())
        stream.write(b"\n")
        return len(images)
