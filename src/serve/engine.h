#pragma once

// Evaluates the rows of many jobs together, step by step, and gives each the bytes that it would have alone.

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <diffusion/device.h>
#include "serve/job.h"
#include "serve/running_job.h"
#include "serve/served_model.h"

namespace diffusion::serve {

struct EngineOptions {
  int threads = 0;             // of the evaluations; 0: all cores
  int running = 64;            // jobs that are evaluated together
  int waiting = 64;            // jobs that wait for these; one more is refused
  int most_rows = 64;          // of an evaluation
  double most_seconds = 0.05;  // of an evaluation, as measured at the start
  double enough = 1.05;        // of without_needless_rows(): 0 for as many rows as there are
};

struct EngineCounts {
  std::uint64_t evaluations = 0, rows = 0, padding_rows = 0;
  double busy_seconds = 0;                                        // in evaluations
  std::uint64_t images = 0, done = 0, failed = 0, cancelled = 0;  // jobs by how they ended
  int waiting = 0, running = 0;
};

class Engine {
 public:
  // Reads nothing: `models` by the name that requests call them by. Measures each; returns when it is ready.
  Engine(std::map<std::string, std::shared_ptr<const Model>> models, std::shared_ptr<const Device> device,
         const EngineOptions& options = {});
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  ~Engine();  // cancels what is left, and tells it so

  std::vector<const ServedModel*> models() const;  // by name
  const ServedModel* find(const std::string& name) const;

  // Error(usage) if the model does not know how to do it; null if too many wait. Any thread.
  std::shared_ptr<Job> submit(JobRequest request, Job::Listener listen = {});

  // How many wait before the job; 0 for one that does not wait. Any thread.
  int place_of(const Job& job) const;

  EngineCounts counts() const;

 private:
  struct Waiting {
    std::shared_ptr<Job> job;
    PreparedJob prepared;
  };

  void run();
  void admit();
  void drop_cancelled();
  void evaluate();
  void end(std::size_t index, JobState state, const std::string& error = {});
  std::vector<RunningJob*> jobs_of_turn();

  const std::shared_ptr<const Device> device_;
  const EngineOptions options_;
  std::map<std::string, std::unique_ptr<ServedModel>> models_;
  std::vector<std::unique_ptr<RunningJob>> running_;  // of the engine's thread
  std::size_t turn_ = 0, first_ = 0;                  // of models, and of jobs: who comes first
  Rows rows_;
  std::vector<double> denoised_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_:
  std::deque<Waiting> waiting_;
  EngineCounts counts_;
  bool ready_ = false, stopping_ = false;
  std::exception_ptr failure_;  // of the start

  std::thread thread_;
};

}  // namespace diffusion::serve
