#!/usr/bin/env python3
"""Damages small safetensors files in every way, a million times, and asks both the Python package `safetensors` and our
reader. Ours must never crash, and never take a file that Python refuses or read it otherwise. What only Python takes is
counted by the reason that we give; docs/formats.md has the result. Exit code 1 if ours takes too much.

    python3 -m venv /tmp/golden-venv
    /tmp/golden-venv/bin/pip install safetensors numpy
    cd src && g++ -std=c++20 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -I. \
        ../tests/fuzz/safetensors_accepts.cpp base/{error,tensor,utf8}.cpp files/{atomic_file,file_descriptor,folders,fs,mapped_file}.cpp \
        base/float16.cpp formats/{json,json_dump,json_parse,safetensors_read}.cpp -lfmt -lz -o /tmp/safetensors_accepts
    /tmp/golden-venv/bin/python tests/golden/mutate_safetensors.py /tmp/safetensors_accepts 1000000

A third argument is the number of the first file, to repeat one: every file is a function of its number.
"""
import collections
import json
import random
import re
import struct
import subprocess
import sys
import zlib

import numpy as np
import safetensors
from safetensors.numpy import save

BATCH = 2000
INTEGERS = ["0", "1", "2", "4", "8", "12", "-1", "-0", "00", "01", "1.0", "1e0", "1E400", "0.0", "4294967296",
            "9223372036854775807", "9223372036854775808", "18446744073709551615", "18446744073709551616", "NaN",
            "Infinity", "-Infinity", "+1", "0x10", "null", "true", "\"4\"", "[]", "{}", " 4", "4 "]
DTYPES = ["F32", "F16", "BF16", "F64", "I64", "U8", "BOOL", "F4", "F6_E2M3", "F8_E4M3", "F8_E5M2", "F8_E8M0", "C64",
          "f32", "F128", "", "F32 ", "U16", "I8", "F8_E4M3FNUZ"]
TEXTS = ["", "a", "__metadata__", "conv_in.weight", "\\u0000", "\\ud800", "\\ud83d\\ude00", "\u00e9", "\\/", "\\x",
         "\x01", "\x7f", "\\\"", "x" * 1025, "dtype"]
VALUES = ["null", "true", "0", "-1", "1.5", "\"t\"", "[]", "{}", "[1]", "{\"a\":\"b\"}", "{\"a\":1}", "NaN", "[[[[]]]]"]
SPACES = [" ", "\n", "\t", "\r", "\0", "\v", "\ufeff", "  "]


def seeds():
    rng = np.random.default_rng(0)

    def array(dtype, *shape):
        return (rng.standard_normal(shape) * 4).astype(dtype)

    return [
        save({"a": array(np.float32, 2, 3)}),
        save({"conv_in.weight": array(np.float32, 1, 2, 1, 1), "conv_in.bias": array(np.float16, 2),
              "z": array(np.float64, 1)}, metadata={"format": "pt", "made by": "hand"}),
        save({"scalar": np.array(3, np.float32), "empty": array(np.float32, 0, 4), "i": array(np.int64, 2),
              "b": np.array([True, False, True]), "u": array(np.uint8, 5)}),
        save({"\u00e9": array(np.float32, 1), "\"q\\": array(np.int32, 1)}),
        save({}),
        save({}, metadata={"format": "pt"}),
        pack('{"a":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]},'
             '"b":{"dtype":"F8_E4M3","shape":[3],"data_offsets":[4,7]}}', b"1234567"),
    ]


def pack(header, data):
    text = header.encode("utf-8", "surrogatepass")
    return struct.pack("<Q", len(text)) + text + data


def unpack(file):
    """Header text and data, as far as the file has them."""
    if len(file) < 8:
        return "{}", b""
    length = min(struct.unpack("<Q", file[:8])[0], len(file) - 8)
    return file[8:8 + length].decode("utf-8", "replace"), file[8 + length:]


def spots(text, pattern):
    return [match.span() for match in re.finditer(pattern, text)]


def replace_spot(rng, text, pattern, replacements):
    found = spots(text, pattern)
    if not found:
        return text
    begin, end = rng.choice(found)
    return text[:begin] + rng.choice(replacements) + text[end:]


# Each takes a random generator and a file, and gives another file.
def flip_bit(rng, file):
    if not file:
        return file
    at = rng.randrange(len(file))
    return file[:at] + bytes([file[at] ^ 1 << rng.randrange(8)]) + file[at + 1:]


def set_byte(rng, file):
    if not file:
        return file
    at = rng.randrange(len(file))
    return file[:at] + bytes([rng.choice(b"\0\xff{}[]\":,\\ 09-eE.utfn" + bytes([rng.randrange(256)]))]) + file[at + 1:]


def truncate(rng, file):
    return file[:rng.randrange(len(file) + 1)]


def append(rng, file):
    return file + bytes(rng.randrange(256) for _ in range(rng.choice([1, 2, 4, 8, 16])))


def remove_piece(rng, file):
    begin = rng.randrange(len(file) + 1)
    return file[:begin] + file[begin + rng.randint(1, 12):]


def double_piece(rng, file):
    begin = rng.randrange(len(file) + 1)
    end = begin + rng.randint(1, 40)
    return file[:end] + file[begin:]


def header_length(rng, file):
    old = struct.unpack("<Q", file[:8])[0] if len(file) >= 8 else 0
    new = rng.choice([0, 1, 2, 2**31, 2**32, 2**63 - 1, 2**63, 2**64 - 1, 2**64 - 8, 100_000_000, 100_000_001,
                      16_000_001, len(file), len(file) - 8, len(file) - 7, old + 1, old - 1, old + 8, old - 8,
                      old ^ 1 << rng.randrange(64)])
    return struct.pack("<Q", new % 2**64) + file[8:]


def in_header(pattern, replacements):
    def mutate(rng, file):
        text, data = unpack(file)
        return pack(replace_spot(rng, text, pattern, replacements), data)
    return mutate


def header_byte(rng, file):
    text, data = unpack(file)
    raw = bytearray(text.encode("utf-8", "surrogatepass"))
    if raw:
        raw[rng.randrange(len(raw))] = rng.randrange(256)
    return struct.pack("<Q", len(raw)) + bytes(raw) + data


def header_piece(rng, file):
    """Removes, doubles or moves a piece of the header, and keeps its length right."""
    text, data = unpack(file)
    begin, end = sorted((rng.randrange(len(text) + 1), rng.randrange(len(text) + 1)))
    to = rng.randrange(len(text) + 1)
    return pack(rng.choice([text[:begin] + text[end:], text[:end] + text[begin:], text[:to] + text[begin:end] + text[to:]]),
                data)


def duplicate_member(rng, file):
    """One more member of an object, with a key that is there already."""
    text, data = unpack(file)
    keys = [match.group(0) for match in re.finditer(r'"[^"\\]*"(?=:)', text)]
    if not keys:
        return file
    key = rng.choice(keys)
    at = rng.choice([end for _, end in spots(text, r"\{")] or [0])
    comma = "" if text[at:].lstrip().startswith("}") else ","
    value = rng.choice(VALUES + ['{"dtype":"F32","shape":[],"data_offsets":[0,4]}', '{"dtype":"F32","shape":[0],'
                                 '"data_offsets":[0,0]}', "[0,4]", '"F32"'])
    return pack(text[:at] + key + ":" + value + comma + text[at:], data)


def new_member(rng, file):
    text, data = unpack(file)
    at = rng.choice([end for _, end in spots(text, r"\{")] or [0])
    comma = "" if text[at:].lstrip().startswith("}") else ","
    return pack(text[:at] + f'"{rng.choice(TEXTS)}":{rng.choice(VALUES)}{comma}' + text[at:], data)


def edit_tree(rng, file):
    """Changes that keep the JSON sound."""
    text, data = unpack(file)
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError):
        return file
    entries = [v for k, v in tree.items() if isinstance(v, dict) and k != "__metadata__"] if isinstance(tree, dict) else []
    if not entries:
        return file
    entry = rng.choice(entries)
    other = rng.choice(entries)
    kind = rng.randrange(9)
    if kind == 0:
        entry["data_offsets"], other["data_offsets"] = other.get("data_offsets"), entry.get("data_offsets")
    elif kind == 1 and isinstance(entry.get("data_offsets"), list):
        entry["data_offsets"] = entry["data_offsets"][::-1]
    elif kind == 2 and isinstance(entry.get("shape"), list):
        entry["shape"] = entry["shape"] + [1] * rng.choice([1, 2, 6, 7, 8, 30])
    elif kind == 3 and isinstance(entry.get("shape"), list):
        entry["shape"] = entry["shape"][::-1]
    elif kind == 4:
        entry.pop(rng.choice(["dtype", "shape", "data_offsets"]), None)
    elif kind == 5:
        tree["copy"] = dict(entry)
    elif kind == 6 and isinstance(entry.get("data_offsets"), list):
        shift = rng.choice([-4, -1, 1, 4])
        entry["data_offsets"] = [o + shift if isinstance(o, int) else o for o in entry["data_offsets"]]
    elif kind == 7:
        tree["new"] = {"dtype": rng.choice(DTYPES), "shape": [0], "data_offsets": [len(data), len(data)]}
    else:
        count = rng.choice([1, 2, 4, 8])
        tree["new"] = {"dtype": rng.choice(DTYPES), "shape": [rng.choice([1, 2, 4])],
                       "data_offsets": [len(data), len(data) + count]}
        data += b"\x01" * count
    items = list(tree.items())
    rng.shuffle(items)
    return pack(json.dumps(dict(items), ensure_ascii=rng.random() < 0.5, indent=rng.choice([None, None, 1])), data)


def space(rng, file):
    text, data = unpack(file)
    at = rng.choice([0, len(text), rng.randrange(len(text) + 1)])
    return pack(text[:at] + rng.choice(SPACES) * rng.choice([1, 1, 7]) + text[at:], data)


MUTATIONS = [flip_bit, set_byte, truncate, append, remove_piece, double_piece, header_length, header_byte, header_piece,
             duplicate_member, new_member, edit_tree, edit_tree, space, in_header(r"-?\d+", INTEGERS),
             in_header(r"-?\d+", INTEGERS), in_header(r'(?<="dtype":")[^"]*', DTYPES),
             in_header(r'(?<=")[^",:{}\[\]]+(?=")', TEXTS), in_header(r"\[[^\[\]]*\]", VALUES),
             in_header(r"\{[^{}]*\}", VALUES), in_header(r'"[^"]*"', VALUES)]


def mutated(number, files):
    rng = random.Random(number)
    file = rng.choice(files)
    for _ in range(rng.choice([1, 1, 1, 2, 2, 3, 5])):
        file = rng.choice(MUTATIONS)(rng, file)
    return file


def python_reads(file):
    """The checksum of what Python reads; None if it refuses."""
    try:
        tensors = safetensors.deserialize(file)
    except safetensors.SafetensorError:
        return None
    total = 0
    for name, tensor in sorted(tensors, key=lambda item: item[0].encode()):
        shape = "".join(f"{extent}," for extent in tensor["shape"])
        total = zlib.crc32(bytes(tensor["data"]), zlib.crc32(f"{name} {tensor['dtype']} {shape}".encode(), total))
    return total


def our_answers(program, files):
    """(True, checksum) or (False, message) for each file."""
    stream = b"".join(struct.pack("<I", len(file)) + file for file in files)
    result = subprocess.run([program], input=stream, capture_output=True)
    answers, at, out = [], 0, result.stdout
    while at < len(out):
        value, = struct.unpack_from("<I", out, at + 1)
        taken = out[at:at + 1] == b"a"
        answers.append((taken, value if taken else out[at + 5:at + 5 + value].decode("utf-8", "replace")))
        at += 5 if taken else 5 + value
    if result.returncode != 0 or len(answers) != len(files):
        sys.exit(f"ended with {result.returncode} at file {len(answers)} of the batch:\n{result.stderr.decode()[-3000:]}")
    return answers


def reason(message):
    """The message without what differs from file to file."""
    for pattern, name in ((r"occurs twice", "the same key twice"), (r"has the unknown field", "an unknown field of a tensor"),
                          (r"dimensions, more than", "more than 8 dimensions"), (r"name has \d+ bytes", "a name of more than "
                          "1,024 bytes"), (r"field __metadata__ is null", "__metadata__ is null"),
                          (r"an entry of field shape is", "an extent above 2^63 - 1, in an empty tensor")):
        if re.search(pattern, message):
            return name
    return re.sub(r"\d+|/proc/self/fd/\d+", "#", message)[:120]


def main():
    program, total = sys.argv[1], int(sys.argv[2])
    first = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    files = seeds()
    for file in files:
        assert python_reads(file) is not None
    both = neither = wrong = 0
    only_python = collections.Counter()
    for begin in range(first, first + total, BATCH):
        numbers = range(begin, min(begin + BATCH, first + total))
        batch = [mutated(number, files) for number in numbers]
        for number, file, (taken, answer) in zip(numbers, batch, our_answers(program, batch)):
            expected = python_reads(file)
            if expected is None and not taken:
                neither += 1
            elif expected is not None and taken:
                both += 1
                if expected != answer:
                    wrong += 1
                    print(f"file {number} is read otherwise: {file!r}")
            elif taken:
                wrong += 1
                print(f"file {number} is taken by us alone: {file!r}")
            else:
                only_python[reason(answer)] += 1
    print(f"safetensors {safetensors.__version__}: {total:,} files, {both:,} taken by both with the same content, "
          f"{neither:,} refused by both, {sum(only_python.values()):,} taken by Python alone, {wrong:,} wrong")
    for name, count in only_python.most_common():
        print(f"  {count:8,}  {name}")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
