#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <diffusion/error.h>
#include <diffusion/picture_files.h>
#include "base/log.h"
#include "base/utf8.h"
#include "cli/commands/commands.h"
#include "cli/options/data_options.h"
#include "cli/options/options.h"
#include "cli/output/caption_details.h"
#include "cli/output/picture_output.h"
#include "data/data_report.h"

namespace diffusion {

namespace {

constexpr int kColumns = 10;            // of the contact sheet
constexpr std::size_t kMostNamed = 10;  // broken files and duplicates in the text

struct ReportOptions {
  std::string data, out;
  DataArguments source;
  CaptionArguments captions;
  bool json = false, quiet = false;
};

// Names of files may hold any bytes: those that are not UTF-8 are shown as \xNN.
std::string printable(const std::string& name) {
  std::string text;
  for (std::string_view rest = name; !rest.empty();) {
    const std::string_view before = rest;
    if (take_code_point(rest)) {
      text += before.substr(0, before.size() - rest.size());
    } else {
      text += fmt::format("\\x{:02x}", static_cast<unsigned char>(rest.front()));
      rest.remove_prefix(1);
    }
  }
  return text;
}

// What image i of the data set, perhaps a part of a larger one, is called.
std::string name_of(const LoadedData& data, int i) {
  const int stored = data.dataset.stored_number(i);
  return data.facts.names.empty() ? fmt::format("#{}", stored)
                                  : printable(data.facts.names[std::size_t(stored)]);
}

std::string describe_files(const SourceFacts& facts) {
  if (facts.smallest == facts.largest)
    return fmt::format("all of {} x {} pixels (height x width)", facts.smallest[0], facts.smallest[1]);
  return fmt::format("height {} to {}, width {} to {}", facts.smallest[0], facts.largest[0],
                     facts.smallest[1], facts.largest[1]);
}

void print_text(const LoadedData& data, const DataReport& report) {
  const Dataset& dataset = data.dataset;
  const auto row = [](std::string_view what, const std::string& value) {
    print_line(fmt::format("{:<12} {}", what, value));
  };
  row("data", fmt::format("{} ({})", printable(dataset.name), data.kind));
  row("images", fmt::format("{}", dataset.count()));
  row("size", fmt::format("{} x {} pixels (height x width), {} channel{}", dataset.example_height(),
                          dataset.example_width(), dataset.channels, dataset.channels == 1 ? "" : "s"));
  if (data.mel) row("sound", describe_mel(*data.mel));
  if (dataset.margin[0] > 0)
    row("", fmt::format("windows at random places of {} x {}", dataset.height, dataset.width));
  if (!data.facts.names.empty()) row("files", describe_files(data.facts));
  for (std::size_t c = 0; c < report.channels.size(); ++c) {
    const auto [mean, deviation] = report.channels[c];
    row(fmt::format("channel {}", c),
        fmt::format("mean {:.2f}, deviation {:.2f} of 0 to 255; {:.4f} and {:.4f} in [-1, 1]", mean,
                    deviation, mean / 127.5 - 1, deviation / 127.5));
  }
  row("classes", dataset.class_names.empty() ? "none" : fmt::format("{}", dataset.class_names.size()));
  for (std::size_t k = 0; k < dataset.class_names.size(); ++k)
    row("", fmt::format("{:>7}  {} {}", report.class_counts[k], k, printable(dataset.class_names[k])));

  const auto rest = [&](std::size_t all) {
    if (all > kMostNamed) row("", fmt::format("and {} more (--json lists all)", all - kMostNamed));
  };
  row("duplicates", fmt::format("{}", report.duplicates.size()));
  for (std::size_t i = 0; i < std::min(report.duplicates.size(), kMostNamed); ++i)
    row("", fmt::format("{} is {}", name_of(data, report.duplicates[i].first),
                        name_of(data, report.duplicates[i].second)));
  rest(report.duplicates.size());
  row("broken", fmt::format("{}", data.facts.broken.size()));
  for (std::size_t i = 0; i < std::min(data.facts.broken.size(), kMostNamed); ++i)
    row("", printable(data.facts.broken[i].reason));
  rest(data.facts.broken.size());
  if (!dataset.captions.empty()) print_captions(dataset, [&](int i) { return name_of(data, i); });
}

Json to_json(const LoadedData& data, const DataReport& report) {
  const Dataset& dataset = data.dataset;
  Json::Object o{{"name", printable(dataset.name)},
                 {"kind", data.kind},
                 {"count", dataset.count()},
                 {"height", dataset.example_height()},
                 {"width", dataset.example_width()},
                 {"margin", Json::Array{dataset.margin[0], dataset.margin[1]}},
                 {"fingerprint", fmt::format("{:016x}", dataset.fingerprint())}};
  Json::Array channels, classes, duplicates, broken;
  for (const auto& [mean, deviation] : report.channels)
    channels.push_back(Json::Object{{"mean", mean},
                                    {"deviation", deviation},
                                    {"mean_signed", mean / 127.5 - 1},
                                    {"deviation_signed", deviation / 127.5}});
  for (std::size_t k = 0; k < dataset.class_names.size(); ++k)
    classes.push_back(
        Json::Object{{"name", printable(dataset.class_names[k])}, {"count", report.class_counts[k]}});
  for (const auto& [image, same_as] : report.duplicates)
    duplicates.push_back(Json::Array{name_of(data, image), name_of(data, same_as)});
  for (const BrokenFile& file : data.facts.broken)
    broken.push_back(Json::Object{{"name", printable(file.name)}, {"reason", printable(file.reason)}});
  if (!data.facts.names.empty()) {
    const auto sides = [](const std::array<int, 2>& size) { return Json::Array{size[0], size[1]}; };
    o["files"] =
        Json::Object{{"smallest", sides(data.facts.smallest)}, {"largest", sides(data.facts.largest)}};
  }
  o["mel"] = data.mel ? to_json(*data.mel) : Json(nullptr);
  o["channels"] = std::move(channels);
  o["classes"] = std::move(classes);
  o["duplicates"] = std::move(duplicates);
  o["broken"] = std::move(broken);
  if (!dataset.captions.empty())
    o["captions"] = captions_to_json(dataset, [&](int i) { return name_of(data, i); });
  return o;
}

PictureOutput parse_sheet(const std::string& text) {
  PictureOutput output = parse_output(text);
  if (output.form != PictureForm::png)
    throw Error(ErrorKind::usage, fmt::format("--out is \"{}\"; accepted are names that end in .png", text));
  return output;
}

int run(const CLI::App& app, const ReportOptions& o) {
  const bool has_sheet = app.count("--out") > 0;
  const PictureOutput output = has_sheet ? parse_sheet(o.out) : PictureOutput{};
  const Json output_path = o.json && has_sheet ? path_to_json(o.out) : Json(nullptr);
  const FormOptions form = parse_form(app, o.source);
  DataLoader loader(app, o.source, o.quiet);
  loader.take(parse_captions(app, o.captions));
  const LoadedData data = loader.load(o.data);
  const DataReport report = report_on(data.dataset);
  if (has_sheet) write_png(output.path, contact_sheet(data.dataset, kColumns, form.background));
  if (o.json) {
    Json json = to_json(data, report);
    std::get<Json::Object>(json.value())["sheet"] = output_path;
    print_json(json);
  } else {
    print_text(data, report);
    if (has_sheet) print_line(fmt::format("{:<12} {}", "sheet", output.path.string()));
  }
  return 0;
}

}  // namespace

std::function<int()> add_data(CLI::App& app) {
  const auto o = std::make_shared<ReportOptions>();
  app.add_option("DATA", o->data, data_help())->required()->type_name("");
  app.add_option("-o,--out", o->out, "Write examples to a PNG: a class in each row, or 10 x 10 images")
      ->type_name("FILE");
  add_data_options(app, o->source);
  add_caption_options(app, o->captions);
  add_json_flag(app, o->json);
  add_quiet_flag(app, o->quiet);
  app.footer(
      "Examples:\n"
      "  diffusion data photos --size 64 -o sheet.png\n"
      "  diffusion data photos --size 64 --captions names.tsv -o sheet.png\n"
      "  diffusion data fashion-mnist --json");
  return [&app, o] { return run(app, *o); };
}

}  // namespace diffusion
