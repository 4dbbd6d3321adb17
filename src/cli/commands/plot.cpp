#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include <diffusion/error.h>
#include "base/progress.h"
#include "cli/commands/commands.h"
#include "cli/options/options.h"
#include "cli/output/picture_output.h"
#include "cli/output/show.h"
#include "drawing/drawing.h"
#include "train/outlook.h"
#include "train/run_plot.h"

namespace diffusion {

namespace {

constexpr int kPlotWidth = 440, kPlotHeight = 320;

struct PlotOptions {
  std::vector<std::string> runs;
  std::string out;
  bool json = false;
};

// The last parts of the paths if they tell the runs apart, else the paths.
std::vector<std::string> short_names(std::span<const std::string> directories) {
  std::vector<std::string> names;
  for (const std::string& directory : directories) {
    const std::filesystem::path path(directory);
    names.push_back((path.has_filename() ? path : path.parent_path()).filename().string());
  }
  const std::set<std::string> distinct(names.begin(), names.end());
  return distinct.size() == names.size() ? names : std::vector(directories.begin(), directories.end());
}

std::vector<NamedRun> read_runs(std::span<const std::string> directories) {
  if (directories.size() > kMaxPlottedRuns)
    throw Error(ErrorKind::usage, fmt::format("{} runs are too many to tell apart; accepted are 1 to {}",
                                              directories.size(), kMaxPlottedRuns));
  const std::vector<std::string> names = short_names(directories);
  std::vector<NamedRun> runs;
  for (std::size_t k = 0; k < names.size(); ++k) {
    runs.push_back({names[k], read_run_log(directories[k])});
    if (runs.back().log.step.empty())
      throw Error(
          ErrorKind::bad_input,
          fmt::format("{} has not finished a step so far, so there is nothing to plot", directories[k]));
  }
  return runs;
}

void print_run(const NamedRun& run) {
  const RunLog& log = run.log;
  const std::string held_out =
      log.held_out.empty() ? "" : fmt::format(", held out {:.4f}", log.held_out.back().measured.loss);
  print_line(fmt::format("{}: {:.0f} steps in {}, loss {:.4f}{}", run.name, log.step.back(),
                         format_duration(log.seconds.back()), smoothed_loss(log.loss).back(), held_out));
  print_line("  " + describe(outlook_of(log)));
}

Json to_json(const std::string& directory, const RunLog& log) {
  const Outlook outlook = outlook_of(log);
  return Json::Object{
      {"run", path_to_json(directory)},
      {"step", std::int64_t(log.step.back())},
      {"seconds", log.seconds.back()},
      {"loss", smoothed_loss(log.loss).back()},
      {"held_out_loss", log.held_out.empty() ? Json(nullptr) : Json(log.held_out.back().measured.loss)},
      {"outlook", to_string(outlook.kind)},
      {"outlook_text", describe(outlook)}};
}

int run(const PlotOptions& o) {
  if (!o.out.empty()) {
    check_drawing_path(o.out);
    check_writable_file(o.out);
  }
  const Json out_path = o.json && !o.out.empty() ? path_to_json(o.out) : Json(nullptr);
  const std::vector<NamedRun> runs = read_runs(o.runs);
  const Drawing drawing = draw_plots(run_plots(runs), kPlotWidth, kPlotHeight);
  if (!o.out.empty()) write_drawing(o.out, drawing);
  if (o.json) {
    Json::Array list;
    for (std::size_t k = 0; k < runs.size(); ++k) list.push_back(to_json(o.runs[k], runs[k].log));
    print_json(Json::Object{{"runs", std::move(list)}, {"output", out_path}});
    return 0;
  }
  if (o.out.empty() && !show_picture(render(drawing), true))
    throw Error(ErrorKind::usage,
                "stdout is no terminal that can show pictures with writing; give -o FILE.svg or -o FILE.png");
  for (const NamedRun& one : runs) print_run(one);
  if (!o.out.empty()) print_line(fmt::format("plot: {}", o.out));
  return 0;
}

}  // namespace

std::function<int()> add_plot(CLI::App& app) {
  const auto o = std::make_shared<PlotOptions>();
  app.add_option("RUN", o->runs, "Directories of training runs, finished or not; several are compared")
      ->required()
      ->type_name("");
  app.add_option("-o,--out", o->out, "File to write, .svg or .png (default: show it in the terminal)")
      ->type_name("FILE");
  add_json_flag(app, o->json);
  app.footer(
      "Shows the loss in training and on held-out images, also by noise level, and the learning rate; and "
      "says "
      "whether more\nsteps will help.\n"
      "Examples:\n"
      "  diffusion plot run -o loss.svg\n"
      "  diffusion plot run-a run-b -o both.png");
  return [o] { return run(*o); };
}

}  // namespace diffusion
