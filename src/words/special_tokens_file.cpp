#include "words/special_tokens_file.h"

#include <diffusion/error.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string>
#include <vector>

#include "formats/json_fields.h"

namespace diffusion {

namespace {

// In the order in which transformers adds them.
struct Role {
  std::string_view field;
  SpecialToken Vocabulary::*token;
  std::string_view otherwise;
};
constexpr std::array<Role, 4> kRoles = {{{"bos_token", &Vocabulary::start, kStartText},
                                         {"eos_token", &Vocabulary::end, kEndText},
                                         {"unk_token", &Vocabulary::unknown, kEndText},
                                         {"pad_token", &Vocabulary::padding, kEndText}}};

// A special token as files write it.
struct WrittenToken {
  std::string text;
  bool in_clean_text = false;

  bool operator==(const WrittenToken&) const = default;
};

// An object such as {"content": "<|endoftext|>", "normalized": true}.
WrittenToken token_of_object(const Json& json, std::string_view where, bool in_clean_text) {
  const JsonFields fields(json, where);
  for (const std::string_view field : {"lstrip", "rstrip", "single_word"}) fields.only_flag(field, false);
  return {to_string(fields.need("content"), fields.where("content")),
          fields.flag("normalized", in_clean_text)};
}

// A text, or an object, in which "normalized" is `in_clean_text` if it is absent.
WrittenToken written_token(const Json& json, std::string_view where, bool in_clean_text) {
  if (const auto* text = std::get_if<std::string>(&json.value())) return {*text, false};
  return token_of_object(json, where, in_clean_text);
}

// What would change the ids, or where start, end and padding are, and is not ours.
void refuse_foreign(const JsonFields& config, bool has_tokenizer_json) {
  constexpr std::array<std::string_view, 2> kClasses = {"CLIPTokenizer", "CLIPTokenizerFast"};
  config.choice("tokenizer_class", kClasses[0], kClasses);
  config.only_text("padding_side", "right");
  config.only_text("truncation_side", "right");
  config.only_flag("split_special_tokens", false);
  config.only_flag("add_prefix_space", false);
  for (const std::string_view field : {"add_bos_token", "add_eos_token"})
    if (config.find(field) && !has_tokenizer_json) config.only_flag(field, true);
}

void refuse_more_tokens(const JsonFields& fields) {
  for (const std::string_view field : {"sep_token", "cls_token", "mask_token"}) fields.only_null(field);
  for (const std::string_view field : {"additional_special_tokens", "extra_special_tokens"}) {
    const Json* tokens = fields.find(field);
    const auto* array = tokens ? std::get_if<Json::Array>(&tokens->value()) : nullptr;
    const auto* object = tokens ? std::get_if<Json::Object>(&tokens->value()) : nullptr;
    if ((array && array->empty()) || (object && object->empty())) continue;
    fields.only_null(field);
  }
  for (const std::string& field : fields.unknown()) {
    const Json& value = fields.need(field);
    const bool is_token = std::holds_alternative<std::string>(value.value()) ||
                          std::holds_alternative<Json::Object>(value.value());
    if (field.ends_with("_token") && is_token) fields.only_null(field);
  }
}

std::optional<int> max_length_of(const JsonFields& config) {
  const Json* value = config.find("model_max_length");
  if (!value || value->is_null()) return std::nullopt;
  const double length = to_double(*value, config.where("model_max_length"));
  // transformers writes 1e30 where there is no limit.
  if (length > 1e9) return std::nullopt;
  if (!(length >= 2) || length != std::floor(length))
    throw Error(ErrorKind::bad_input, fmt::format("{} is {}; accepted are whole numbers from 2.",
                                                  config.where("model_max_length"), length));
  return int(length);
}

// A token that a list names with its id.
struct ListedToken {
  WrittenToken token;
  std::int64_t id;
  std::string where;
};

// added_tokens_decoder of the configuration, {"<id>": {...}}, or added_tokens of tokenizer.json, [{"id":
// ...}].
std::vector<ListedToken> listed_tokens(const SpecialTokenFiles& files) {
  std::vector<ListedToken> tokens;
  if (const Json* decoder = files.config ? files.config->find("added_tokens_decoder") : nullptr) {
    const std::string source = fmt::format("{}: field added_tokens_decoder", files.config_source);
    for (const auto& [key, value] : to_object(*decoder, source)) {
      const std::string where = fmt::format("{}, member {}", source, dump_json(key));
      std::int64_t id = -1;
      const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
      if (error != std::errc() || end != key.data() + key.size())
        throw Error(ErrorKind::bad_input, fmt::format("{} is no id; accepted are whole numbers.", where));
      tokens.push_back({token_of_object(value, where, !value.find("special")), id, where});
    }
  } else if (files.added_tokens) {
    const std::string source = fmt::format("{}: field added_tokens", files.tokenizer_source);
    for (const Json& value : to_array(*files.added_tokens, source)) {
      const std::string where = fmt::format("{}, item {}", source, tokens.size() + 1);
      const std::int64_t id = to_int(member(value, "id", where), where + ": field id");
      tokens.push_back({token_of_object(value, where, false), id, where});
    }
  }
  return tokens;
}

// Where the token is in the vocabulary. Special ones are mostly the last.
int id_of(const Vocabulary& vocabulary, const std::string& text, std::string_view where) {
  const auto found = std::find(vocabulary.tokens.rbegin(), vocabulary.tokens.rend(), text);
  if (text.empty() || found == vocabulary.tokens.rend())
    throw Error(ErrorKind::bad_input,
                fmt::format("{} is {}; accepted are tokens of the vocabulary.", where, dump_json(text)));
  return int(vocabulary.tokens.rend() - found) - 1;
}

struct RoleToken {
  WrittenToken token;
  std::string where;
};

// The tokens of the four roles, as the files name them.
std::array<RoleToken, 4> role_tokens(const SpecialTokenFiles& files) {
  std::array<RoleToken, 4> tokens;
  for (std::size_t i = 0; i < kRoles.size(); ++i)
    tokens[i] = {{std::string(kRoles[i].otherwise)},
                 fmt::format("{}: the absent field {}", files.config_source, kRoles[i].field)};
  const auto take = [&](const JsonFields& fields, bool in_clean_text) {
    for (std::size_t i = 0; i < kRoles.size(); ++i)
      if (const Json* value = fields.find(kRoles[i].field)) {
        const std::string where = fields.where(kRoles[i].field);
        tokens[i] = {written_token(*value, where, in_clean_text), where};
      }
    refuse_more_tokens(fields);
  };
  if (files.config) {
    const JsonFields config(*files.config, files.config_source);
    refuse_foreign(config, files.added_tokens != nullptr);
    take(config, true);
  }
  if (files.map && !(files.config && files.config->find("added_tokens_decoder")))
    take(JsonFields(*files.map, files.map_source), false);
  return tokens;
}

}  // namespace

void read_special_tokens(const SpecialTokenFiles& files, Vocabulary& vocabulary) {
  std::array<RoleToken, 4> roles = role_tokens(files);
  const std::vector<ListedToken> listed = listed_tokens(files);
  for (const ListedToken& token : listed) {
    const auto is_it = [&](const RoleToken& role) { return role.token.text == token.token.text; };
    if (std::ranges::none_of(roles, is_it))
      throw Error(ErrorKind::bad_input,
                  fmt::format("{} is {}; accepted are the start, end, padding and unknown token.",
                              token.where, dump_json(token.token.text)));
    if (const int id = id_of(vocabulary, token.token.text, token.where); id != token.id)
      throw Error(ErrorKind::bad_input,
                  fmt::format("{} has the id {}; accepted is that of the vocabulary, {}.", token.where,
                              token.id, id));
    for (RoleToken& role : roles)
      if (is_it(role)) role.token = token.token;
  }
  // Of roles that have one token but differ in how it is looked for, the last is right, not counting
  // repetitions.
  std::vector<WrittenToken> distinct;
  for (const RoleToken& role : roles)
    if (std::ranges::find(distinct, role.token) == distinct.end()) distinct.push_back(role.token);
  for (std::size_t i = 0; i < kRoles.size(); ++i) {
    const auto last = std::find_if(distinct.rbegin(), distinct.rend(), [&](const WrittenToken& token) {
      return token.text == roles[i].token.text;
    });
    vocabulary.*kRoles[i].token = {id_of(vocabulary, last->text, roles[i].where), last->in_clean_text};
  }
  if (files.config) vocabulary.max_length = max_length_of(JsonFields(*files.config, files.config_source));
}

Json tokenizer_config(const Vocabulary& vocabulary) {
  Json::Object config{{"do_lower_case", true}, {"errors", "replace"}, {"tokenizer_class", "CLIPTokenizer"}};
  if (vocabulary.max_length) config["model_max_length"] = *vocabulary.max_length;
  Json::Object listed;
  for (const Role& role : kRoles) {
    const SpecialToken& token = vocabulary.*role.token;
    const std::string& text = vocabulary.tokens[std::size_t(token.id)];
    config[std::string(role.field)] = text;
    listed[std::to_string(token.id)] =
        Json::Object{{"content", text}, {"lstrip", false},      {"normalized", token.in_clean_text},
                     {"rstrip", false}, {"single_word", false}, {"special", true}};
  }
  config["added_tokens_decoder"] = std::move(listed);
  return config;
}

Json special_tokens_map(const Vocabulary& vocabulary) {
  Json::Object map;
  for (const Role& role : kRoles)
    map[std::string(role.field)] = vocabulary.tokens[std::size_t((vocabulary.*role.token).id)];
  return map;
}

}  // namespace diffusion
