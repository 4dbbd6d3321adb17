#include "cli/options/data_options.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include <diffusion/error.h>
#include "base/log.h"
#include "cli/options/options.h"
#include "data/caption_table.h"

namespace diffusion {

namespace {

constexpr int kMaxWorkers = 256;

template <class T>
std::optional<T> parse_whole(std::string_view text, int base = 10) {
  T number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::array<int, 2> parse_size(const std::string& text) {
  const std::size_t cross = text.find('x');
  const auto height = parse_whole<int>(std::string_view(text).substr(0, cross));
  const auto width =
      cross == std::string::npos ? height : parse_whole<int>(std::string_view(text).substr(cross + 1));
  const auto fits = [](std::optional<int> side) { return side && *side >= 1 && *side <= kMaxFormSide; };
  if (!fits(height) || !fits(width))
    throw Error(
        ErrorKind::usage,
        fmt::format("--size is \"{}\"; accepted are S or HxW (height, width), with sides of 1 to {}, such as "
                    "64 or 48x64",
                    text, kMaxFormSide));
  return {*height, *width};
}

std::array<std::uint8_t, 3> parse_background(const std::string& text) {
  if (text == "white") return {255, 255, 255};
  if (text == "black") return {0, 0, 0};
  const auto color = parse_whole<std::uint32_t>(text, 16);
  if (text.size() != 6 || !color)
    throw Error(
        ErrorKind::usage,
        fmt::format("--background is \"{}\"; accepted are white, black, and six hexadecimal digits RRGGBB",
                    text));
  return {std::uint8_t(*color >> 16), std::uint8_t(*color >> 8), std::uint8_t(*color)};
}

}  // namespace

std::string data_help() {
  std::string names;
  for (const DatasetEntry& entry : dataset_table()) names += entry.name + ", ";
  for (const DatasetEntry& entry : sound_table()) names += entry.name + ", ";
  return names +
         "or a path:\n"
         "  a folder of images (.jpg, .png, .tif, .webp), with a sub-folder for each class or none\n"
         "  a folder of sounds (.wav), the same; they are seen as mel pictures\n"
         "  tar files of images: one, a folder of them, or \"train-{000..146}.tar\"\n"
         "  a folder with the four IDX files, or with those of CIFAR-10";
}

void add_data_options(CLI::App& app, DataArguments& a) {
  const char* data = "Data";
  app.add_option("--data-dir", a.data_dir,
                 "Where to look for the data instead of DIFFUSION_DATA_DIR and the cache")
      ->type_name("DIR")
      ->group(data);
  app.add_flag("--offline", a.offline, "Never fetch data from the network")->group(data);
  app.add_option("--size", a.size,
                 "Size of the images, S or HxW (height, width): the image is scaled so that\n"
                 "it just covers it, and the middle is taken (default: as they are)")
      ->type_name("S")
      ->group(data);
  app.add_option("--channels", a.channels,
                 "1 gray, 3 RGB, 4 RGB and alpha (default: 1 if all images are gray, else 3)")
      ->check(CLI::IsMember({1, 3, 4}))
      ->type_name("C")
      ->group(data);
  app.add_option("--background", a.background,
                 "Color behind transparent images, unless they keep their alpha:\nwhite, black or RRGGBB")
      ->type_name("COLOR")
      ->capture_default_str()
      ->group(data);
  app.add_flag("--random-crop", a.random_crop,
               "Take windows at random places of images that are an eighth larger")
      ->group(data);
  app.add_option("--held-out-list", a.held_out_list,
                 "A text file that names images, one in each line: they are test images, all\n"
                 "others are for training")
      ->type_name("FILE")
      ->group(data);
  app.add_option("--shards", a.shards, "Use only every N-th image, ...")
      ->check(in_range(1, 1'000'000))
      ->type_name("N")
      ->group(data);
  app.add_option("--shard", a.shard, "... from number K on, 0 to N - 1")
      ->check(in_range(0, 999'999))
      ->type_name("K")
      ->group(data);
  app.add_option(
         "--max-broken", a.max_broken,
         "Broken files that are left out before it is an error\n(default: 1%, at least 1 and at most 100)")
      ->check(at_least(0))
      ->type_name("N")
      ->group(data);
  app.add_option("--workers", a.workers, "Threads that decode images; 0: one for each core")
      ->check(in_range(0, kMaxWorkers))
      ->type_name("N")
      ->capture_default_str()
      ->group(data);
}

void add_caption_options(CLI::App& app, CaptionArguments& a) {
  const char* captions = "Captions";
  app.add_option(
         "--captions", a.captions,
         "Words for the images:\n"
         "  none\n"
         "  own: those that lie with the images. In a folder NAME.txt beside NAME.png, metadata.jsonl or\n"
         "    metadata.csv; in tar files KEY.txt, or \"caption\" in KEY.json\n"
         "  a table that ends in .tsv, .csv or .jsonl, with a column file_name or file and a column\n"
         "    text, caption or name")
      ->type_name("FROM")
      ->capture_default_str()
      ->group(captions);
  app.add_option("--caption-column", a.columns,
                 "Take this column of the table, or field of JSON; given again: more captions")
      ->expected(1)
      ->type_name("NAME")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->group(captions);
  app.add_option("--max-uncaptioned", a.max_uncaptioned,
                 "Images without a caption before it is an error (default: 10%, at least 1)")
      ->check(at_least(0))
      ->type_name("N")
      ->group(captions);
}

CaptionOptions parse_captions(const CLI::App& app, const CaptionArguments& a) {
  CaptionOptions options;
  if (a.captions == "none") {
    for (const char* option : {"--caption-column", "--max-uncaptioned"})
      if (app.count(option) > 0) throw Error(ErrorKind::usage, fmt::format("{} needs --captions", option));
    return options;
  }
  options.from = a.captions == "own" ? CaptionsFrom::images : CaptionsFrom::table;
  if (options.from == CaptionsFrom::table) {
    options.table = a.captions;
    if (!find_caption_table_form(options.table))
      throw Error(ErrorKind::usage,
                  fmt::format("--captions is \"{}\"; accepted are none, own, and files whose "
                              "names end in .tsv, .csv or .jsonl",
                              a.captions));
  }
  options.columns = a.columns;
  if (app.count("--max-uncaptioned") > 0) options.max_uncaptioned = a.max_uncaptioned;
  return options;
}

FormOptions parse_form(const CLI::App& app, const DataArguments& a, FormOptions form) {
  if (app.count("--size") > 0) form.size = parse_size(a.size);
  if (app.count("--channels") > 0) form.channels = a.channels;
  if (app.count("--background") > 0) form.background = parse_background(a.background);
  form.random_crop = form.random_crop || a.random_crop;
  return form;
}

DataLoader::DataLoader(const CLI::App& app, const DataArguments& a, bool quiet, const FormOptions& form)
    : quiet_(quiet) {
  options_.data_dir = a.data_dir;
  options_.allow_download = !a.offline;
  options_.held_out_list = a.held_out_list;
  options_.shards = a.shards;
  options_.shard = a.shard;
  options_.prepare.form = parse_form(app, a, form);
  options_.prepare.workers = a.workers;
  if (app.count("--max-broken") > 0) options_.prepare.max_broken = a.max_broken;
  options_.prepare.talk = [](const std::string& message) { stderr_log().warning(message); };
}

void DataLoader::show(const std::string& title, std::int64_t done, std::int64_t total, const char* unit) {
  if (!progress_ || title != shown_) progress_ = std::make_unique<Progress>(title, total, quiet_, unit);
  shown_ = title;
  progress_->update(done);
}

LoadedData DataLoader::load(const std::string& name_or_path, Split split) {
  options_.split = split;
  if (split == Split::test) options_.shards = 1;  // shards are of what one learns from
  options_.progress = [this](const std::string& file, std::uint64_t bytes, std::uint64_t total) {
    show("fetching " + file, std::int64_t(bytes), std::int64_t(total), "bytes");
  };
  options_.prepare.progress = [this](std::int64_t done, std::int64_t total) {
    show("reading images", done, total, "images");
  };
  LoadedData data = load_data(name_or_path, options_);
  progress_.reset();
  return data;
}

}  // namespace diffusion
