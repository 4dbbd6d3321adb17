#include "cli/output/model_details.h"

#include <fmt/format.h>

#include <deque>
#include <fstream>
#include <numeric>
#include <string>

#include <diffusion/device.h>
#include <diffusion/error.h>
#include "files/folders.h"
#include "graph/flops.h"
#include "nn/network.h"
#include "plan/plan.h"

namespace diffusion {

namespace {

namespace fs = std::filesystem;

std::optional<std::size_t> activation_bytes(Model& model, int batch, const Device& device) try {
  const NetworkTraits traits = model.traits();
  const Network net = make_network(model.network, batch, traits.sample_size[0], traits.sample_size[1]);
  return Plan(net.graph, net.output, device, Mode::inference, model.params, {.poison = false}).arena_bytes();
} catch (const Error& error) {
  if (error.kind() != ErrorKind::memory) throw;
  return std::nullopt;
}

// Where they are: in memory as f32, or in the file's own types.
std::size_t weight_bytes(const ParamStore& params) {
  std::size_t bytes = 0;
  for (int i = 0; i < int(params.layout().param_count()); ++i)
    for (const ParamLayout::Entry& part : params.layout().parts(i))
      bytes += part.size * size_of(params.numbers(i).dtype);
  return bytes;
}

struct LogLine {
  std::int64_t step;
  double seconds, loss;
};

LogLine parse_log_line(const std::string& line, const std::string& source) {
  const Json json = parse_json(line, source);
  return {to_int(member(json, "step", source), source + ": field step"),
          to_double(member(json, "seconds", source), source + ": field seconds"),
          to_double(member(json, "loss", source), source + ": field loss")};
}

double mean_loss(const auto& lines) {
  const double sum = std::accumulate(lines.begin(), lines.end(), 0.0,
                                     [](double so_far, const LogLine& line) { return so_far + line.loss; });
  return sum / double(lines.size());
}

}  // namespace

std::optional<NetworkCost> network_cost(Model& model) {
  const NetworkTraits traits = model.traits();
  if (traits.sample_size[0] == 0) return std::nullopt;
  const auto device = make_cpu_device();
  return NetworkCost{
      forward_flops(make_network(model.network, 1, traits.sample_size[0], traits.sample_size[1]).graph),
      weight_bytes(model.params), activation_bytes(model, 1, *device),
      activation_bytes(model, NetworkCost::kBatch, *device)};
}

std::optional<TrainingHistory> training_history(const fs::path& pipeline) {
  const fs::path checkpoints = resolved(pipeline).parent_path();
  const fs::path path = checkpoints.parent_path() / "log.jsonl";
  if (checkpoints.filename() != "checkpoints" || !is_plain_file(path)) return std::nullopt;
  std::ifstream file(path);
  if (!file) throw Error(ErrorKind::io, fmt::format("Cannot read {}.", path.string()));

  // The last steps are far back in a long log: lines are kept as text until it is known which they are.
  std::vector<LogLine> first;
  std::deque<std::pair<std::size_t, std::string>> tail;
  std::size_t number = 0;
  for (std::string line;
       std::getline(file, line) && !file.eof();) {  // eof: a line that is still being written
    const auto source = [&] { return fmt::format("{}, line {}", path.string(), number); };
    ++number;
    if (first.size() < TrainingHistory::kAveraged) first.push_back(parse_log_line(line, source()));
    tail.emplace_back(number, std::move(line));
    if (tail.size() > TrainingHistory::kAveraged) tail.pop_front();
  }
  if (first.empty()) return std::nullopt;
  std::vector<LogLine> last;
  for (const auto& [line_number, line] : tail)
    last.push_back(parse_log_line(line, fmt::format("{}, line {}", path.string(), line_number)));
  return TrainingHistory{last.back().step, last.back().seconds, mean_loss(first), mean_loss(last)};
}

Json sampling_to_json(const SamplingRecipe& sampling) {
  const EstimateLimit& limit = sampling.limit;
  return Json::Object{
      {"sampler", name_of(sampling.sampler)},
      {"spacing", sampling.levels.spacing ? Json(to_string(*sampling.levels.spacing)) : Json(nullptr)},
      {"steps_offset", sampling.levels.steps_offset},
      {"clip", limit.kind == EstimateLimit::Kind::clip ? Json(limit.range) : Json(nullptr)},
      {"dynamic_threshold",
       limit.kind == EstimateLimit::Kind::dynamic_threshold ? Json(limit.ratio) : Json(nullptr)}};
}

}  // namespace diffusion
