#!/usr/bin/env python3
"""Writes words.json: a small vocabulary learned from captions, and strings as transformers encodes and decodes them with it.
The C++ tests only read it; compare_tokenizer.py, which has the environment, compares many more.

captions   what the vocabulary is learned from
vocabulary how many tokens it may have
merges     [n][2] learned here by the rule of src/words/train_tokenizer.h, in a dozen lines of Python
words      the words of the captions, sorted
strings    text; ids, with start and end; decoded, without special tokens
padded     length; ids cut or padded to it, and how many of them the attention mask has
"""
import collections
import json
import pathlib
import tempfile

import compare_tokenizer as compare
from transformers import AutoTokenizer

VOCABULARY = 700
CAPTIONS = [f"{article} {color} {thing} {place}" for article in ("a", "the") for color in ("red", "green", "dark blue", "")
            for thing in ("cat's ball", "firefighter", "caf\u00e9", "TULIPS", "woman: medium skin tone")
            for place in ("on the table.", "in the rain!", "1984")] + ["\u65e5\u672c\u8a9e", "\U0001f600 \U0001f600", "e\u0301t\u00e9 we'll"]
HARD = ["", " ", "\0", "a\0b", "\t\n", "A", "a\u0301", "hello  world", "It's we'LL I'd they've", "''s 's' s's", "a<|endoftext|>b",
        "<|startoftext|>", "<|STARTOFTEXT|>!", "<|endoftext|", "</w>", "a</w>b", "\u0130stanbul", "\u03a3\u0391\u03a3", "\u212b\u212a\u2126", "\ufb01ne", "x\u00ad\u200by",
        "\u1100\u1161\u11a8", "\u0915\u093f", "q\u0307\u0323", "a\u0898\u0323", "\U00011935\U00011930", "\U00011938", "\U00016ea0", "\ua7cb", "\U00010d50a", "\U0002ebf0b",
        "\ue000\ufffd\uffff\U0010ffff", "12\u00bd\u2460\u0663", "\u2028x\u0085y\u00a0z\u3000\u180ew\ufeff", "table" * 40, "!" * 50, "the " * 90]


def learn(counts, size):
    """[(left, right)] as texts: again the most frequent pair, of equal ones that with the smallest ids."""
    own = [*range(0x21, 0x7f), *range(0xa1, 0xad), *range(0xae, 0x100)]
    symbols = [chr(b) for b in own] + [chr(256 + i) for i in range(256 - len(own))]
    tokens = symbols + [s + "</w>" for s in symbols]
    words = {tuple([*word[:-1], word[-1] + "</w>"]): count for word, count in counts.items()}
    merges = []
    while len(tokens) + 2 < size:
        ids = {token: i for i, token in enumerate(tokens)}
        pairs = collections.Counter()
        for word, count in words.items():
            for pair in zip(word, word[1:]):
                pairs[pair] += count
        best = min(pairs, key=lambda pair: (-pairs[pair], ids[pair[0]], ids[pair[1]]), default=None)
        if best is None or pairs[best] < 2:
            break
        merges.append(best)
        if "".join(best) not in ids:
            tokens.append("".join(best))
        words = {merged(word, best): count for word, count in words.items()}
    return tokens + ["<|startoftext|>", "<|endoftext|>"], merges


def merged(word, pair):
    out = []
    for token in word:
        if out and (out[-1], token) == pair and not isinstance(out[-1], Merged):
            out[-1] = Merged(out[-1] + token)
        else:
            out.append(token)
    return tuple(map(str, out))


class Merged(str):
    """A token that was made in this pass, so is not merged again in it."""


def write(folder, tokens, merges):
    (folder / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *map(" ".join, merges), ""]), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "CLIPTokenizer", "model_max_length": 77}))
    return AutoTokenizer.from_pretrained(folder)


def dumps(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def main():
    with tempfile.TemporaryDirectory() as name:
        tokens, merges = learn({}, VOCABULARY)
        splitter = write(pathlib.Path(name), tokens, merges).backend_tokenizer
        counts, spelled = collections.Counter(), {}
        for caption in CAPTIONS:
            clean = splitter.normalizer.normalize_str(caption)
            for word, (begin, end) in splitter.pre_tokenizer.pre_tokenize_str(clean):
                counts[word] += 1
                spelled[word] = clean[begin:end]
        tokens, merges = learn(counts, VOCABULARY)
        tokenizer = write(pathlib.Path(name), tokens, merges)
    drawn = [compare.string(number) for number in range(40_000, 41_000)]
    texts = HARD + CAPTIONS[:20] + [text for text in drawn if len(text) < 40][:130]
    strings = []
    for text in texts:
        ids = tokenizer(text).input_ids
        strings.append({"text": text, "ids": ids, "decoded": tokenizer.decode(ids, skip_special_tokens=True)})
    padded = []
    for length in (2, 3, 8, 77):
        encoded = tokenizer(CAPTIONS[0], max_length=length, padding="max_length", truncation=True)
        padded.append({"length": length, "ids": encoded.input_ids, "used": sum(encoded.attention_mask)})
    golden = {"captions": CAPTIONS, "vocabulary": VOCABULARY, "merges": merges,
              "words": sorted(spelled.values(), key=str.encode), "strings": strings, "padded": padded}
    lines = ",\n".join(f"{json.dumps(key)}: {dumps(value)}" for key, value in golden.items())
    (pathlib.Path(__file__).parent / "words.json").write_text("{" + lines + "}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
