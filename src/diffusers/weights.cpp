#include "diffusers/weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include <diffusion/error.h>
#include "base/buffer.h"
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

namespace {

// The tensor of every entry of the layout, each used.
std::vector<const TensorView*> match_tensors(std::span<const WeightPart> parts, const ParamLayout& layout) {
  std::vector<const TensorView*> views = find_tensors(parts, layout.entries());
  const std::set<const TensorView*> used(views.begin(), views.end());
  for (const WeightPart& part : parts)
    if (const std::vector<std::string> unused = part.files.unused(used); !unused.empty())
      refuse(fmt::format("{}: tensor {} is not part of the network that its config.json describes",
                         part.files.source().string(), first_of(unused)));
  return views;
}

}  // namespace

ParamStore read_weights(std::span<const WeightPart> parts, ParamLayout layout) {
  const std::vector<const TensorView*> views = match_tensors(parts, layout);
  ParamStore params(std::move(layout));
  const std::vector<ParamLayout::Entry>& entries = params.layout().entries();
  // Nothing in the loop throws: sizes and dtypes are right.
#pragma omp parallel for schedule(dynamic)
  for (std::size_t i = 0; i < entries.size(); ++i) read_f32(*views[i], params.values(entries[i]));
  params.mark_changed();
  return params;
}

namespace {

// The mapped files of a store, and numbers that no file has as they are wanted.
struct WeightMemory {
  std::vector<MappedWeights> parts;
  Buffer<std::byte> own;
};

// A parameter's tensors, which are to lie one after the other.
struct ParamSource {
  std::span<const TensorView* const> views;
  std::span<const ParamLayout::Entry> entries;

  // The one that all of its numbers have; f32 for those of vectors, and what kernels cannot read.
  DType dtype() const {
    const std::string& name = views.front()->dtype;
    for (std::size_t i = 0; i < views.size(); ++i)
      if (views[i]->dtype != name || entries[i].dims.size() < 2) return DType::f32;
    return name == "BF16" ? DType::bf16 : name == "F16" ? DType::f16 : DType::f32;
  }
  bool is_usable_in_place() const {
    const bool is_file_type = views.front()->dtype == "F32" || dtype() != DType::f32;
    const auto address = reinterpret_cast<std::uintptr_t>(views.front()->data.data());
    return views.size() == 1 && is_file_type && address % size_of(dtype()) == 0;
  }
  std::size_t bytes() const {
    std::size_t count = 0;
    for (const ParamLayout::Entry& entry : entries) count += entry.size;
    return count * size_of(dtype());
  }
  void copy_to(std::byte* to) const {
    const DType type = dtype();
    for (std::size_t i = 0; i < views.size(); to += entries[i].size * size_of(type), ++i)
      if (type == DType::f32)
        read_f32(*views[i], {reinterpret_cast<float*>(to), entries[i].size});
      else
        std::copy_n(views[i]->data.data(), views[i]->data.size(), to);
  }
};

}  // namespace

ParamStore map_weights(std::vector<MappedWeights> mapped, ParamLayout layout) {
  constexpr std::size_t kLine = 64;  // bytes: every parameter of our own starts on a cache line
  auto memory = std::make_shared<WeightMemory>(WeightMemory{std::move(mapped), {}});
  std::vector<WeightPart> parts;
  for (const MappedWeights& part : memory->parts) parts.push_back({part.files, part.prefix});
  const std::vector<const TensorView*> views = match_tensors(parts, layout);

  const auto count = int(layout.param_count());
  std::vector<ParamSource> sources;
  std::vector<std::size_t> offsets;  // in our own memory
  std::size_t own_bytes = 0;
  for (int i = 0, first = 0; i < count; ++i) {
    const auto entries = layout.parts(i);
    sources.push_back({std::span(views).subspan(std::size_t(first), entries.size()), entries});
    first += int(entries.size());
    offsets.push_back(own_bytes);
    if (!sources.back().is_usable_in_place())
      own_bytes += (sources.back().bytes() + kLine - 1) / kLine * kLine;
  }
  memory->own = Buffer<std::byte>(own_bytes);
  std::vector<ParamNumbers> numbers(sources.size());
  // Nothing in the loop throws: sizes and dtypes are right.
#pragma omp parallel for schedule(dynamic)
  for (std::size_t i = 0; i < sources.size(); ++i) {
    std::byte* own = memory->own.data() + offsets[i];
    const bool in_place = sources[i].is_usable_in_place();
    if (!in_place) sources[i].copy_to(own);
    numbers[i] = {sources[i].dtype(), in_place ? sources[i].views.front()->data.data() : own};
  }
  return ParamStore(std::move(layout), std::move(numbers), std::move(memory), own_bytes);
}

}  // namespace diffusion
