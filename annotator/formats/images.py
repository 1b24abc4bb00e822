"""A zip of images: each is decoded, checked and written anew; its name is data and never a path."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO

from PIL import Image, ImageOps, UnidentifiedImageError

from annotator.formats.records import (
    LIMITS,
    FormatError,
    Limits,
    Problem,
    Record,
    Rows,
    fault_in_text,
)

FORMATS_READ = ("PNG", "JPEG", "WEBP", "GIF")
_PASSED_OVER = ("__MACOSX/", ".DS_Store", "Thumbs.db")
_END_OF_DIRECTORY = b"PK\x05\x06"
_DIRECTORY_BYTES = 64 * 1024 * 1024
BAD_NAME = "The zip file is damaged: the name of a member is not written as it says."
# What zipfile raises of a broken archive, of a compression it does not know, of one with a password.
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError)


class ImageError(ValueError):
    """The bytes are no image that is taken; the message says why."""


@dataclass(frozen=True, slots=True)
class CleanImage:
    """An image as written by us: nothing of the sender's bytes but the picture is left in it."""

    data: bytes
    extension: str
    width: int
    height: int


@dataclass(frozen=True, kw_only=True)
class ZipOfImages:
    """PNG, JPEG, WebP and first frames of GIF in a zip; the row number is the place in the zip.

    Columns: `image` (the member's name), `name` (without folders) and `folder`.
    """

    limits: Limits = LIMITS

    def read(self, stream: BinaryIO) -> Rows:
        """Yield a record with the clean image for every member that is one."""
        check_directory(stream, self.limits)
        try:
            with zipfile.ZipFile(stream) as archive:
                members = archive.infolist()
                _check_sizes(members, self.limits)
                yield from self._rows(archive, members)
        except zipfile.BadZipFile as error:
            raise FormatError(f"The zip file is damaged: {error}.") from error
        except UnicodeDecodeError as error:
            raise FormatError(BAD_NAME) from error

    def _rows(self, archive: zipfile.ZipFile, members: list[zipfile.ZipInfo]) -> Rows:
        for row, member in enumerate(members, start=1):
            if member.is_dir() or member.filename.startswith(_PASSED_OVER[0]):
                continue
            if PurePosixPath(member.filename).name in _PASSED_OVER[1:]:
                continue
            yield from self._member(archive, row, member)

    def _member(
        self, archive: zipfile.ZipFile, row: int, member: zipfile.ZipInfo
    ) -> Iterator[Record | Problem]:
        if fault := fault_in_text(member.filename, self.limits):
            yield Problem(row, "image", f"The name can't be stored: {fault}")
            return
        try:
            image = clean(member_bytes(archive, member, self.limits), self.limits)
        except ImageError as error:
            yield Problem(row, "image", f"{member.filename[:200]}: {error}")
            return
        path = PurePosixPath(member.filename)
        folder = path.parent.name
        fields = {"image": member.filename, "name": path.name, "folder": folder}
        record = Record(row, fields, image=image.data)
        yield record


def clean(data: bytes, limits: Limits = LIMITS, *, effort: int = 6) -> CleanImage:
    """Decode an image and write it anew, upright and without metadata.

    JPEG stays JPEG, the others become PNG, which is packed with an effort of 0 to 9: little for one that is
    looked at and not kept. Raises ImageError for anything else than the four formats.
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS_READ) as image:
            if image.width * image.height > limits.image_pixels:
                raise ImageError(
                    f"The image has {image.width:,} × {image.height:,} pixels; at most "
                    f"{limits.image_pixels:,} are taken."
                )
            image.load()
            return _written(image, effort)
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise ImageError(_not_an_image(data)) from error
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error) as error:
        raise ImageError("The image is damaged or cut short.") from error
    except Image.DecompressionBombError as error:
        raise ImageError("The image has too many pixels.") from error


def kind_of(data: bytes) -> str:
    """Give the extension of an image written by `clean`."""
    return "jpg" if data.startswith(b"\xff\xd8") else "png"


def _written(image: Image.Image, effort: int) -> CleanImage:
    jpeg = image.format == "JPEG"
    upright = ImageOps.exif_transpose(image)
    mode = (
        "RGB" if jpeg or upright.mode not in ("L", "RGBA", "LA", "P", "PA", "1") else upright.mode
    )
    if mode in ("P", "PA", "LA"):
        mode = "RGBA"
    if jpeg and upright.mode == "L":
        mode = "L"
    fresh = Image.new(mode, upright.size)
    fresh.paste(upright.convert(mode))
    out = io.BytesIO()
    if jpeg:
        fresh.save(out, "JPEG", quality=92, subsampling=0)
    else:
        fresh.save(out, "PNG", compress_level=effort)
    return CleanImage(out.getvalue(), "jpg" if jpeg else "png", fresh.width, fresh.height)


def _not_an_image(data: bytes) -> str:
    head = data[:512].lstrip().lower()
    if head.startswith((b"<svg", b"<?xml")) or b"<svg" in head:
        return "SVG can carry scripts and is not taken; convert it to PNG."
    return "This is no image that is taken (PNG, JPEG, WebP, GIF)."


def member_bytes(archive: zipfile.ZipFile, member: zipfile.ZipInfo, limits: Limits) -> bytes:
    """Read one member within the limits; raises ImageError with the reason why not."""
    if stat.S_ISLNK(member.external_attr >> 16):
        raise ImageError("This is a link and not a file.")
    if member.flag_bits & 1:
        raise ImageError("The member is encrypted.")
    try:
        with archive.open(member) as source:
            data = source.read(limits.image_bytes + 1)
    except _BROKEN as error:
        raise ImageError("The member is damaged.") from error
    if len(data) > limits.image_bytes:
        raise ImageError(f"The file is larger than {limits.image_bytes:,} bytes.")
    return data


def check_directory(stream: BinaryIO, limits: Limits) -> None:
    """Look at the directory's own figures before a library reads all of it into memory."""
    size = stream.seek(0, io.SEEK_END)
    tail_at = max(0, size - (1 << 16) - 22)
    stream.seek(tail_at)
    tail = stream.read()
    stream.seek(0)
    at = tail.rfind(_END_OF_DIRECTORY)
    if at < 0 or len(tail) - at < 22:
        raise FormatError("This is no complete zip file.")
    count, directory = struct.unpack("<HI", tail[at + 10 : at + 16])
    if directory > _DIRECTORY_BYTES and directory != 0xFFFFFFFF:
        raise FormatError("The zip file's list of members is too large.")
    if directory == 0xFFFFFFFF or count == 0xFFFF:
        _check_directory64(tail[:at], limits)


def _check_directory64(before: bytes, limits: Limits) -> None:
    at = before.rfind(b"PK\x06\x06")
    if at < 0 or len(before) - at < 56:
        raise FormatError("The zip file's list of members can't be read.")
    count, directory = struct.unpack("<QQ", before[at + 32 : at + 48])
    if count > limits.members or directory > _DIRECTORY_BYTES:
        raise FormatError(f"The zip file has more than {limits.members:,} members.")


def _check_sizes(members: list[zipfile.ZipInfo], limits: Limits) -> None:
    if len(members) > limits.members:
        raise FormatError(f"The zip file has more than {limits.members:,} members.")
    unpacked = sum(member.file_size for member in members)
    packed = sum(member.compress_size for member in members)
    if unpacked > limits.unpacked_bytes:
        raise FormatError(f"The zip file unpacks to {unpacked:,} bytes; that is too much.")
    if unpacked > max(1 << 20, packed * limits.inflation):
        raise FormatError(
            f"The zip file unpacks to more than {limits.inflation} times its size; "
            "it is refused as a possible bomb."
        )
    places = sorted((one.header_offset, one.compress_size) for one in members)
    end = 0
    for offset, length in places:
        if offset < end:
            raise FormatError("Members of the zip file overlap; it is refused as a possible bomb.")
        end = offset + length
