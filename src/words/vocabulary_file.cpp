#include "words/vocabulary_file.h"

#include <diffusion/error.h>
#include <fmt/format.h>

#include <functional>
#include <unordered_map>
#include <utility>

#include "base/utf8.h"

namespace diffusion {

namespace {

[[noreturn]] void refuse(std::string_view where, std::string_view found, std::string_view accepted) {
  throw Error(ErrorKind::bad_input, fmt::format("{} {}; accepted are {}.", where, found, accepted));
}

// In quotes, without control characters, cut where it is long.
std::string shown(std::string_view text) {
  constexpr std::size_t kMost = 60;
  if (text.size() <= kMost) return dump_json(text);
  std::string_view rest = text;
  while (text.size() - rest.size() < kMost) take_code_point(rest);
  return fmt::format("{}... ({} bytes)", dump_json(text.substr(0, text.size() - rest.size())), text.size());
}

// Calls `use` with each line and its number, from 1. A line ends with LF or CR LF, the last with nothing,
// too.
void for_each_line(std::string_view text, std::string_view source,
                   const std::function<void(std::string_view line, int number)>& use) {
  if (text.empty()) throw Error(ErrorKind::bad_input, fmt::format("{} is empty.", source));
  for (int number = 1; !text.empty(); ++number) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!is_utf8(line))
      throw Error(ErrorKind::bad_input, fmt::format("{}, line {}, is not UTF-8.", source, number));
    use(line, number);
  }
}

// Turns pairs of texts into merges.
class MergeReader {
 public:
  explicit MergeReader(const std::vector<std::string>& tokens) {
    ids_.reserve(tokens.size());
    for (std::size_t id = 0; id < tokens.size(); ++id) ids_.emplace(tokens[id], int(id));
  }

  // `where` says which merge this is, in messages, now and where a later one is the same.
  void add(std::string_view left, std::string_view right, const std::string& where) {
    const Merge merge{id_of(left, where), id_of(right, where), id_of(std::string(left).append(right), where)};
    const auto key = (std::uint64_t(merge.left) << 32) | std::uint32_t(merge.right);
    if (const auto [first, is_new] = places_.try_emplace(key, merges_.size() + 1); !is_new)
      throw Error(ErrorKind::bad_input, fmt::format("{} merges {} and {}, as merge {} does already.", where,
                                                    shown(left), shown(right), first->second));
    merges_.push_back(merge);
  }

  std::vector<Merge> take() { return std::move(merges_); }

 private:
  int id_of(std::string_view token, const std::string& where) const {
    const auto found = ids_.find(token);
    if (found == ids_.end()) refuse(where, "needs " + shown(token), "tokens of the vocabulary");
    return found->second;
  }

  std::unordered_map<std::string_view, int> ids_;
  std::unordered_map<std::uint64_t, std::size_t> places_;
  std::vector<Merge> merges_;
};

// Two parts that are not empty, with one space between.
std::pair<std::string_view, std::string_view> split_merge(std::string_view merge, const std::string& where) {
  const std::size_t space = merge.find(' ');
  if (space == merge.npos || space == 0 || space + 1 == merge.size() ||
      merge.find(' ', space + 1) != merge.npos)
    refuse(where, "is " + shown(merge), "two tokens with a space between");
  return {merge.substr(0, space), merge.substr(space + 1)};
}

}  // namespace

std::vector<std::string> tokens_from_json(const Json& json, std::string_view source) {
  const Json::Object& object = to_object(json, source);
  if (object.empty()) throw Error(ErrorKind::bad_input, fmt::format("{} has no tokens.", source));
  std::vector<const std::string*> by_id(object.size());
  for (const auto& entry : object) {
    const std::string& token = entry.first;
    const Json& value = entry.second;
    const auto where = [&] { return fmt::format("{}: the id of {}", source, shown(token)); };
    const auto* found = std::get_if<std::int64_t>(&value.value());
    const std::int64_t id = found ? *found : to_int(value, where());
    const auto accepted = [&] { return fmt::format("0 to {}, each once", by_id.size() - 1); };
    if (id < 0 || id >= std::int64_t(by_id.size())) refuse(where(), fmt::format("is {}", id), accepted());
    if (by_id[std::size_t(id)])
      refuse(where(), fmt::format("is {}, as that of {}", id, shown(*by_id[std::size_t(id)])), accepted());
    by_id[std::size_t(id)] = &token;
  }
  std::vector<std::string> tokens;
  tokens.reserve(by_id.size());
  for (const std::string* token : by_id) tokens.push_back(*token);
  return tokens;
}

std::vector<Merge> merges_from_text(std::string_view text, const std::vector<std::string>& tokens,
                                    std::string_view source) {
  MergeReader reader(tokens);
  for_each_line(text, source, [&](std::string_view line, int number) {
    if (line.starts_with("#version")) return;
    const std::string where = fmt::format("{}, line {},", source, number);
    const auto [left, right] = split_merge(line, where);
    reader.add(left, right, where);
  });
  return reader.take();
}

std::vector<Merge> merges_from_json(const Json& json, const std::vector<std::string>& tokens,
                                    std::string_view source) {
  MergeReader reader(tokens);
  std::size_t number = 0;
  for (const Json& item : to_array(json, source)) {
    const std::string where = fmt::format("{}, item {},", source, ++number);
    if (const auto* text = std::get_if<std::string>(&item.value())) {
      const auto [left, right] = split_merge(*text, where);
      reader.add(left, right, where);
      continue;
    }
    const Json::Array& pair = to_array(item, where);
    if (pair.size() != 2) refuse(where, fmt::format("has {} parts", pair.size()), "two");
    reader.add(to_string(pair[0], where), to_string(pair[1], where), where);
  }
  return reader.take();
}

std::vector<std::string> words_from_text(std::string_view text, std::string_view source) {
  std::vector<std::string> words;
  for_each_line(text, source, [&](std::string_view line, int number) {
    if (line.empty() || (!words.empty() && line <= words.back()))
      refuse(fmt::format("{}, line {},", source, number), "is " + shown(line),
             "words in the order of their bytes, each once");
    words.emplace_back(line);
  });
  return words;
}

}  // namespace diffusion
