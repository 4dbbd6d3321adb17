#include "train/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include <diffusion/error.h>
#include "device/host_numbers.h"
#include "diffusers/pipeline.h"
#include "files/folders.h"
#include "files/fs.h"
#include "files/sha256.h"
#include "formats/safetensors.h"

namespace diffusion {

namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxStateBytes = 16 << 20;
constexpr int kFormat = 1;
constexpr const char* kLatest = "latest";

void write_manifest(const fs::path& directory) {
  Json::Object files;
  for (const fs::path& file : files_below(directory))
    files[file.generic_string()] =
        Json::Object{{"size", bytes_of_file(directory / file)}, {"sha256", sha256_of_file(directory / file)}};
  write_file(directory / "manifest.json",
             dump_json(Json::Object{{"format", kFormat}, {"files", std::move(files)}}, 2) + "\n");
}

// Why a checkpoint cannot be trusted; empty: it can.
std::string defect_of(const fs::path& directory) try {
  const fs::path manifest = directory / "manifest.json";
  if (!path_exists(manifest)) return "it has no manifest.json";
  const Json json = parse_json(read_text_file(manifest, kMaxStateBytes), manifest.string());
  for (const auto& [name, entry] : to_object(member(json, "files", manifest.string()), manifest.string())) {
    const fs::path file = directory / name;
    if (!path_exists(file)) return fmt::format("{} is missing", name);
    if (std::int64_t(bytes_of_file(file)) != to_int(member(entry, "size", manifest.string()), name))
      return fmt::format("{} has another size than in the manifest", name);
    if (sha256_of_file(file) != to_string(member(entry, "sha256", manifest.string()), name))
      return fmt::format("{} has another SHA-256 than in the manifest", name);
  }
  return {};
} catch (const std::exception& e) {
  return e.what();
}

bool leads_to(const fs::path& link, const fs::path& checkpoint) {
  return path_exists(link) && resolved(link) == resolved(checkpoint);
}

// Newest first.
std::vector<fs::path> checkpoints_of(const fs::path& run) {
  std::vector<fs::path> found;
  if (!is_folder(run / "checkpoints")) return found;
  for (const fs::path& entry : entries_of(run / "checkpoints"))
    if (entry.filename().string().starts_with("step-") && is_folder(entry)) found.push_back(entry);
  std::ranges::reverse(found);
  return found;
}

// Removes the checkpoints before `newest`, except keep - 1 of them. Those after it, which a resumed run can
// have if they are damaged, do not count. What cannot be removed only takes room: no reason to stop.
void prune(const fs::path& run, const fs::path& newest, int keep,
           const std::function<void(const std::string&)>& report) {
  const auto attempt = [&](const std::function<void()>& action) {
    try {
      action();
    } catch (const Error& error) {
      report(fmt::format("warning: old checkpoints stay: {}", error.what()));
    }
  };
  attempt([&] {
    std::vector<fs::path> found = checkpoints_of(run);
    std::erase_if(found, [&](const fs::path& checkpoint) { return checkpoint > newest; });
    for (std::size_t i = std::size_t(keep); i < found.size(); ++i) attempt([&] { remove_tree(found[i]); });
  });
}

}  // namespace

void write_checkpoint(const fs::path& run, const Model& model, const Optimizer& optimizer,
                      const TrainingState& state, int keep,
                      const std::function<void(const std::string&)>& report) {
  const fs::path all = run / "checkpoints", name = fmt::format("step-{:09}", state.step);
  make_folders(all);
  AtomicDirectory directory(all / name);
  Queue& queue = optimizer.queue();
  write_pipeline(directory.path(), model, HostNumbers(queue, optimizer.ema()).span());

  const fs::path training = directory.path() / "training";
  make_folder(training);
  const HostNumbers moment1(queue, optimizer.moment1()), moment2(queue, optimizer.moment2());
  std::vector<TensorToWrite> tensors;
  const auto add = [&](const char* prefix, std::span<const float> block) {
    for (const ParamLayout::Entry& e : model.params.layout().entries())
      tensors.push_back({fmt::format("{}/{}", prefix, e.name), e.dims, block.subspan(e.offset, e.size)});
  };
  add("weights", model.params.values());
  add("moment1", moment1.span());
  add("moment2", moment2.span());
  write_safetensors(training / "state.safetensors", tensors);
  const Json::Object json{{"format", kFormat},
                          {"step", state.step},
                          {"seconds", state.seconds},
                          {"loss_average", state.loss_average},
                          {"config", state.config},
                          {"data", state.data},
                          {"environment", state.environment}};
  write_file(training / "state.json", dump_json(json, 2) + "\n");
  write_manifest(directory.path());
  directory.commit();

  point_latest(run, all / name);
  prune(run, all / name, keep, report);
}

std::optional<fs::path> find_checkpoint(const fs::path& run,
                                        const std::function<void(const std::string&)>& report) {
  const std::vector<fs::path> found = checkpoints_of(run);
  for (const fs::path& checkpoint : found) {
    const std::string defect = defect_of(checkpoint);
    if (defect.empty()) return checkpoint;
    report(fmt::format("{}: skipped, {}", checkpoint.string(), defect));
  }
  if (!found.empty())
    throw Error(ErrorKind::bad_input,
                fmt::format("{}: no checkpoint is whole; move the folder away to start anew",
                            (run / "checkpoints").string()));
  return std::nullopt;
}

void point_latest(const fs::path& run, const fs::path& checkpoint) {
  if (leads_to(run / kLatest, checkpoint)) return;
  replace_link(run / kLatest, fs::path("checkpoints") / checkpoint.filename());
}

std::optional<fs::path> newest_checkpoint(const fs::path& run,
                                          const std::function<void(const std::string&)>& report) {
  const fs::path latest = run / kLatest;
  const std::vector<fs::path> found = checkpoints_of(run);
  if (found.empty()) return std::nullopt;
  if (leads_to(latest, found.front())) return latest;
  const std::optional<fs::path> whole = find_checkpoint(run, report);
  if (leads_to(latest, *whole)) return latest;
  if (path_exists(latest))
    report(fmt::format("{} does not lead to the newest checkpoint; taking {}", latest.string(),
                       whole->string()));
  return whole;
}

TrainingState read_training_state(const fs::path& checkpoint) {
  const std::string path = (checkpoint / "training/state.json").string();
  const Json json = parse_json(read_text_file(path, kMaxStateBytes), path);
  const std::int64_t format = to_int(member(json, "format", path), path + ": field format");
  if (format != kFormat)
    throw Error(ErrorKind::bad_input,
                fmt::format("{}: field format is {}, this version reads {}", path, format, kFormat));
  return {to_int(member(json, "step", path), path + ": field step"),
          to_double(member(json, "seconds", path), path + ": field seconds"),
          to_double(member(json, "loss_average", path), path + ": field loss_average"),
          member(json, "config", path),
          member(json, "data", path),
          member(json, "environment", path)};
}

void read_arrays(const fs::path& checkpoint, Model& model, Optimizer& optimizer) {
  const auto read = [&](const fs::path& path, const std::string& prefix, const auto& take) {
    const SafetensorsFile file = SafetensorsFile::open(path);
    for (const ParamLayout::Entry& e : model.params.layout().entries()) {
      const TensorView* view = file.find(prefix + e.name);
      if (!view)
        throw Error(ErrorKind::bad_input,
                    fmt::format("{}: tensor {}{} is missing", path.string(), prefix, e.name));
      take(*view, e);
    }
  };
  const auto to_host = [&](const TensorView& view, const ParamLayout::Entry& e) {
    read_f32(view, model.params.values(e));
  };
  const auto to_device = [&](const Tensor& block) {
    return [&](const TensorView& view, const ParamLayout::Entry& e) {
      std::vector<float> numbers(e.size);
      read_f32(view, numbers);
      optimizer.queue().write(flat_part(block, e.offset, e.size), numbers);
    };
  };
  const fs::path state = checkpoint / "training/state.safetensors";
  read(state, "weights/", to_host);
  read(state, "moment1/", to_device(optimizer.moment1()));
  read(state, "moment2/", to_device(optimizer.moment2()));
  const ParamStore ema = read_params(checkpoint, model.network);
  optimizer.queue().write(optimizer.ema(), ema.values());
  model.params.mark_changed();
}

}  // namespace diffusion
