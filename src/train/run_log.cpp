#include "train/run_log.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>

#include <diffusion/error.h>
#include "files/folders.h"
#include "files/fs.h"
#include "formats/json.h"

namespace diffusion {

namespace {

namespace fs = std::filesystem;

constexpr const char* kLogName = "log.jsonl";

Json::Array to_json_numbers(const std::vector<double>& values) {
  return {values.begin(), values.end()};
}

std::vector<double> to_numbers(const Json& json, const std::string& where) {
  std::vector<double> values;
  for (const Json& value : to_array(json, where)) values.push_back(to_double(value, where));
  return values;
}

Json to_json(const StepReport& report) {
  Json::Object line{{"step", report.step},
                    {"loss", report.loss},
                    {"learning_rate", report.learning_rate},
                    {"gradient_norm", report.gradient_norm},
                    {"images_per_second", report.images_per_second},
                    {"seconds", report.seconds}};
  if (report.held_out)
    line["held_out"] = Json::Object{{"loss", report.held_out->loss},
                                    {"sigma", to_json_numbers(report.held_out->sigma)},
                                    {"loss_by_sigma", to_json_numbers(report.held_out->by_sigma)}};
  return line;
}

std::vector<Scalar> to_scalars(const StepReport& report) {
  std::vector<Scalar> scalars{{"train/loss", report.loss},
                              {"train/learning_rate", report.learning_rate},
                              {"train/gradient_norm", report.gradient_norm},
                              {"train/images_per_second", report.images_per_second}};
  if (!report.held_out) return scalars;
  const HeldOutLoss& held_out = *report.held_out;
  scalars.push_back({"held_out/loss", held_out.loss});
  for (std::size_t k = 0; k < held_out.by_sigma.size(); ++k)
    scalars.push_back(
        {fmt::format("held_out/sigma_{:.3g}_to_{:.3g}", held_out.sigma[k], held_out.sigma[k + 1]),
         held_out.by_sigma[k]});
  return scalars;
}

// The first `lines` lines of the log, or as many as there are.
std::string first_lines(const fs::path& path, std::int64_t lines) {
  constexpr std::uint64_t kMaxBytes = std::uint64_t(1) << 32;
  if (!path_exists(path)) return {};
  const std::string text = read_text_file(path, kMaxBytes);
  std::size_t begin = 0;
  for (std::int64_t line = 0; line < lines; ++line) {
    const std::size_t end = text.find('\n', begin);
    if (end == std::string::npos) break;
    begin = end + 1;
  }
  return text.substr(0, begin);
}

fs::path find_log(const fs::path& run) {
  std::error_code ignored;
  if (fs::is_regular_file(run / kLogName, ignored)) return run / kLogName;
  const fs::path checkpoints = fs::weakly_canonical(run, ignored).parent_path();
  fs::path beside = checkpoints.parent_path() / kLogName;
  if (checkpoints.filename() == "checkpoints" && fs::is_regular_file(beside, ignored)) return beside;
  throw Error(ErrorKind::bad_input,
              fmt::format("{} {}; accepted is the directory of a training run", run.string(),
                          fs::exists(run, ignored) ? "holds no log.jsonl" : "does not exist"));
}

void add_line(RunLog& log, const std::string& line, const std::string& source) {
  const Json json = parse_json(line, source);
  const auto field = [&](const char* name) { return source + ": field " + name; };
  const auto number = [&](const char* name) { return to_double(member(json, name, source), field(name)); };
  const auto step = double(to_int(member(json, "step", source), field("step")));
  while (!log.step.empty() && log.step.back() >= step) {  // done again
    for (auto* column : {&log.step, &log.loss, &log.learning_rate, &log.seconds}) column->pop_back();
    while (!log.held_out.empty() && log.held_out.back().step >= step) log.held_out.pop_back();
  }
  log.step.push_back(step);
  log.loss.push_back(number("loss"));
  log.learning_rate.push_back(number("learning_rate"));
  log.seconds.push_back(number("seconds"));
  const Json* held_out = json.find("held_out");
  if (!held_out) return;
  HeldOutLoss measured{
      to_double(member(*held_out, "loss", source), field("held_out.loss")),
      to_numbers(member(*held_out, "sigma", source), field("held_out.sigma")),
      to_numbers(member(*held_out, "loss_by_sigma", source), field("held_out.loss_by_sigma"))};
  if (measured.sigma.size() != measured.by_sigma.size() + 1)
    throw Error(ErrorKind::bad_input,
                fmt::format("{} has {} numbers and field held_out.loss_by_sigma {}; accepted is one more",
                            field("held_out.sigma"), measured.sigma.size(), measured.by_sigma.size()));
  log.held_out.push_back({step, std::move(measured)});
}

}  // namespace

RunLogWriter::RunLogWriter(const fs::path& run, std::int64_t step, bool tensorboard)
    : path_(run / kLogName), file_(nullptr, std::fclose) {
  write_file_atomically(path_, first_lines(path_, step));
  file_.reset(std::fopen(path_.c_str(), "a"));
  if (!file_)
    throw Error(ErrorKind::io, fmt::format("{}: cannot be opened: {}", path_.string(), std::strerror(errno)));
  if (tensorboard) events_.emplace(run, step + 1);
}

void RunLogWriter::append(const StepReport& report) {
  if (std::fputs((dump_json(to_json(report)) + "\n").c_str(), file_.get()) < 0 ||
      std::fflush(file_.get()) != 0)
    throw Error(ErrorKind::io,
                fmt::format("{}: cannot be written: {}", path_.string(), std::strerror(errno)));
  if (events_) events_->add(report.step, to_scalars(report));
}

RunLog read_run_log(const fs::path& run) {
  const fs::path path = find_log(run);
  std::ifstream file(path);
  if (!file) throw Error(ErrorKind::io, fmt::format("Cannot read {}.", path.string()));
  RunLog log;
  std::size_t number = 0;
  for (std::string line; std::getline(file, line) && !file.eof();)  // eof: a line that is still being written
    add_line(log, line, fmt::format("{}, line {}", path.string(), ++number));
  if (file.bad()) throw Error(ErrorKind::io, fmt::format("Cannot read {}.", path.string()));
  return log;
}

}  // namespace diffusion
