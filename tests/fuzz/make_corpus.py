#!/usr/bin/env python3
"""Writes the seeds of the fuzz targets, corpus/TARGET/*: small, sound files. Needs Pillow and NumPy."""
import io
import json
import pathlib
import struct
import subprocess

import numpy as np
from PIL import Image

CORPUS = pathlib.Path(__file__).parent / "corpus"


def write(target, name, content):
    (CORPUS / target).mkdir(parents=True, exist_ok=True)
    (CORPUS / target / name).write_bytes(content)


def picture(mode, size=(9, 7)):
    channels = len(Image.new(mode, (1, 1)).getbands())
    y, x, c = np.mgrid[0:size[1], 0:size[0], 0:channels]
    array = ((11 * x + 17 * y + 60 * c) % 256).astype(np.uint8)
    if channels == 1:
        return Image.fromarray(array[:, :, 0]).convert(mode)
    return Image.merge(mode, [Image.fromarray(array[:, :, k]) for k in range(channels)])


def encoded(image, form, **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def pictures():
    for mode in ["1", "L", "LA", "P", "RGB", "RGBA"]:
        write("png", mode, encoded(picture(mode), "png"))
        if mode != "LA":
            write("tiff", mode, encoded(picture(mode), "tiff"))
    exif = Image.Exif()
    exif[274] = 6
    write("exif", "little", b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 274, 3, 1, 6, 0, 0))
    write("exif", "big", b"Exif\0\0MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 274, 3, 1, 8, 0, 0))
    write("png", "exif", encoded(picture("RGB"), "png", exif=exif))
    write("png", "transparent", encoded(picture("P"), "png", transparency=3))
    write("png", "sixteen", encoded(Image.fromarray(np.arange(63, dtype=np.uint16).reshape(7, 9) * 999), "png"))
    for mode in ["L", "RGB", "CMYK"]:
        write("jpeg", mode, encoded(picture(mode), "jpeg", quality=60, optimize=True))
    write("jpeg", "progressive", encoded(picture("RGB", (20, 12)), "jpeg", progressive=True))
    write("jpeg", "exif", encoded(picture("L"), "jpeg", exif=exif, optimize=True))
    for compression in ["tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"]:
        write("tiff", compression, encoded(picture("RGB"), "tiff", compression=compression))
    for compression in ["group3", "group4", "tiff_ccitt"]:
        write("tiff", compression, encoded(picture("1", (40, 9)), "tiff", compression=compression))
    write("tiff", "tiles", tiled())
    for mode in ["RGB", "RGBA"]:
        write("webp", f"{mode}-lossless", encoded(picture(mode), "webp", lossless=True))
        write("webp", f"{mode}-lossy", encoded(picture(mode), "webp", quality=60))
    write("webp", "exif", encoded(picture("RGB"), "webp", lossless=True, exif=exif))
    write("webp", "animation", encoded(picture("RGB"), "webp", save_all=True, append_images=[picture("RGBA")]))


def tiled():
    """16 x 32 gray pixels in two tiles, big-endian."""
    entries = [(256, 16), (257, 32), (258, 8), (259, 1), (262, 1), (277, 1), (322, 16), (323, 16)]
    start = 8 + 2 + 12 * (len(entries) + 2) + 4
    directory = b"".join(struct.pack(">HHII", tag, 4, 1, value) for tag, value in entries)
    directory += struct.pack(">HHII", 324, 4, 2, start) + struct.pack(">HHII", 325, 4, 2, start + 8)
    arrays = struct.pack(">IIII", start + 16, start + 16 + 256, 256, 256)
    return b"MM\0*" + struct.pack(">IH", 8, len(entries) + 2) + directory + bytes(4) + arrays + bytes(range(256)) * 2


def arrays():
    for name, array in [("float", np.arange(6, dtype="<f4").reshape(2, 3)), ("byte", np.arange(4, dtype=np.uint8)),
                        ("fortran", np.asfortranarray(np.ones((2, 2), "<f4"))), ("double", np.ones(2)),
                        ("scalar", np.float32(1))]:
        file = io.BytesIO()
        np.save(file, array)
        write("npy", name, file.getvalue())
    write("idx", "labels", struct.pack(">HBBI", 0, 8, 1, 5) + bytes(5))
    write("idx", "images", struct.pack(">HBBIII", 0, 8, 3, 2, 3, 4) + bytes(24))
    write("idx", "packed", subprocess.run(["gzip", "-n"], input=(CORPUS / "idx/labels").read_bytes(),
                                          capture_output=True, check=True).stdout)


def tensors():
    header = {"__metadata__": {"format": "pt"}, "a": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]},
              "b": {"dtype": "BF16", "shape": [3], "data_offsets": [16, 22]},
              "c": {"dtype": "F16", "shape": [], "data_offsets": [22, 24]}}
    text = json.dumps(header).encode()
    write("safetensors", "three", struct.pack("<Q", len(text)) + text + bytes(24))
    write("safetensors", "empty", struct.pack("<Q", 2) + b"{}")
    write("json", "config", b'{"name": "u-net \\u00e9\\ud83d\\ude00", "list": [1, -2.5e-7, true, null, NaN, -Infinity], "o": {}}')
    write("json", "numbers", b"[0E40, -0.0e-40, 1e-400, 1.7e308, 123456789012345678901234567890]")
    write("json", "nested", b"[[[[[[0.1]]]]], 9223372036854775807, 18446744073709551616, \"\\n\"]")


def series():
    write("series", "columns", b'\xef\xbb\xbfdate,a,"b, c"\r\n2016-07-01 00:00:00,1,NaN\r\n2016-07-01T02:00,,-2.5e3\n')
    write("series", "long", b'unique_id,ds,y\nx,1,2\ny,5,1\nx,4,0.5\n')
    write("series", "rows", b'"V1","V2","V3"\n"H1","1","2"\n"H2","3",\n')


def sounds():
    def wav(tag, channels, bits, samples, extra=b""):
        chunk = struct.pack("<HHIIHH", tag, channels, 8000, 8000 * channels * bits // 8, channels * bits // 8, bits) + extra
        body = b"WAVEfmt " + struct.pack("<I", len(chunk)) + chunk + b"LIST\3\0\0\0abc\0data" + struct.pack("<I", len(samples))
        return b"RIFF" + struct.pack("<I", len(body) + len(samples)) + body + samples

    write("wav", "pcm8", wav(1, 1, 8, b"\x80\x00\xff\x10"))
    write("wav", "pcm16_stereo", wav(1, 2, 16, struct.pack("<4h", 1, -2, 300, -32768)))
    write("wav", "pcm24", wav(1, 1, 24, b"\x01\x02\x83"))
    write("wav", "float32", wav(3, 1, 32, struct.pack("<2f", 0.5, -1.25)))
    write("wav", "float64", wav(3, 1, 64, struct.pack("<d", 0.1)))
    guid = b"\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71"
    write("wav", "extensible", wav(0xFFFE, 1, 16, b"\1\2", struct.pack("<HHIH", 22, 16, 4, 1) + guid))
    write("wav", "adpcm", wav(2, 1, 4, b"\0\0"))


def captions():
    write("captions", "csv", b'\0file_name,text\r\na.png,"one, ""two"""\r\n"b.png","two\nlines"\r\n')
    write("captions", "tsv", b'\1file\tname\tkeywords\na.png\tred "cat"\tcat | pet\n\nb.png\tdog\tx')
    write("captions", "jsonl", b'\2{"file": "a.png", "text": "K\\u00e4tzchen"}\n\n{"text": ["b", " c"], "file": "b"}\n')
    write("captions", "txt", b"\3\xef\xbb\xbfa cat\r\n\n two cats \n")


def tokenizers():
    """vocab.json, merges.txt, tokenizer_config.json, special_tokens_map.json, tokenizer.json, words.txt; NUL between."""
    vocab = {"a": 0, "b</w>": 1, "ab</w>": 2, "\u0120": 3, "<|startoftext|>": 4, "<|endoftext|>": 5}
    token = {"content": "<|endoftext|>", "lstrip": False, "normalized": True, "rstrip": False, "single_word": False}
    config = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "eos_token": token | {"__type": "AddedToken"}}
    decoder = {"5": token | {"special": True}}
    write("tokenizer", "lists", "\0".join([json.dumps(vocab), "#version: 0.2\na b</w>\n", json.dumps(config),
                                          json.dumps({"pad_token": "a", "eos_token": token}), "", "ab\nb\n"]).encode())
    write("tokenizer", "listed", "\0".join([json.dumps(vocab), "#version: 0.2\r\na b</w>",
                                           json.dumps({"added_tokens_decoder": decoder})]).encode())
    whole = {"added_tokens": [token | {"id": 5}], "model": {"type": "BPE", "vocab": vocab, "merges": [["a", "b</w>"]]}}
    write("tokenizer", "whole", "\0".join(["", "", "{}", "", json.dumps(whole)]).encode())


if __name__ == "__main__":
    pictures()
    arrays()
    tensors()
    captions()
    series()
    sounds()
    tokenizers()
