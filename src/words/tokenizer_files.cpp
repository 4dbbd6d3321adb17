#include "words/tokenizer_files.h"

#include <diffusion/error.h>
#include <fmt/format.h>

#include <array>
#include <utility>

#include "files/folders.h"
#include "files/fs.h"
#include "words/special_tokens_file.h"
#include "words/vocabulary_file.h"

namespace diffusion {

namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMostBytes = 64 << 20;  // CLIP's largest has 4 MB

constexpr const char *kVocabFile = "vocab.json", *kMergesFile = "merges.txt",
                     *kConfigFile = "tokenizer_config.json", *kMapFile = "special_tokens_map.json",
                     *kTokenizerFile = "tokenizer.json", *kWordsFile = "words.txt";

constexpr std::array<std::pair<const char*, std::optional<std::string> TokenizerTexts::*>, 6> kFiles = {
    {{kVocabFile, &TokenizerTexts::vocab},
     {kMergesFile, &TokenizerTexts::merges},
     {kConfigFile, &TokenizerTexts::config},
     {kMapFile, &TokenizerTexts::special_tokens_map},
     {kTokenizerFile, &TokenizerTexts::tokenizer},
     {kWordsFile, &TokenizerTexts::words}}};

std::optional<Json> parsed(const std::optional<std::string>& text, const std::string& source) {
  if (!text) return std::nullopt;
  return parse_json(*text, source);
}

// Tokens and merges of vocab.json and merges.txt.
void read_lists(const TokenizerTexts& texts, const fs::path& folder, Vocabulary& vocabulary) {
  const auto needs = [&](const std::optional<std::string>& text, const char* file) -> const std::string& {
    if (text) return *text;
    throw Error(ErrorKind::bad_input,
                fmt::format("{} has no {}; accepted are a folder with {} and {}, and one with {}.",
                            folder.string(), file, kVocabFile, kMergesFile, kTokenizerFile));
  };
  const std::string &vocab = needs(texts.vocab, kVocabFile), &merges = needs(texts.merges, kMergesFile);
  const std::string source = (folder / kVocabFile).string();
  vocabulary.tokens = tokens_from_json(parse_json(vocab, source), source);
  vocabulary.merges = merges_from_text(merges, vocabulary.tokens, (folder / kMergesFile).string());
}

// Tokens and merges of tokenizer.json.
void read_model(const Json& json, const std::string& source, Vocabulary& vocabulary) {
  const std::string where = source + ": field model";
  const Json& model = member(json, "model", source);
  if (const Json* type = model.find("type"); type && *type != Json("BPE"))
    throw Error(ErrorKind::bad_input,
                fmt::format("{}.type is {}; accepted is \"BPE\".", where, dump_json(*type)));
  vocabulary.tokens = tokens_from_json(member(model, "vocab", where), where + ".vocab");
  vocabulary.merges = merges_from_json(member(model, "merges", where), vocabulary.tokens, where + ".merges");
}

std::string vocab_text(const Vocabulary& vocabulary) {
  std::string text = "{";
  for (std::size_t id = 0; id < vocabulary.tokens.size(); ++id)
    text += fmt::format("{}\n  {}: {}", id == 0 ? "" : ",", dump_json(vocabulary.tokens[id]), id);
  return text + "\n}\n";
}

std::string merges_text(const Vocabulary& vocabulary) {
  std::string text = "#version: 0.2\n";
  for (const Merge& merge : vocabulary.merges)
    text +=
        vocabulary.tokens[std::size_t(merge.left)] + " " + vocabulary.tokens[std::size_t(merge.right)] + "\n";
  return text;
}

}  // namespace

Tokenizer parse_tokenizer(const TokenizerTexts& texts, const fs::path& folder) {
  const auto source = [&](const char* file) { return (folder / file).string(); };
  const std::string config_source = source(kConfigFile), map_source = source(kMapFile),
                    tokenizer_source = source(kTokenizerFile);
  const std::optional<Json> config = parsed(texts.config, config_source),
                            map = parsed(texts.special_tokens_map, map_source),
                            whole = parsed(texts.tokenizer, tokenizer_source);
  Vocabulary vocabulary;
  if (whole) {
    read_model(*whole, tokenizer_source, vocabulary);
  } else {
    read_lists(texts, folder, vocabulary);
  }
  read_special_tokens({config ? &*config : nullptr, map ? &*map : nullptr,
                       whole ? &member(*whole, "added_tokens", tokenizer_source) : nullptr, config_source,
                       map_source, tokenizer_source},
                      vocabulary);
  if (texts.words) vocabulary.known_words = words_from_text(*texts.words, source(kWordsFile));
  return Tokenizer(std::move(vocabulary));
}

Tokenizer read_tokenizer(const fs::path& folder) {
  if (path_exists(folder / "added_tokens.json"))
    throw Error(ErrorKind::bad_input,
                fmt::format("{} lists tokens beyond the vocabulary; accepted is a folder without it.",
                            (folder / "added_tokens.json").string()));
  TokenizerTexts texts;
  for (const auto& [name, text] : kFiles)
    if (path_exists(folder / name)) texts.*text = read_text_file(folder / name, kMostBytes);
  return parse_tokenizer(texts, folder);
}

TokenizerTexts tokenizer_texts(const Tokenizer& tokenizer) {
  const Vocabulary& vocabulary = tokenizer.vocabulary();
  TokenizerTexts texts;
  texts.vocab = vocab_text(vocabulary);
  texts.merges = merges_text(vocabulary);
  texts.config = dump_json(tokenizer_config(vocabulary), 2) + "\n";
  texts.special_tokens_map = dump_json(special_tokens_map(vocabulary), 2) + "\n";
  if (!vocabulary.known_words.empty()) {
    texts.words.emplace();
    for (const std::string& word : vocabulary.known_words) *texts.words += word + "\n";
  }
  return texts;
}

void write_tokenizer(const Tokenizer& tokenizer, const fs::path& folder) {
  make_folder(folder);
  const TokenizerTexts texts = tokenizer_texts(tokenizer);
  for (const auto& [name, text] : kFiles)
    if (texts.*text) write_file(folder / name, *(texts.*text));
}

}  // namespace diffusion
