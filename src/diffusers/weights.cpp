#include "diffusers/weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <set>

#include <diffusion/error.h>
#include "files/folders.h"
#include "files/fs.h"
#include "formats/json.h"

namespace diffusion {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSafetensors = "safetensors";
constexpr std::string_view kIndex = "safetensors.index.json";
constexpr std::string_view kNoWeights = "embeddings.position_ids";  // a buffer of older text encoders
constexpr std::uint64_t kMaxIndexBytes = 32 << 20;

[[noreturn]] void refuse(const std::string& message) {
  throw Error(ErrorKind::bad_input, message);
}

bool is_there(const fs::path& path) {
  std::error_code unreadable;  // opening it tells
  return fs::exists(path, unreadable) || unreadable;
}

std::vector<std::string> file_names(const fs::path& directory) {
  std::vector<std::string> names;
  for (const fs::path& entry : entries_of(directory)) names.push_back(entry.filename().string());
  return names;
}

// diffusion_pytorch_model.VARIANT.safetensors and diffusion_pytorch_model.safetensors.index.VARIANT.json, but
// not shards.
bool is_variant(std::string_view name, std::string_view stem) {
  if (!name.starts_with(stem)) return false;
  name.remove_prefix(stem.size());
  for (const auto& [before, after] :
       {std::pair<std::string_view, std::string_view>{"", ".safetensors"}, {"safetensors.index.", ".json"}})
    if (name.size() > before.size() + after.size() && name.starts_with(before) && name.ends_with(after)) {
      const std::string_view variant = name.substr(before.size(), name.size() - before.size() - after.size());
      return variant.find('.') == std::string_view::npos && variant.find("-of-") == std::string_view::npos;
    }
  return false;
}

[[noreturn]] void refuse_pickle(const fs::path& file) {
  const bool of_diffusers =
      file.filename().string().starts_with("diffusion_pytorch_model.") && file.extension() == ".bin";
  const std::string way =
      of_diffusers ? fmt::format("UNet2DModel.from_pretrained(\"{0}\").save_pretrained(\"{0}\") of diffusers",
                                 file.parent_path().string())
                   : fmt::format("safetensors.torch.save_file(torch.load(\"{}\", weights_only=True), \"{}\")",
                                 file.string(), (file.parent_path() / kWeightsFile).string());
  refuse(
      fmt::format("{} is a Python pickle, which can run code when it is opened and is never read. Convert it "
                  "once, in Python: {}",
                  file.string(), way));
}

// The file to begin with. `plain_name` ends in "safetensors".
fs::path choose_source(const fs::path& directory, std::string_view plain_name) {
  const std::string_view stem = plain_name.substr(0, plain_name.size() - kSafetensors.size());
  for (const std::string_view ending : {kIndex, kSafetensors})
    if (const fs::path plain = directory / fmt::format("{}{}", stem, ending); is_there(plain)) return plain;
  std::vector<std::string> variants;
  std::optional<fs::path> pickle;
  for (const std::string& name : file_names(directory)) {
    if (is_variant(name, stem)) variants.push_back(name);
    constexpr std::array<std::string_view, 5> kPickles{".bin", ".ckpt", ".pt", ".pth", ".pkl"};
    if (std::ranges::find(kPickles, fs::path(name).extension()) != kPickles.end()) pickle = directory / name;
  }
  if (variants.size() == 1) return directory / variants.front();
  if (variants.size() > 1)
    refuse(
        fmt::format("{} holds several variants of the weights, {}, and none is plain {}; copy the one to "
                    "use under that name",
                    directory.string(), fmt::join(variants, " and "), plain_name));
  if (pickle) refuse_pickle(*pickle);
  throw Error(ErrorKind::io,
              fmt::format("Cannot open {}: there is neither this file nor an index of shards nor "
                          "a variant.",
                          (directory / plain_name).string()));
}

// The tensor -> file table of an index, checked as text.
std::map<std::string, std::string> read_weight_map(const fs::path& index) {
  const std::string source = index.string();
  const Json json = parse_json(read_text_file(index, kMaxIndexBytes), source);
  const std::string where = source + ": field weight_map";
  std::map<std::string, std::string> shard_of;
  for (const auto& [tensor, file] : to_object(member(json, "weight_map", source), where)) {
    const std::string& name = to_string(file, fmt::format("{}.{}", where, tensor));
    const bool plain = name.find_first_of("/\\") == std::string::npos && name.find("..") == std::string::npos;
    if (!plain || !name.ends_with(".safetensors"))
      refuse(fmt::format("{}.{} is {}; accepted is the name of a .safetensors file beside the index", where,
                         tensor, dump_json(name)));
    shard_of[tensor] = name;
  }
  if (shard_of.empty()) refuse(where + " is empty");
  return shard_of;
}

// What attention's layers were called before 2023.
std::optional<std::string> old_name(std::string_view name) {
  constexpr std::pair<std::string_view, std::string_view> kRenamed[] = {
      {".to_q.", ".query."}, {".to_k.", ".key."}, {".to_v.", ".value."}, {".to_out.0.", ".proj_attn."}};
  for (const auto& [now, then] : kRenamed)
    if (const std::size_t at = name.find(now); at != std::string_view::npos)
      return std::string(name.substr(0, at)).append(then).append(name.substr(at + now.size()));
  return std::nullopt;
}

// "a", "a and 1 more"
std::string first_of(const std::vector<std::string>& names) {
  return names.size() == 1 ? names.front() : fmt::format("{} and {} more", names.front(), names.size() - 1);
}

}  // namespace

WeightFiles WeightFiles::open(const fs::path& directory, std::string_view plain) {
  WeightFiles result;
  result.source_ = choose_source(directory, plain);
  std::map<std::string, std::string> shard_of;  // empty: one file
  std::set<std::string> names{result.source_.filename().string()};
  if (result.source_.extension() == ".json") {
    shard_of = read_weight_map(result.source_);
    names.clear();
    for (const auto& [tensor, file] : shard_of) names.insert(file);
  }
  for (const std::string& name : names) {
    result.paths_.push_back(directory / name);
    result.files_.push_back(SafetensorsFile::open(result.paths_.back()));
    for (const TensorView& view : result.files_.back().tensors()) {
      if (!shard_of.empty() && !shard_of.contains(view.name))
        refuse(fmt::format("{}: tensor {} of {} is not in weight_map", result.source_.string(), view.name,
                           name));
      if (!result.tensors_.emplace(view.name, &view).second)
        refuse(fmt::format("{}: tensor {} is in {} and in another shard", result.source_.string(), view.name,
                           name));
      if (!shard_of.empty() && shard_of.at(view.name) != name)
        refuse(fmt::format("{}: tensor {} is in {}, but weight_map says {}", result.source_.string(),
                           view.name, name, shard_of.at(view.name)));
    }
  }
  for (const auto& [tensor, file] : shard_of)
    if (!result.tensors_.contains(tensor))
      refuse(fmt::format("{}: tensor {} is not in {}, where weight_map says it is", result.source_.string(),
                         tensor, file));
  return result;
}

const TensorView* WeightFiles::find(std::string_view name) const {
  auto at = tensors_.find(name);
  if (at == tensors_.end())
    if (const auto old = old_name(name)) at = tensors_.find(*old);
  return at == tensors_.end() ? nullptr : at->second;
}

std::vector<std::string> WeightFiles::unused(const std::set<const TensorView*>& used) const {
  std::vector<std::string> names;
  for (const auto& [name, view] : tensors_)
    if (!used.contains(view) && !name.ends_with(kNoWeights)) names.push_back(name);
  return names;
}

std::vector<std::string> WeightFiles::dtypes() const {
  std::set<std::string> found;
  for (const auto& [name, view] : tensors_) found.insert(view->dtype);
  return {found.begin(), found.end()};
}

std::uint64_t WeightFiles::data_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& [name, view] : tensors_) bytes += view->data.size();
  return bytes;
}

namespace {

const WeightPart& part_of(std::span<const WeightPart> parts, std::string_view name) {
  return *std::ranges::find_if(parts, [&](const WeightPart& part) { return name.starts_with(part.prefix); });
}

void check_tensor(const TensorView& view, const ParamLayout::Entry& entry) {
  if (view.dims != entry.dims)
    refuse(fmt::format("{}: tensor {} has shape [{}], its config.json asks for [{}]", view.file, view.name,
                       fmt::join(view.dims, ", "), fmt::join(entry.dims, ", ")));
  if (!holds_floats(view))
    refuse(fmt::format("{}: tensor {} has dtype {}, expected F32, F16, BF16 or F64.", view.file, view.name,
                       view.dtype));
}

// The tensor of every entry.
std::vector<const TensorView*> find_tensors(std::span<const WeightPart> parts,
                                            const std::vector<ParamLayout::Entry>& entries) {
  std::vector<const TensorView*> views;
  std::map<const WeightPart*, std::vector<std::string>> missing;
  for (const ParamLayout::Entry& entry : entries) {
    const WeightPart& part = part_of(parts, entry.name);
    views.push_back(part.find(entry.name));
    if (views.back())
      check_tensor(*views.back(), entry);
    else
      missing[&part].push_back(entry.name);
  }
  for (const auto& [part, names] : missing)
    refuse(fmt::format("{}: tensor {} is missing; the file does not fit its config.json",
                       part->files.source().string(), first_of(names)));
  return views;
}

}  // namespace

const TensorView* WeightPart::find(std::string_view name) const {
  const TensorView* view = files.find(name);
  return view ? view : files.find(name.substr(prefix.size()));
}

ParamStore read_weights(const WeightFiles& files, ParamLayout layout) {
  const WeightPart part{files, ""};
  return read_weights({&part, 1}, std::move(layout));
}

ParamStore read_weights(std::span<const WeightPart> parts, ParamLayout layout) {
  const std::vector<const TensorView*> views = find_tensors(parts, layout.entries());
  const std::set<const TensorView*> used(views.begin(), views.end());
  for (const WeightPart& part : parts)
    if (const std::vector<std::string> unused = part.files.unused(used); !unused.empty())
      refuse(fmt::format("{}: tensor {} is not part of the network that its config.json describes",
                         part.files.source().string(), first_of(unused)));

  ParamStore params(std::move(layout));
  const std::vector<ParamLayout::Entry>& entries = params.layout().entries();
  // Nothing in the loop throws: sizes and dtypes are right.
#pragma omp parallel for schedule(dynamic)
  for (std::size_t i = 0; i < entries.size(); ++i) read_f32(*views[i], params.values(entries[i]));
  params.mark_changed();
  return params;
}

}  // namespace diffusion
