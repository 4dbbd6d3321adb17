#!/usr/bin/env python3
"""Encodes and decodes 100,000 strings with transformers and with our tokenizer, given the same files, and prints how many
differ. docs/words.md has the result. Exit code 1 if any does.

    python3 -m venv /tmp/tokenizer-venv
    /tmp/tokenizer-venv/bin/pip install transformers==5.24.0 tokenizers==0.23.3
    /tmp/tokenizer-venv/bin/pip download --no-deps open_clip_torch==3.3.0 --dest /tmp && unzip -o /tmp/open_clip_torch-*.whl -d /tmp/open_clip
    cd src && g++ -std=c++20 -O2 -I. ../tests/golden/encode_strings.cpp words/{byte_symbols,characters,merge_rules}.cpp \\
        words/{special_tokens_file,split_text,tokenizer,tokenizer_files,vocabulary_file}.cpp base/{error,utf8}.cpp \\
        files/{atomic_file,file_descriptor,folders,fs,mapped_file}.cpp formats/{json,json_dump,json_fields,json_parse}.cpp \\
        -lfmt -lutf8proc -o /tmp/encode_strings
    /tmp/tokenizer-venv/bin/python tests/golden/compare_tokenizer.py /tmp/encode_strings \\
        /tmp/open_clip/open_clip/bpe_simple_vocab_16e6.txt.gz

The second argument is CLIP's own list of merges, from which its files are made, or a folder with a tokenizer. A third is how
many strings (100,000), a fourth the first one's number: every string is a function of its number.
"""
import gzip
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import unicodedata

import tokenizers
import transformers
from transformers import AutoTokenizer

ENDINGS = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'LL", "\u2019s", "''s", "'", "''", "'x", "n't"]
ENTITIES = ["&amp;", "&lt;", "&#39;", "&quot;", "&nbsp;", "&amp;amp;", "&#x1F600;", "&eacute;", "&"]
SPACES = [chr(c) for c in (*range(9, 14), *range(28, 33), 0x85, 0xa0, 0x1680, *range(0x2000, 0x200c), 0x2028, 0x2029,
                           0x202f, 0x205f, 0x2060, 0x3000, 0xfeff, 0x180e)]
SPECIAL = ["<|startoftext|>", "<|endoftext|>", "<|STARTOFTEXT|>", "<|EndOfText|>", "<|endoftext|", "|>", "<|", "</w>",
           "<|endoftext|><|endoftext|>", "<|\u212Aendoftext|>", "!<|endoftext|>!", "<|ENDOFTEXT|>!"]
EMOJI = ["\U0001f600", "\U0001f469\u200d\U0001f692", "\U0001f469\U0001f3fd\u200d\U0001f692", "\U0001f1e9\U0001f1ea", "\u2764\ufe0f",
         "1\ufe0f\u20e3", "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "\u00a9", "\u2122"]
CASED = ["\u0130", "\u0131", "\u1e9e", "\u00df", "\u03a3\u03a3", "\u03c2", "\u01c5", "\ufb01", "\u212a", "\u2126", "\u212b", "\u0345",
         "\u1fbc", "\u01f0", "\u0149", "\u2167", "\u24c0", "\U00010400", "\U0001e900", "\u10a0", "\u1c90", "\u13a0", "\uab70"]
WORDS = """a the of photo photograph woman firefighter medium skin tone red Tulip CAT iPhone11 painting by van Gogh, 4k
 artstation trending unreal-engine #nofilter @user http://example.com/x?y=1 it's don't we'll they've I'm you'd could've
 supercalifragilisticexpialidocious na\u00efve caf\u00e9 \u00dcbergr\u00f6\u00dfe \u65e5\u672c\u8a9e \ud55c\uad6d\uc5b4 \u0420\u0443\u0441\u0441\u043a\u0438\u0439 \u0627\u0644\u0639\u0631\u0628\u064a\u0629
 \u05e2\u05d1\u05e8\u05d9\u05ea \u0939\u093f\u0928\u094d\u0926\u0940 \u0e44\u0e17\u0e22 \u0395\u03bb\u03bb\u03b7\u03bd\u03b9\u03ba\u03ac 12345 3.14 1/2 \u00bd \u2460 \u2163 \u0663 \u0966 100% $5 C++ foo_bar x^2""".split()
MARKS = [c for c in map(chr, range(0x110000)) if unicodedata.combining(c)]
DECOMPOSED = [unicodedata.normalize("NFD", c) for c in map(chr, range(0x110000)) if unicodedata.decomposition(c)]


def any_character(rng):
    while True:
        c = rng.choice([rng.randrange(0x80), rng.randrange(0x800), rng.randrange(0x3000), rng.randrange(0x10000),
                        rng.randrange(0x20000), rng.randrange(0x110000)])
        if not 0xd800 <= c < 0xe000:
            return chr(c)


def run_of_neighbours(rng):
    start = ord(any_character(rng))
    text = "".join(chr((start + rng.randrange(-16, 17)) % 0x110000) for _ in range(rng.randrange(1, 12)))
    return "".join(c for c in text if not 0xd800 <= ord(c) < 0xe000)


def marked(rng):
    base = rng.choice(["a", "e", "O", "\u1100\u1161\u11a8", "\u0915", "\u05d0", any_character(rng), ""])
    marks = "".join(rng.choice(MARKS) if rng.random() < .8 else any_character(rng) for _ in range(rng.randrange(1, 6)))
    return rng.choice([str, lambda t: unicodedata.normalize("NFD", t)])(base + marks)


def cased(rng, word):
    return rng.choice([str, str.upper, str.title, str.swapcase])(word)


def part(rng):
    kind = rng.randrange(16)
    if kind < 4:
        return cased(rng, rng.choice(WORDS))
    if kind == 4:
        return cased(rng, rng.choice(WORDS)) + rng.choice(ENDINGS)
    if kind == 5:
        return "".join(any_character(rng) for _ in range(rng.randrange(1, 8)))
    if kind == 6:
        return run_of_neighbours(rng)
    if kind == 7:
        return marked(rng)
    if kind == 8:
        return rng.choice(EMOJI)
    if kind == 9:
        return rng.choice(ENTITIES)
    if kind == 10:
        return rng.choice(SPECIAL)
    if kind == 11:
        return rng.choice(CASED)
    if kind == 12:
        return "".join(chr(rng.choice([rng.randrange(32), 127, rng.randrange(128, 160)])) for _ in range(rng.randrange(1, 4)))
    if kind == 13:
        return "".join(rng.choice("0123456789.,:-/%\u0663\u00b2\u2460") for _ in range(rng.randrange(1, 10)))
    if kind == 14:
        return rng.choice(DECOMPOSED)
    return "".join(rng.choice("!?.,;:'\"()[]<>|/\\-_=+*&^%$#@~`\u00bf\u2014\u3002") for _ in range(rng.randrange(1, 7)))


def string(number):
    """String number `number`: the first 34,816 have every code point once, those after them are drawn."""
    rng = random.Random(number)
    if number < 0x110000 // 32:  # every code point, in runs of 32: once as it is and once between letters
        points = [chr(c) for c in range(32 * number, 32 * number + 32) if not 0xd800 <= c < 0xe000]
        return "".join(points) if number % 2 else "x".join(points)
    if rng.random() < .005:  # a very long word
        return cased(rng, "".join(rng.choice(WORDS) for _ in range(rng.randrange(50, 300))))
    text = ""
    for _ in range(rng.randrange(1, 12)):
        text += part(rng)
        if rng.random() < .6:
            text += "".join(rng.choice(SPACES) if rng.random() < .3 else " " for _ in range(rng.randrange(1, 3)))
    return text


def make_clip_files(merges, folder):
    """The files of openai/clip-vit-large-patch14, which Stable Diffusion 1.5 has, too."""
    lines = gzip.open(merges, "rt", encoding="utf-8").read().split("\n")[1:49152 - 256 - 2 + 1]
    own = [*range(0x21, 0x7f), *range(0xa1, 0xad), *range(0xae, 0x100)]
    symbols = [chr(b) for b in own] + [chr(256 + i) for i in range(256 - len(own))]
    tokens = symbols + [s + "</w>" for s in symbols] + ["".join(line.split()) for line in lines]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(tokens)}), encoding="utf-8")
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *lines, ""]), encoding="utf-8")

    def added(text, **more):
        return {"content": text, "lstrip": False, "normalized": True, "rstrip": False, "single_word": False, **more}
    tokens = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"}
    config = {key: added(text, __type="AddedToken") for key, text in tokens.items()}
    config |= {"pad_token": "<|endoftext|>", "model_max_length": 77, "tokenizer_class": "CLIPTokenizer"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    token_map = {key: added(text) for key, text in tokens.items()} | {"pad_token": "<|endoftext|>"}
    (folder / "special_tokens_map.json").write_text(json.dumps(token_map))


def main(program, source, count=100_000, first=0):
    folder = pathlib.Path(source)
    if not folder.is_dir():
        folder = pathlib.Path(tempfile.mkdtemp())
        make_clip_files(source, folder)
    theirs = AutoTokenizer.from_pretrained(folder)
    strings = [string(number) for number in range(int(first), int(first) + int(count))]
    lines = "".join(json.dumps(text) + "\n" for text in strings)
    ours = subprocess.run([program, folder], input=lines, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(ours) == len(strings)
    ids_differ = texts_differ = 0
    for number, (text, line) in enumerate(zip(strings, ours), int(first)):
        ids = theirs(text).input_ids
        our_ids, our_text = line.split("\t")
        our_ids, our_text = [int(i) for i in our_ids.split()], json.loads(our_text)
        ids_differ += our_ids != ids
        texts_differ += our_text != theirs.decode(ids, skip_special_tokens=True)
        if our_ids != ids and ids_differ <= 20:
            print(f"string {number}, {text!r}\n  theirs {theirs.convert_ids_to_tokens(ids)}\n  "
                  f"ours   {theirs.convert_ids_to_tokens(our_ids)}")
        elif our_ids == ids and our_text != theirs.decode(ids, skip_special_tokens=True) and texts_differ <= 20:
            print(f"string {number} decodes to\n  theirs {theirs.decode(ids, skip_special_tokens=True)!r}\n  ours   {our_text!r}")
    print(f"transformers {transformers.__version__} ({type(theirs).__name__}), tokenizers {tokenizers.__version__}: of "
          f"{len(strings)} strings ({sum(map(len, strings))} characters) {ids_differ} have other ids, {texts_differ} decode otherwise")
    return 1 if ids_differ or texts_differ else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
