#include "words/train_tokenizer.h"

#include <diffusion/error.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <queue>
#include <tuple>
#include <unordered_map>

#include "words/byte_symbols.h"

namespace diffusion {

namespace {

using WordCounts = std::unordered_map<std::string, std::int64_t>;

struct CountedWord {
  std::vector<int> tokens;
  std::int64_t count;
};

using TokenPair = std::pair<int, int>;

struct PairHash {
  std::size_t operator()(TokenPair pair) const {
    return std::hash<std::uint64_t>()((std::uint64_t(std::uint32_t(pair.first)) << 32) |
                                      std::uint32_t(pair.second));
  }
};

struct PairFacts {
  std::int64_t count = 0;
  std::vector<std::size_t> words;  // in which it is or was, some several times
};

// An entry of the queue: the count may be out of date.
struct PairCount {
  std::int64_t count;
  TokenPair pair;

  bool operator<(const PairCount& other) const {
    return std::tie(count, other.pair) < std::tie(other.count, pair);
  }
};

// Words as tokens, how often each pair is in them, and which pair is the most frequent.
class PairCounter {
 public:
  explicit PairCounter(std::vector<CountedWord> words) : words_(std::move(words)) {
    for (std::size_t word = 0; word < words_.size(); ++word)
      add_pairs(word, std::vector<char>(words_[word].tokens.size(), 1), +1);
    queue_grown();
  }

  // The pair to be merged next. Its count is below 1 if there is none.
  PairCount most_frequent() {
    while (!queue_.empty()) {
      const PairCount top = queue_.top();
      const auto found = pairs_.find(top.pair);
      const std::int64_t count = found == pairs_.end() ? 0 : found->second.count;
      if (count == top.count) return top;
      queue_.pop();
      if (count > 0) queue_.push({count, top.pair});
    }
    return {0, {}};
  }

  // Puts `merged` in place of the pair in all words.
  void merge(TokenPair pair, int merged) {
    const std::vector<std::size_t> words = std::move(pairs_[pair].words);
    for (const std::size_t word : words) replace(word, pair, merged);
    pairs_.erase(pair);
    queue_grown();
  }

 private:
  // Adds the word's count (or with sign -1 takes it from) the pairs of which a token is marked.
  void add_pairs(std::size_t word, const std::vector<char>& marked, int sign) {
    const auto& [tokens, count] = words_[word];
    for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
      if (!marked[i] && !marked[i + 1]) continue;
      const TokenPair pair(tokens[i], tokens[i + 1]);
      PairFacts& facts = pairs_[pair];
      facts.count += sign * count;
      if (sign < 0) continue;
      if (facts.words.empty() || facts.words.back() != word) facts.words.push_back(word);
      grown_.push_back(pair);
    }
  }

  void replace(std::size_t word, TokenPair pair, int merged) {
    std::vector<int>& tokens = words_[word].tokens;
    std::vector<int> fresh;
    std::vector<char> marked(tokens.size()), marked_fresh;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      const bool here = i + 1 < tokens.size() && TokenPair(tokens[i], tokens[i + 1]) == pair;
      fresh.push_back(here ? merged : tokens[i]);
      marked_fresh.push_back(here);
      if (here) marked[i] = marked[i + 1] = 1, ++i;
    }
    if (fresh.size() == tokens.size()) return;  // it was here once, or was listed twice
    add_pairs(word, marked, -1);
    tokens = std::move(fresh);
    add_pairs(word, marked_fresh, +1);
  }

  void queue_grown() {
    std::ranges::sort(grown_);
    const auto doubled = std::ranges::unique(grown_);
    grown_.erase(doubled.begin(), doubled.end());
    for (const TokenPair& pair : grown_)
      if (const auto found = pairs_.find(pair); found != pairs_.end() && found->second.count > 0)
        queue_.push({found->second.count, pair});
    grown_.clear();
  }

  std::vector<CountedWord> words_;
  std::unordered_map<TokenPair, PairFacts, PairHash> pairs_;
  std::vector<TokenPair> grown_;  // pairs that the last change brought
  std::priority_queue<PairCount> queue_;
};

void check(const TokenizerTraining& settings) {
  const auto at_least = [](std::string_view field, int value, int least) {
    if (value < least)
      throw Error(ErrorKind::usage, fmt::format("{} is {}; accepted is {} or more.", field, value, least),
                  {std::string(field)});
  };
  at_least("vocabulary", settings.vocabulary, kSmallestVocabulary);
  at_least("least_count", settings.least_count, 1);
  at_least("max_length", settings.max_length, 2);
}

WordCounts count_words(std::span<const std::string> captions) {
  const std::array<SpecialText, 2> specials = {SpecialText{std::string(kStartText), {}},
                                               {std::string(kEndText), {}}};
  WordCounts counts;
  for (std::size_t i = 0; i < captions.size(); ++i) {
    try {
      for (TextPiece& piece : split_text(captions[i], specials))
        if (!piece.word.empty()) ++counts[std::move(piece.word)];
    } catch (const Error& error) {
      throw Error(error.kind(), fmt::format("Caption {}: {}", i, error.what()));
    }
  }
  return counts;
}

std::vector<std::string> byte_tokens() {
  std::vector<std::string> tokens;
  for (const std::string_view end : {std::string_view(), kWordEnd})
    for (int i = 0; i < 256; ++i)
      tokens.push_back(std::string(byte_symbol(byte_in_order(i))) + std::string(end));
  return tokens;
}

std::vector<CountedWord> as_bytes(const WordCounts& counts) {
  std::array<int, 256> id_of_byte{};
  for (int i = 0; i < 256; ++i) id_of_byte[byte_in_order(i)] = i;
  std::vector<CountedWord> words;
  for (const auto& [word, count] : counts) {
    CountedWord& bytes = words.emplace_back(CountedWord{{}, count});
    for (const char byte : word) bytes.tokens.push_back(id_of_byte[static_cast<unsigned char>(byte)]);
    bytes.tokens.back() += 256;
  }
  return words;
}

}  // namespace

Tokenizer train_tokenizer(std::span<const std::string> captions, const TokenizerTraining& settings) {
  check(settings);
  const WordCounts counts = count_words(captions);
  Vocabulary vocabulary;
  vocabulary.tokens = byte_tokens();
  std::unordered_map<std::string, int> ids;  // of merges
  PairCounter pairs(as_bytes(counts));
  while (vocabulary.tokens.size() + 2 < std::size_t(settings.vocabulary)) {
    const auto [count, pair] = pairs.most_frequent();
    if (count < settings.least_count) break;
    const std::string text =
        vocabulary.tokens[std::size_t(pair.first)] + vocabulary.tokens[std::size_t(pair.second)];
    // Two ways can lead to one token: ab + c and a + bc.
    const auto [slot, is_new] = ids.try_emplace(text, int(vocabulary.tokens.size()));
    if (is_new) vocabulary.tokens.push_back(text);
    vocabulary.merges.push_back({pair.first, pair.second, slot->second});
    pairs.merge(pair, slot->second);
  }
  vocabulary.start.id = int(vocabulary.tokens.size());
  vocabulary.end.id = vocabulary.padding.id = vocabulary.unknown.id = vocabulary.start.id + 1;
  vocabulary.tokens.emplace_back(kStartText);
  vocabulary.tokens.emplace_back(kEndText);
  vocabulary.max_length = settings.max_length;
  for (const auto& [word, count] : counts) vocabulary.known_words.push_back(word);
  std::ranges::sort(vocabulary.known_words);
  return Tokenizer(std::move(vocabulary));
}

}  // namespace diffusion
