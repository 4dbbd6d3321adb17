#!/usr/bin/env python3
"""Writes pillow_*: what the Pillow library makes of small pictures. The C++ tests only read them. Needs Pillow and NumPy.

Channel c of pixel (x, y) of a synthetic picture is (7 x x + 13 y + 3 x y + 91 c) mod 256, which the tests compute, too.

pillow_images.json
    resize      [{"channels", "from": [w, h], "to": [w, h], "pixels"}]: Image.resize(to, BILINEAR)
    luma        pixels of the 16 x 16 RGB picture after convert("L")
    orient      pixels of the 3 x 2 gray picture after ImageOps.exif_transpose, for orientations 1 to 8
    cmyk        pixels of pillow_cmyk.jpg after convert("RGB")
    tiff_jpeg   pixels of pillow_jpeg.tif
    webp        {name: pixels} of pillow_NAME.webp, after ImageOps.exif_transpose
pillow_*.tif    synthetic pictures, 19 x 11, as TIFF in the ways that Pillow has
pillow_*.webp   the same as WebP
pillow_exif.png the same, RGB, with orientation 6 in the chunk eXIf
"""
import io
import json
import pathlib

import numpy as np
from PIL import Image, ImageOps

FOLDER = pathlib.Path(__file__).parent
MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
SIZES = [
    ((16, 16), (8, 8)), ((17, 13), (7, 5)), ((9, 7), (20, 15)), ((5, 4), (5, 9)), ((6, 3), (11, 3)),
    ((1, 1), (3, 2)), ((1, 9), (4, 2)), ((13, 1), (1, 1)), ((31, 2), (3, 7)), ((12, 12), (11, 13)), ((64, 3), (1, 2)),
]
# Here Pillow 13 resizes columns before rows, so that other values are rounded.
COLUMNS_FIRST = [((16, 16), (20, 5)), ((8, 40), (6, 9))]


def picture(width, height, channels):
    y, x, c = np.mgrid[0:height, 0:width, 0:channels]
    array = ((7 * x * x + 13 * y + 3 * x * y + 91 * c) % 256).astype(np.uint8)
    return Image.fromarray(array[:, :, 0] if channels == 1 else array, MODES[channels])


def pixels(image):
    return np.asarray(image).reshape(-1).tolist()


def upright(image, orientation):
    exif = image.getexif()
    exif[274] = orientation
    file = io.BytesIO()
    image.save(file, "png", exif=exif)
    return pixels(ImageOps.exif_transpose(Image.open(file)))


def write_webp():
    """Writes pillow_*.webp. Returns {name: pixels}."""
    exif = Image.Exif()
    exif[274] = 6
    rgb, rgba = picture(19, 11, 3), picture(19, 11, 4)
    other = picture(19, 11, 3).transpose(Image.Transpose.ROTATE_180)
    files = {
        "lossless": (rgb, {"lossless": True}),
        "lossless_alpha": (rgba, {"lossless": True, "exact": True}),
        "lossy": (rgb, {"quality": 80}),
        "lossy_alpha": (rgba, {"quality": 80, "exact": True}),
        "exif": (rgb, {"lossless": True, "exif": exif}),
        "animation": (rgb, {"lossless": True, "save_all": True, "append_images": [other], "duration": 100}),
    }
    result = {}
    for name, (image, options) in files.items():
        path = FOLDER / f"pillow_{name}.webp"
        image.save(path, **options)
        result[name] = pixels(ImageOps.exif_transpose(Image.open(path)))
    return result


def main():
    resized = [
        {"channels": channels, "from": start, "to": to,
         "pixels": pixels(picture(*start, channels).resize(to, Image.BILINEAR))}
        for channels in MODES for start, to in SIZES + (COLUMNS_FIRST if channels in (1, 3) else [])
    ]
    Image.merge("CMYK", picture(16, 16, 4).split()).save(FOLDER / "pillow_cmyk.jpg", quality=90)

    rgb = picture(19, 11, 3)
    rgb.save(FOLDER / "pillow_lzw.tif", compression="tiff_lzw", tiffinfo={317: 2})  # with predictor
    picture(19, 11, 4).save(FOLDER / "pillow_deflate.tif", compression="tiff_adobe_deflate")
    picture(19, 11, 1).save(FOLDER / "pillow_packbits.tif", compression="packbits")
    rgb.save(FOLDER / "pillow_jpeg.tif", compression="jpeg", quality=90)
    gray = np.asarray(picture(19, 11, 1)).astype(np.uint16)
    Image.fromarray(gray * 257).save(FOLDER / "pillow_16.tif")
    Image.fromarray(np.asarray(picture(19, 11, 1)) >= 128).save(FOLDER / "pillow_group4.tif", compression="group4")
    palette = Image.fromarray(np.asarray(picture(19, 11, 1)) % 16, "P")
    palette.putpalette([v for i in range(16) for v in (16 * i, 255 - i, 7 * i)])
    palette.save(FOLDER / "pillow_palette.tif")

    exif = Image.Exif()
    exif[274] = 6
    rgb.save(FOLDER / "pillow_exif.png", exif=exif)

    goldens = {
        "resize": resized,
        "luma": pixels(picture(16, 16, 3).convert("L")),
        "orient": [upright(picture(3, 2, 1), k) for k in range(1, 9)],
        "cmyk": pixels(Image.open(FOLDER / "pillow_cmyk.jpg").convert("RGB")),
        "tiff_jpeg": pixels(Image.open(FOLDER / "pillow_jpeg.tif")),
        "webp": write_webp(),
    }
    (FOLDER / "pillow_images.json").write_text(json.dumps(goldens, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
