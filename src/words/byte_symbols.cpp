#include "words/byte_symbols.h"

#include <array>

#include "base/utf8.h"
#include "words/characters.h"

namespace diffusion {

namespace {

bool is_its_own_symbol(int byte) {
  return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xff && byte != 0xad);
}

struct SymbolTable {
  std::array<std::string, 256> symbols;     // by byte
  std::array<unsigned char, 256> in_order;  // bytes, those that are their own symbols first
  std::array<int, 0x100 + 68> byte_of;      // by character; -1: no symbol
};

SymbolTable make_symbol_table() {
  SymbolTable table;
  table.byte_of.fill(-1);
  std::size_t order = 0;
  char32_t next = 0x100;
  for (const bool own : {true, false})
    for (int byte = 0; byte < 256; ++byte) {
      if (is_its_own_symbol(byte) != own) continue;
      const char32_t character = own ? char32_t(byte) : next++;
      table.symbols[std::size_t(byte)] = utf8_of({&character, 1});
      table.byte_of[character] = byte;
      table.in_order[order++] = static_cast<unsigned char>(byte);
    }
  return table;
}

const SymbolTable& symbol_table() {
  static const SymbolTable table = make_symbol_table();
  return table;
}

}  // namespace

std::string_view byte_symbol(unsigned char byte) {
  return symbol_table().symbols[byte];
}

unsigned char byte_in_order(int number) {
  return symbol_table().in_order.at(std::size_t(number));
}

std::optional<std::string> spelled_bytes(std::string_view token) {
  const SymbolTable& table = symbol_table();
  std::string bytes;
  while (!token.empty()) {
    const auto character = take_code_point(token);
    if (!character || *character >= table.byte_of.size() || table.byte_of[*character] < 0)
      return std::nullopt;
    bytes += char(table.byte_of[*character]);
  }
  return bytes;
}

}  // namespace diffusion
