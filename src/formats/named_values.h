#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

#include "formats/json_fields.h"

namespace diffusion {

// A value, and what it is called in files. Tables of these may call one value several names; the first is the
// one that is written.
template <class T>
struct NamedValue {
  std::string_view text;
  T value;
};

// `value` must be in the table.
template <class T, std::size_t N>
std::string_view name_of(const NamedValue<T> (&names)[N], T value) {
  return std::ranges::find(names, value, &NamedValue<T>::value)->text;
}

// The value that the field's text names; `otherwise` if it is absent. Errors as JsonFields::choice().
template <class T, std::size_t N>
T choose(const JsonFields& f, std::string_view field, const NamedValue<T> (&names)[N], T otherwise) {
  std::array<std::string_view, N> texts;
  std::ranges::transform(names, texts.begin(), &NamedValue<T>::text);
  return names[f.choice(field, name_of(names, otherwise), texts)].value;
}

}  // namespace diffusion
