#include "cli/options/prompt_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <sstream>

#include <diffusion/conditions.h>
#include <diffusion/error.h>
#include "base/log.h"
#include "diffusion/model.h"
#include "files/fs.h"

namespace diffusion {

namespace {

// A prompt in each line that is not blank.
std::vector<std::string> read_prompts(const std::string& file) {
  constexpr std::uint64_t kMaxBytes = 64 << 20;
  std::istringstream lines(read_text_file(file, kMaxBytes));
  std::vector<std::string> prompts;
  for (std::string line; std::getline(lines, line);) {
    if (line.ends_with('\r')) line.pop_back();
    if (!line.empty()) prompts.push_back(line);
  }
  if (prompts.empty())
    throw Error(ErrorKind::bad_input,
                fmt::format("{} has no prompts; accepted is a text file with a prompt in each line", file));
  return prompts;
}

void tell_what_is_not_seen(const Model& model, const std::string& prompt) {
  const std::vector<std::string> unseen = model.tokenizer->unseen_words(prompt);
  if (!unseen.empty())
    stderr_log().warning(fmt::format("\"{}\": the model has never seen {}", prompt, fmt::join(unseen, ", ")));
  if (const int cut = tokens_beyond(model, prompt); cut > 0)
    stderr_log().warning(fmt::format("\"{}\": the last {} token{} left out, as there is no place for more",
                                     prompt, cut, cut == 1 ? " is" : "s are"));
  if (prompt.empty()) stderr_log().warning("the prompt is empty: drawing without words");
}

}  // namespace

void add_prompt_options(CLI::App& app, PromptOptions& o) {
  const char* words = "Words";
  app.add_option("--prompt", o.prompts, "Draw this; given again: a picture of each")
      ->expected(1)
      ->type_name("TEXT")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->group(words);
  app.add_option("--prompts", o.file, "Draw every line of a text file")->type_name("FILE")->group(words);
  app.add_option("--negative", o.negative, "Go away from this by --guidance (default: from no words)")
      ->type_name("TEXT")
      ->group(words);
}

void apply_prompt_options(const CLI::App& app, const PromptOptions& o, const Model& model,
                          GenerateOptions& generate) {
  generate.prompts = o.prompts;
  if (!o.file.empty())
    for (std::string& prompt : read_prompts(o.file)) generate.prompts.push_back(std::move(prompt));
  generate.negative_prompt = o.negative;
  if (!model.tokenizer && (!generate.prompts.empty() || !o.negative.empty()))
    throw Error(ErrorKind::usage, "this model knows no words, so it takes no --prompt and no --negative");
  if (!model.tokenizer) return;
  for (const std::string& prompt : generate.prompts) tell_what_is_not_seen(model, prompt);
  if (!o.negative.empty()) tell_what_is_not_seen(model, o.negative);
  const CLI::Option* count = app.get_option_no_throw("--count");
  if (!generate.prompts.empty() && count && count->count() == 0)
    generate.count = int(generate.prompts.size());
}

}  // namespace diffusion
