// Encodes texts with the tokenizer in a folder, for compare_tokenizer.py, which says how to build it.
// Reads JSON strings, one a line, and prints a line for each: the ids, a tab, and what they decode to, as
// JSON.
#include <fmt/format.h>

#include <cstdio>
#include <iostream>
#include <string>

#include "formats/json.h"
#include "words/tokenizer_files.h"

int main(int argc, char** argv) {
  using namespace diffusion;
  if (argc != 2) {
    std::fputs("Usage: encode_strings FOLDER < STRINGS\n", stderr);
    return 2;
  }
  try {
    const Tokenizer tokenizer = read_tokenizer(argv[1]);
    for (std::string line; std::getline(std::cin, line);) {
      const std::vector<int> ids = tokenizer.encode(to_string(parse_json(line, "stdin"), "stdin"));
      fmt::print("{}\t{}\n", fmt::join(ids, " "), dump_json(tokenizer.decode(ids)));
    }
  } catch (const Error& error) {
    std::fprintf(stderr, "encode_strings: %s\n", error.what());
    return exit_code(error.kind());
  }
}
