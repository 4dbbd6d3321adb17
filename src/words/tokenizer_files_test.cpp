#include "words/tokenizer_files.h"

#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "files/fs.h"
#include "formats/json.h"
#include "support/scratch.h"
#include "words/train_tokenizer.h"

namespace diffusion {
namespace {

using scratch::error_of;

Tokenizer trained() {
  return train_tokenizer(std::vector<std::string>(2, "a red table, it's \u65e5\u672c \U0001f600"),
                         {540, 2, 16});
}

// What is said about the files of a sound tokenizer after `damage`.
std::string refused(const std::function<void(TokenizerTexts&)>& damage) {
  TokenizerTexts texts = tokenizer_texts(trained());
  damage(texts);
  return error_of(ErrorKind::bad_input, [&] { parse_tokenizer(texts, "tokenizer"); });
}

void expect_has(const std::string& message, const std::vector<std::string>& parts) {
  for (const std::string& part : parts)
    EXPECT_NE(message.find(part), std::string::npos) << message << "\n  lacks " << part;
}

// A tokenizer with the tokens a, a</w>, <s>, !.
TokenizerTexts tiny(const std::string& config) {
  TokenizerTexts texts;
  texts.vocab = R"({"a": 0, "a</w>": 1, "<s>": 2, "!": 3, "aa</w>": 4})";
  texts.merges = "#version: 0.2\na a</w>\n";
  texts.config = config;
  return texts;
}
const std::string kTinyConfig =
    R"({"bos_token": "<s>", "eos_token": "<s>", "unk_token": "<s>", "pad_token": "!", "model_max_length": 9})";

TEST(TokenizerFiles, ComeBackAsTheyWere) {
  const scratch::Folder folder;
  write_tokenizer(trained(), folder / "tokenizer");
  EXPECT_EQ(read_tokenizer(folder / "tokenizer"), trained());
  Vocabulary other = trained().vocabulary();
  other.known_words.clear();
  other.max_length.reset();
  other.padding = {0, true};
  other.start.in_clean_text = true;
  write_tokenizer(Tokenizer(other), folder / "other");
  EXPECT_EQ(read_tokenizer(folder / "other").vocabulary(), other);
}

TEST(TokenizerFiles, AreThoseOfClip) {
  const TokenizerTexts texts = tokenizer_texts(trained());
  EXPECT_TRUE(texts.vocab->starts_with("{\n  \"!\": 0,\n  \"\\\"\": 1,\n")) << texts.vocab->substr(0, 60);
  EXPECT_TRUE(texts.vocab->ends_with("\n  \"<|endoftext|>\": 529\n}\n"));
  EXPECT_TRUE(texts.merges->starts_with("#version: 0.2\n"));
  const Json config = parse_json(*texts.config, "config");
  EXPECT_EQ(*config.find("tokenizer_class"), Json("CLIPTokenizer"));
  EXPECT_EQ(*config.find("model_max_length"), Json(16));
  EXPECT_EQ(*config.find("pad_token"), Json("<|endoftext|>"));
  EXPECT_FALSE(texts.tokenizer);
}

TEST(TokenizerFiles, MayLackAllButTheLists) {
  TokenizerTexts texts = tokenizer_texts(trained());
  texts.config.reset();
  texts.special_tokens_map.reset();
  texts.words.reset();
  const Tokenizer tokenizer = parse_tokenizer(texts, "tokenizer");
  EXPECT_EQ(tokenizer.encode("a red \U0001f600"), trained().encode("a red \U0001f600"));
  EXPECT_FALSE(tokenizer.vocabulary().max_length);
  std::string dos;
  for (const char c : *texts.merges) dos += c == '\n' ? "\r\n" : std::string(1, c);
  texts.merges = dos.substr(0, dos.size() - 2);  // no end of the last line
  EXPECT_EQ(parse_tokenizer(texts, "tokenizer"), tokenizer);
}

TEST(TokenizerFiles, GiveTokensThatAreTheirOwnAndUnknownBytes) {
  const Tokenizer tokenizer = parse_tokenizer(tiny(kTinyConfig), "tokenizer");
  EXPECT_EQ(tokenizer.encode("aa a!b<s>"), (std::vector<int>{2, 4, 1, 3, 2, 2, 2}));
  EXPECT_EQ(tokenizer.encode_padded("a", 4).ids, (std::vector<int>{2, 1, 2, 3}));
  EXPECT_EQ(tokenizer.vocabulary().max_length, 9);
}

// transformers 5 saves nothing else, transformers 4 this and the other files.
TEST(TokenizerFiles, ReadTokenizerJsonBeforeTheLists) {
  TokenizerTexts texts = tiny(kTinyConfig);
  texts.vocab = "not read";
  texts.tokenizer =
      R"({"added_tokens": [{"id": 2, "content": "<s>", "normalized": true, "special": true}], "model": {"type": "BPE",
      "vocab": {"a": 0, "a</w>": 1, "<s>": 2, "!": 3, "aa</w>": 4}, "merges": [["a", "a</w>"]]}})";
  const Tokenizer tokenizer = parse_tokenizer(texts, "tokenizer");
  EXPECT_EQ(tokenizer.encode("aa<S>"), (std::vector<int>{2, 4, 2, 2}));
  const std::string array = R"([["a", "a</w>"]])";
  texts.tokenizer->replace(texts.tokenizer->find(array), array.size(), R"(["a a</w>"])");
  EXPECT_EQ(parse_tokenizer(texts, "tokenizer"), tokenizer);
  texts.config->insert(1, R"("add_bos_token": false, "use_a_token": true, )");  // nothing to transformers 5
  EXPECT_EQ(parse_tokenizer(texts, "tokenizer"), tokenizer);
}

TEST(TokenizerFiles, LookForSpecialTokensWhereTransformersDoes) {
  const auto in_clean_text = [](const std::string& config, const std::optional<std::string>& map = {}) {
    TokenizerTexts texts = tiny(config);
    texts.special_tokens_map = map;
    return parse_tokenizer(texts, "tokenizer").vocabulary().start.in_clean_text;
  };
  const auto config = [](const std::string& start, const std::string& padding) {
    return R"({"bos_token": )" + start + R"(, "eos_token": "!", "unk_token": "!", "pad_token": )" + padding +
           "}";
  };
  const std::string object = R"({"__type": "AddedToken", "content": "<s>", "normalized": true})";
  EXPECT_TRUE(in_clean_text(config(object, "\"!\"")));
  EXPECT_FALSE(in_clean_text(config("\"<s>\"", "\"!\"")));
  EXPECT_FALSE(in_clean_text(config(object, "\"<s>\"")));  // the last to say
  EXPECT_FALSE(in_clean_text(config(object, "\"!\""), R"({"bos_token": "<s>"})"));
  EXPECT_TRUE(
      in_clean_text(config("\"<s>\"", "\"!\""), R"({"bos_token": {"content": "<s>", "normalized": true}})"));
  std::string listed = config(object, "\"!\"");
  listed.insert(
      1, R"("added_tokens_decoder": {"2": {"content": "<s>", "normalized": false, "special": true}}, )");
  EXPECT_FALSE(in_clean_text(listed, R"({"bos_token": {"content": "<s>", "normalized": true}})"));
}

TEST(TokenizerFiles, RefuseListsThatAreAbsentOrNoLists) {
  expect_has(refused([](auto& texts) { texts.merges.reset(); }), {"tokenizer has no merges.txt", "accepted"});
  expect_has(refused([](auto& texts) { texts.vocab.reset(); }), {"tokenizer has no vocab.json", "accepted"});
  expect_has(refused([](auto& texts) { texts.vocab = ""; }), {"tokenizer/vocab.json"});
  expect_has(refused([](auto& texts) { texts.vocab = "{}"; }), {"tokenizer/vocab.json has no tokens"});
  expect_has(refused([](auto& texts) { texts.vocab = "[]"; }), {"tokenizer/vocab.json"});
  expect_has(refused([](auto& texts) { texts.merges = ""; }), {"tokenizer/merges.txt is empty"});
  expect_has(refused([](auto& texts) { texts.words = "b\na\n"; }),
             {"tokenizer/words.txt, line 2, is \"a\"", "accepted"});
  expect_has(refused([](auto& texts) { texts.tokenizer = "{}"; }),
             {"tokenizer/tokenizer.json: field model is missing"});
  expect_has(refused([](auto& texts) { texts.tokenizer = R"({"model": {"type": "WordPiece"}})"; }),
             {"tokenizer.json: field model.type is \"WordPiece\"; accepted is \"BPE\""});
}

TEST(TokenizerFiles, RefuseIdsThatAreDoubledOrBeyond) {
  const auto with = [](const std::string& vocab) {
    return refused([&](auto& texts) { texts.vocab = vocab; });
  };
  expect_has(with(R"({"a": 0, "b": 0})"),
             {"vocab.json: the id of \"b\" is 0, as that of \"a\"", "accepted are 0 to 1, each once"});
  expect_has(with(R"({"a": 0, "b": 2})"), {"the id of \"b\" is 2; accepted are 0 to 1"});
  expect_has(with(R"({"a": 0, "b": -1})"), {"the id of \"b\" is -1"});
  expect_has(with(R"({"a": 0, "b": 1.0})"), {"the id of \"b\" is", "integer"});
  expect_has(with(R"({"a": 0, "a": 1})"), {"the key \"a\" occurs twice"});
}

TEST(TokenizerFiles, RefuseMergesThatAreNone) {
  const auto with = [](const std::string& lines) {
    return refused([&](auto& texts) { texts.merges = "#version: 0.2\n" + lines; });
  };
  expect_has(with("' s</w>\nt a b\n"),
             {"tokenizer/merges.txt, line 3, is \"t a b\"; accepted are two tokens with a space between"});
  for (const char* line : {"ab", "", " a", "a ", "a  b"})
    expect_has(with(std::string(line) + "\n"), {"line 2, is"});
  expect_has(with("q zz\n"), {"line 2, needs \"zz\"; accepted are tokens of the vocabulary"});
  expect_has(with("q z\n"), {"line 2, needs \"qz\""});
  expect_has(with("' s</w>\n' s</w>\n"), {"line 3, merges \"'\" and \"s</w>\", as merge 1 does already"});
  expect_has(with("r \xff\n"), {"line 2, is not UTF-8"});
  expect_has(with(std::string(100000, 'q') + "\n"), {"line 2, is \"qqq", "(100000 bytes)"});
}

TEST(TokenizerFiles, RefuseSpecialTokensThatAreNotOurs) {
  const auto with = [](const std::string& config) {
    return refused([&](auto& texts) {
      texts.config = config;
      texts.special_tokens_map.reset();
    });
  };
  expect_has(with(R"({"bos_token": "<s>"})"),
             {"tokenizer_config.json: field bos_token is \"<s>\"; accepted are tokens of the vocabulary"});
  expect_has(with(R"({"bos_token": null})"), {"bos_token", "null"});
  expect_has(with(R"({"mask_token": "a"})"), {"mask_token"});
  expect_has(with(R"({"add_eos_token": false})"), {"add_eos_token is false", "true"});
  expect_has(with(R"({"image_token": "a"})"), {"image_token"});
  expect_has(with(R"({"extra_special_tokens": ["a"]})"), {"extra_special_tokens"});
  expect_has(with(R"({"padding_side": "left"})"), {"padding_side is \"left\"", "right"});
  expect_has(with(R"({"tokenizer_class": "BertTokenizer"})"), {"tokenizer_class", "CLIPTokenizer"});
  expect_has(with(R"({"model_max_length": 1})"),
             {"model_max_length is 1; accepted are whole numbers from 2"});
  expect_has(with(R"({"eos_token": {"content": "<|endoftext|>", "lstrip": true}})"), {"eos_token", "lstrip"});
  expect_has(with(R"({"added_tokens_decoder": {"530": {"content": "<cat>"}}})"),
             {"added_tokens_decoder", "<cat>", "accepted"});
  expect_has(with(R"({"added_tokens_decoder": {"7": {"content": "<|endoftext|>"}}})"),
             {"has the id 7; accepted", "529"});
  expect_has(with(R"({"added_tokens_decoder": {"x": {"content": "<|endoftext|>"}}})"), {"\"x\" is no id"});
}

TEST(TokenizerFiles, AreNamedWhenTheyCannotBeRead) {
  const scratch::Folder folder;
  expect_has(error_of(ErrorKind::bad_input, [&] { read_tokenizer(folder.path()); }),
             {folder.path().string(), "vocab.json"});
  write_tokenizer(trained(), folder / "tokenizer");
  write_file(folder / "tokenizer/added_tokens.json", "{}");
  expect_has(error_of(ErrorKind::bad_input, [&] { read_tokenizer(folder / "tokenizer"); }),
             {"added_tokens.json"});
}

}  // namespace
}  // namespace diffusion
