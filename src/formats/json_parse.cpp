#include <fmt/format.h>
#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <charconv>

#include "base/utf8.h"
#include "formats/json.h"

namespace diffusion {

namespace {

// Receives RapidJSON's events and builds the value. A false return stops the parser; reason() then says why.
class Builder {
 public:
  bool Null() { return add(nullptr); }
  bool Bool(bool value) { return add(value); }
  // Numbers come as their text, because RapidJSON's own conversion takes 0E40 for 2e40.
  bool RawNumber(const char* text, rapidjson::SizeType size, bool) {
    const char* end = text + size;
    std::int64_t integer = 0;
    // An integer has no negative zero: -0 is a double, as in serde and JavaScript, and no count or offset.
    if (std::string_view(text, size) == "-0") return add(-0.0);
    if (const auto [stop, error] = std::from_chars(text, end, integer); error == std::errc() && stop == end)
      return add(integer);
    double value = 0;
    if (std::from_chars(text, end, value).ec == std::errc()) return add(value);
    // Too large or too small. Only what is too small may be out of the range of long double, too: RapidJSON
    // has refused larger exponents.
    long double wide = 0;
    std::from_chars(text, end, wide);
    if (wide > 1 || wide < -1) return fail("a number that no double can hold");
    return add(*text == '-' ? -0.0 : 0.0);
  }
  // The reader's template wants these, but calls none of them.
  bool Int(int) { return fail("a converted number"); }
  bool Uint(unsigned) { return fail("a converted number"); }
  bool Int64(std::int64_t) { return fail("a converted number"); }
  bool Uint64(std::uint64_t) { return fail("a converted number"); }
  bool Double(double) { return fail("a converted number"); }
  bool String(const char* text, rapidjson::SizeType size, bool) {
    const std::string_view view(text, size);
    return is_utf8(view) ? add(view) : fail("half of a surrogate pair in a string");
  }

  bool StartObject() { return open(Json::Object{}); }
  bool StartArray() { return open(Json::Array{}); }
  bool EndObject(rapidjson::SizeType) { return close(); }
  bool EndArray(rapidjson::SizeType) { return close(); }

  bool Key(const char* text, rapidjson::SizeType size, bool) {
    const std::string_view view(text, size);
    if (!is_utf8(view)) return fail("half of a surrogate pair in a key");
    const auto [slot, is_new] = std::get<Json::Object>(open_.back()->value()).try_emplace(std::string(view));
    if (!is_new) return fail(fmt::format("the key {} occurs twice", dump_json(view)));
    member_ = &slot->second;
    return true;
  }

  const std::string& reason() const { return reason_; }
  Json take() { return std::move(root_); }

 private:
  bool add(Json value) { return place(std::move(value)) != nullptr; }

  bool open(Json container) {
    if (open_.size() == kMaxJsonDepth) return fail(fmt::format("more than {} nested levels", kMaxJsonDepth));
    Json* placed = place(std::move(container));
    if (placed == nullptr) return false;
    open_.push_back(placed);
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  // Puts the value where it belongs. Pointers in open_ stay valid: an array grows only while its last element
  // is complete.
  Json* place(Json value) {
    if (++count_ > kMaxJsonValues) {
      fail(fmt::format("more than {} values", kMaxJsonValues));
      return nullptr;
    }
    Json* slot = &root_;
    if (!open_.empty()) {
      Json::Array* array = std::get_if<Json::Array>(&open_.back()->value());
      slot = array != nullptr ? &array->emplace_back() : member_;
    }
    *slot = std::move(value);
    return slot;
  }

  bool fail(std::string reason) {
    reason_ = std::move(reason);
    return false;
  }

  Json root_;
  std::vector<Json*> open_;
  Json* member_ = nullptr;
  std::size_t count_ = 0;
  std::string reason_;
};

[[noreturn]] void refuse(std::string_view source_name, std::size_t offset, std::string_view reason) {
  throw Error(ErrorKind::bad_input,
              fmt::format("{} is not valid JSON at byte {}: {}.", source_name, offset, reason));
}

}  // namespace

Json parse_json(std::string_view text, std::string_view source_name) {
  // RapidJSON takes NUL for the end and would ignore what follows.
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos)
    refuse(source_name, nul, "a NUL byte");

  rapidjson::MemoryStream stream(text.data(), text.size());
  rapidjson::Reader reader;
  Builder builder;
  constexpr unsigned kFlags = rapidjson::kParseIterativeFlag | rapidjson::kParseNumbersAsStringsFlag |
                              rapidjson::kParseNanAndInfFlag | rapidjson::kParseValidateEncodingFlag;
  const rapidjson::ParseResult result = reader.Parse<kFlags>(stream, builder);
  if (!result) {
    std::string reason = builder.reason();
    if (reason.empty()) {
      reason = rapidjson::GetParseError_En(result.Code());
      if (reason.ends_with('.')) reason.pop_back();
    }
    refuse(source_name, result.Offset(), reason);
  }
  return builder.take();
}

}  // namespace diffusion
