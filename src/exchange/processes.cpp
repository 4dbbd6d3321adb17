#include "exchange/processes.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>

#include <diffusion/error.h>

namespace diffusion {

namespace {

std::optional<int> number_in_environment(const char* name) {
  const char* text = std::getenv(name);
  if (!text) return std::nullopt;
  const std::string_view digits = text;
  int number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return error == std::errc() && end == digits.data() + digits.size() ? std::optional(number) : std::nullopt;
}

struct Starter {
  bool is_open_mpi;
  const char *rank, *size;
};
// Open MPI's own start comes first: it sets PMIX_RANK, too.
constexpr Starter kStarters[] = {{true, "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"},
                                 {true, "PMIX_RANK", "SLURM_NTASKS"},
                                 {false, "PMI_RANK", "PMI_SIZE"}};

// Beside the program, or where `cmake --install` puts it, which DIFFUSION_MODULES says as seen from the
// program.
std::filesystem::path find_module(std::string_view name) {
  std::error_code unknown;
  const std::filesystem::path folder = std::filesystem::read_symlink("/proc/self/exe", unknown).parent_path();
  for (const std::filesystem::path& place : {folder, folder / DIFFUSION_MODULES})
    if (std::filesystem::exists(place / name, unknown)) return place / name;
  return {};
}

void (*end_all)(int code) = nullptr;  // of the module that is loaded

}  // namespace

std::optional<StartedTogether> started_together() {
  for (const Starter& starter : kStarters) {
    const auto rank = number_in_environment(starter.rank), size = number_in_environment(starter.size);
    if (rank && size && *size > 1) return StartedTogether{starter.is_open_mpi, *rank, *size};
  }
  return std::nullopt;
}

std::shared_ptr<Wire> join_processes(double seconds) {
  const auto together = started_together();
  if (!together) return nullptr;
  const std::string mpi = together->by_open_mpi ? "openmpi" : "mpich";
  const std::string name = "libdiffusion_" + mpi + ".so";
  const std::filesystem::path module = find_module(name);
  if (module.empty())
    throw Error(ErrorKind::usage,
                fmt::format("{} processes were started together, but this build cannot talk to {}: there is "
                            "no {} beside the program. Build it with {} installed, or start one process",
                            together->size, together->by_open_mpi ? "Open MPI" : "MPICH", name,
                            together->by_open_mpi ? "libopenmpi-dev" : "libmpich-dev"));
  // For all: MPI loads parts of its own that look for its names.
  void* handle = dlopen(module.c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (!handle) throw Error(ErrorKind::io, fmt::format("cannot load {}: {}", module.string(), dlerror()));
  const auto open = reinterpret_cast<Wire* (*)(double)>(dlsym(handle, "diffusion_open_wire"));
  std::shared_ptr<Wire> wire(open ? open(seconds) : nullptr);
  end_all = reinterpret_cast<void (*)(int)>(dlsym(handle, "diffusion_end_all"));
  if (!wire) throw Error(ErrorKind::io, fmt::format("MPI did not begin in {}", module.string()));
  return wire;
}

void join_to_end_all() {
  if (end_all || !started_together()) return;
  alarm(20);  // MPI waits for all to join; one of them may be gone
  try {
    join_processes(0);
  } catch (const Error&) {  // the failure that brought us here is told, not this one
  }
  alarm(0);
}

void end_all_processes(int code) {
  if (!end_all) return;
  // MPICH's starter throws away what it was sent and has not passed on when one process ends all.
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  constexpr unsigned kSeconds = 5;  // where the others cannot be reached, MPI may wait for ever
  alarm(kSeconds);
  end_all(code);
}

}  // namespace diffusion
