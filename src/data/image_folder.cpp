#include "data/image_folder.h"

#include <dirent.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <set>
#include <utility>

#include <diffusion/error.h>
#include "data/content_hash.h"
#include "files/file_descriptor.h"
#include "files/folders.h"

namespace diffusion {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMaxClasses = 65'536;

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

struct Entry {
  std::string name;
  struct stat status;
};

class Walk {
 public:
  explicit Walk(const WantedFiles& wanted) : wanted_(wanted) {}

  // Images and folders in one folder, sorted by name. A file of which the system tells nothing is listed with
  // a status of zeros: it will be reported as broken.
  struct Content {
    std::vector<Entry> images, folders;
  };
  Content read(const fs::path& path);

  // Adds the images below `path`, whose own path below the root is `prefix`, in the order of their paths.
  void collect(const fs::path& path, const std::string& prefix, int label, FolderListing& listing);
  void collect(const Content& content, const fs::path& path, const std::string& prefix, int label,
               FolderListing& listing);
  std::uint64_t signature() const { return hash_.value(); }

 private:
  bool is_new(const struct stat& folder) { return visited_.emplace(folder.st_dev, folder.st_ino).second; }

  const WantedFiles& wanted_;
  std::set<std::pair<dev_t, ino_t>> visited_;  // or listed, to be visited
  ContentHash hash_;
};

Walk::Content Walk::read(const fs::path& path) {
  const std::unique_ptr<DIR, CloseDirectory> directory(::opendir(path.c_str()));
  if (!directory) throw_io_error("read the folder", path, errno);
  struct stat own {};
  if (::fstat(::dirfd(directory.get()), &own) == 0) is_new(own);
  Content content;
  while (true) {
    errno = 0;
    const dirent* found = ::readdir(directory.get());
    if (found == nullptr && errno != 0) throw_io_error("read the folder", path, errno);
    if (found == nullptr) break;
    Entry entry{found->d_name, {}};
    const bool named_image = wanted_.is_name(entry.name);
    const bool may_be_folder = found->d_type != DT_REG;
    if (entry.name.starts_with('.') || (!named_image && !may_be_folder)) continue;
    if (::fstatat(::dirfd(directory.get()), found->d_name, &entry.status, 0) != 0) {
      if (named_image) content.images.push_back({entry.name, {}});
    } else if (S_ISDIR(entry.status.st_mode)) {
      content.folders.push_back(std::move(entry));
    } else if (S_ISREG(entry.status.st_mode) && named_image) {
      content.images.push_back(std::move(entry));
    }
  }
  std::ranges::sort(content.images, {}, &Entry::name);
  std::ranges::sort(content.folders, {}, &Entry::name);
  // After sorting, so that of two links to one folder it is always the same that counts.
  std::erase_if(content.folders, [&](const Entry& folder) { return !is_new(folder.status); });
  return content;
}

void Walk::collect(const fs::path& path, const std::string& prefix, int label, FolderListing& listing) {
  collect(read(path), path, prefix, label, listing);
}

void Walk::collect(const Content& content, const fs::path& path, const std::string& prefix, int label,
                   FolderListing& listing) {
  for (const Entry& image : content.images) {
    const std::string name = prefix + image.name;
    hash_.add(name);
    for (const auto number : {std::int64_t(image.status.st_size), std::int64_t(image.status.st_mtim.tv_sec),
                              std::int64_t(image.status.st_mtim.tv_nsec)})
      hash_.add(std::uint64_t(number));
    listing.files.push_back({name, label});
  }
  for (const Entry& folder : content.folders)
    collect(path / folder.name, prefix + folder.name + "/", label, listing);
}

}  // namespace

bool is_image_name(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos || dot == 0) return false;
  std::string extension(name.substr(dot));
  std::ranges::transform(extension, extension.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c; });
  constexpr std::array<std::string_view, 6> kExtensions{".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp"};
  return std::ranges::find(kExtensions, extension) != kExtensions.end();
}

std::optional<FolderListing> list_image_folder(const fs::path& folder) {
  return list_folder(folder, {is_image_name, "images"});
}

std::optional<FolderListing> list_folder(const fs::path& folder, const WantedFiles& wanted) {
  Walk walk(wanted);
  const Walk::Content root = walk.read(folder);
  FolderListing listing;
  walk.collect(Walk::Content{root.images, {}}, folder, "", -1, listing);
  for (const Entry& entry : root.folders) {
    const std::size_t before = listing.files.size();
    walk.collect(folder / entry.name, entry.name + "/", int(listing.class_names.size()), listing);
    if (listing.files.size() == before)
      listing.empty_folders.push_back(entry.name);
    else
      listing.class_names.push_back(entry.name);
  }
  if (listing.files.empty()) return std::nullopt;
  if (!root.images.empty() && !listing.class_names.empty())
    throw Error(ErrorKind::bad_input,
                fmt::format("{} holds {} both directly ({}) and in sub-folders ({}); accepted are either "
                            "{} without labels or a sub-folder for each class.",
                            folder.string(), wanted.plural, root.images.front().name,
                            listing.class_names.front(), wanted.plural));
  if (listing.class_names.size() > kMaxClasses)
    throw Error(ErrorKind::bad_input,
                fmt::format("{} holds {} folders with {}, one for each class; accepted are at most {}.",
                            folder.string(), listing.class_names.size(), wanted.plural, kMaxClasses));
  listing.signature = walk.signature();
  return listing;
}

SampleSource image_folder_source(const fs::path& folder, FolderListing listing) {
  const fs::path place = resolved(folder);
  const auto files = std::make_shared<const std::vector<FolderListing::File>>(std::move(listing.files));
  SampleSource source;
  source.name = place.filename().string();
  source.place = place;
  source.signature = listing.signature;
  source.expected = std::int64_t(files->size());
  source.class_names = std::move(listing.class_names);
  source.open = [files, place]() -> SampleReader {
    return [files, place, index = std::size_t(0)]() mutable -> std::optional<Sample> {
      if (index == files->size()) return std::nullopt;
      const FolderListing::File& file = (*files)[index++];
      return Sample{file.path, file.label < 0 ? std::nullopt : std::optional(file.label), place / file.path};
    };
  };
  return source;
}

}  // namespace diffusion
