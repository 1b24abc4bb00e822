"""A zip of images: the picture is kept and nothing else of what was sent."""

import io
import stat
import zipfile

import pytest
from PIL import Image

from annotator.formats import FormatError, Limits
from annotator.formats.images import ImageError, clean, kind_of
from annotator.formats.sniffing import format_of
from tests.annotator.formats.helpers import bad_rows, fields, problems, read

SVG = (
    b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
)


def picture(format="PNG", size=(8, 6), mode="RGB", colour=(200, 30, 30), **options):
    out = io.BytesIO()
    Image.new(mode, size, colour).save(out, format, **options)
    return out.getvalue()


def packed(**members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "/"), data)
    return out.getvalue()


class TestClean:
    @pytest.mark.parametrize(
        ("format", "extension"), [("PNG", "png"), ("JPEG", "jpg"), ("WEBP", "png"), ("GIF", "png")]
    )
    def test_takes_four_formats(self, format, extension):
        image = clean(picture(format))
        assert (image.extension, image.width, image.height) == (extension, 8, 6)
        assert kind_of(image.data) == extension
        red, green, _ = Image.open(io.BytesIO(image.data)).convert("RGB").getpixel((3, 3))
        assert red > 180
        assert green < 60

    def test_keeps_the_same_bytes_for_the_same_picture(self):
        data = picture("JPEG")
        assert clean(data).data == clean(data).data

    @pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
    def test_less_effort_keeps_the_same_picture(self, mode):
        data = picture(mode=mode, colour=(9, 8, 7, 6)[: len(mode)] if mode != "L" else 9)
        usual, quick = (Image.open(io.BytesIO(clean(data, effort=e).data)) for e in (6, 0))
        assert (usual.mode, usual.tobytes()) == (quick.mode, quick.tobytes())

    def test_drops_metadata_and_what_is_appended(self):
        exif = Image.Exif()
        exif[0x010E] = "taken at 48.85 N"
        data = picture("JPEG", exif=exif) + b"<script>alert(1)</script>"
        assert b"48.85" in data
        written = clean(data).data
        assert b"48.85" not in written
        assert b"script" not in written

    def test_turns_the_picture_upright(self):
        exif = Image.Exif()
        exif[0x0112] = 6
        image = clean(picture("JPEG", size=(8, 6), exif=exif))
        assert (image.width, image.height) == (6, 8)

    def test_takes_the_first_frame(self):
        frames = [Image.new("RGB", (4, 4), "red"), Image.new("RGB", (4, 4), "blue")]
        out = io.BytesIO()
        frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
        image = Image.open(io.BytesIO(clean(out.getvalue()).data))
        assert image.convert("RGB").getpixel((1, 1)) == (255, 0, 0)

    def test_keeps_transparency(self):
        image = Image.open(io.BytesIO(clean(picture(mode="RGBA", colour=(1, 2, 3, 0))).data))
        assert image.getpixel((0, 0))[3] == 0

    @pytest.mark.parametrize(
        "data",
        [b"", b"hello", SVG, picture()[:40], picture("BMP"), b"\x89PNG\r\n\x1a\n" + b"\0" * 50],
    )
    def test_refuses_the_rest(self, data):
        with pytest.raises(ImageError):
            clean(data)

    def test_says_why_svg_is_refused(self):
        with pytest.raises(ImageError, match="SVG"):
            clean(SVG)

    def test_refuses_too_many_pixels_before_decoding(self):
        with pytest.raises(ImageError, match="pixels"):
            clean(picture(size=(30, 40)), Limits(image_pixels=1000))


class TestZip:
    def test_folders_are_a_column(self):
        rows = read("images", packed(cats__1=picture(), dogs__2=picture("JPEG")))
        assert fields(rows) == [
            {"image": "cats/1", "name": "1", "folder": "cats"},
            {"image": "dogs/2", "name": "2", "folder": "dogs"},
        ]
        assert [kind_of(row.image) for row in rows] == ["png", "jpg"]

    def test_names_are_data_and_never_paths(self):
        rows = read("images", packed(**{"../../etc/passwd": picture(), "/abs.png": picture()}))
        assert [row["image"] for row in fields(rows)] == ["../../etc/passwd", "/abs.png"]

    def test_a_bad_member_costs_one_row(self):
        rows = read("images", packed(a=picture(), b=SVG, c=b"text", d=picture()))
        assert bad_rows(rows) == [(2, "image"), (3, "image")]
        assert len(fields(rows)) == 2

    def test_passes_over_what_computers_add(self):
        data = packed(**{"__MACOSX/._a.png": b"x", ".DS_Store": b"x", "a.png": picture()})
        assert [row["image"] for row in fields(read("images", data))] == ["a.png"]

    def test_refuses_links(self):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            info = zipfile.ZipInfo("link.png")
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, "/etc/passwd")
        assert "link" in problems(read("images", out.getvalue()))[0].message

    def test_a_member_with_a_wrong_checksum(self):
        data = bytearray(packed(a=picture(size=(50, 50)), b=picture()))
        data[60] ^= 0xFF
        rows = read("images", bytes(data))
        assert bad_rows(rows) == [(1, "image")]

    @pytest.mark.parametrize("data", [b"PK\x03\x04nothing", b"", packed(a=picture())[:-10]])
    def test_refuses_what_is_no_whole_zip(self, data):
        with pytest.raises(FormatError, match="zip"):
            read("images", data)

    def test_a_file_that_is_too_large(self):
        rows = read("images", packed(a=picture()), limits=Limits(image_bytes=10))
        assert "larger than 10 bytes" in problems(rows)[0].message


def test_a_name_that_is_not_written_as_the_zip_says_is_refused():
    data = packed(**{"é.png": picture()}).replace("é.png".encode(), b"\xff\xfe.png")
    for look in (lambda: read("images", data), lambda: format_of(io.BytesIO(data))):
        with pytest.raises(FormatError, match="name of a member"):
            look()
