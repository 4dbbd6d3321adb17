#include "serve/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include <diffusion/error.h>

namespace diffusion::serve {

Engine::Engine(std::map<std::string, std::shared_ptr<const Model>> models,
               std::shared_ptr<const Device> device, const EngineOptions& options)
    : device_(std::move(device)), options_(options) {
  for (auto& [name, model] : models)
    models_.emplace(name, std::make_unique<ServedModel>(name, std::move(model)));
  thread_ = std::thread([this] { run(); });
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return ready_; });
  if (!failure_) return;
  lock.unlock();
  thread_.join();
  std::rethrow_exception(failure_);
}

Engine::~Engine() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

std::vector<const ServedModel*> Engine::models() const {
  std::vector<const ServedModel*> all;
  for (const auto& [name, model] : models_) all.push_back(model.get());
  return all;
}

const ServedModel* Engine::find(const std::string& name) const {
  const auto found = models_.find(name);
  return found == models_.end() ? nullptr : found->second.get();
}

std::shared_ptr<Job> Engine::submit(JobRequest request, Job::Listener listen) {
  const ServedModel* model = find(request.model);
  if (!model)
    throw Error(ErrorKind::usage, fmt::format("there is no model \"{}\"", request.model), {"model"});
  PreparedJob prepared = prepare_job(*model, request);
  auto job = std::make_shared<Job>(std::move(request), std::move(listen));
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || waiting_.size() >= std::size_t(options_.waiting)) return nullptr;
    waiting_.push_back({job, std::move(prepared)});
  }
  changed_.notify_all();
  return job;
}

int Engine::place_of(const Job& job) const {
  const std::lock_guard lock(mutex_);
  for (std::size_t place = 0; place < waiting_.size(); ++place)
    if (waiting_[place].job.get() == &job) return int(place) + 1;
  return 0;
}

EngineCounts Engine::counts() const {
  const std::lock_guard lock(mutex_);
  EngineCounts counts = counts_;
  counts.waiting = int(waiting_.size());
  return counts;
}

void Engine::run() {
  set_threads(options_.threads);  // of this thread's parallel loops
  try {
    for (const auto& [name, model] : models_)
      model->prepare(*device_, std::size_t(options_.most_rows), options_.most_seconds, options_.enough);
  } catch (...) {
    failure_ = std::current_exception();
  }
  {
    const std::lock_guard lock(mutex_);
    ready_ = true;
  }
  changed_.notify_all();
  while (!failure_) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || !waiting_.empty() || !running_.empty(); });
      if (stopping_) break;
    }
    admit();
    drop_cancelled();
    if (!running_.empty()) evaluate();
  }
  while (!running_.empty()) end(0, JobState::cancelled);
  for (const Waiting& waiting : waiting_) waiting.job->finish(JobState::cancelled);
}

void Engine::admit() {
  while (running_.size() < std::size_t(options_.running)) {
    Waiting next;
    {
      const std::lock_guard lock(mutex_);
      if (waiting_.empty()) return;
      next = std::move(waiting_.front());
      waiting_.pop_front();
      counts_.running = int(running_.size()) + 1;
    }
    ServedModel& model = *models_.at(next.job->request().model);
    running_.push_back(std::make_unique<RunningJob>(model, std::move(next.job), std::move(next.prepared)));
    if (running_.back()->finished())
      end(running_.size() - 1, JobState::done);  // an edit that changes nothing
  }
}

void Engine::drop_cancelled() {
  for (std::size_t k = running_.size(); k-- > 0;)
    if (running_[k]->job().is_cancelled()) end(k, JobState::cancelled);
  std::vector<std::shared_ptr<Job>> dropped;
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(waiting_, [&](const Waiting& waiting) {
      if (waiting.job->is_cancelled()) dropped.push_back(waiting.job);
      return waiting.job->is_cancelled();
    });
    counts_.cancelled += dropped.size();
  }
  for (const auto& job : dropped) job->finish(JobState::cancelled);
}

void Engine::end(std::size_t index, JobState state, const std::string& error) {
  const std::unique_ptr<RunningJob> job = std::move(running_[index]);
  running_.erase(running_.begin() + std::ptrdiff_t(index));
  {
    const std::lock_guard lock(mutex_);
    counts_.running = int(running_.size());
    if (state == JobState::done) {
      ++counts_.done;
      counts_.images += std::uint64_t(job->job().progress().images);
    }
    if (state == JobState::failed) ++counts_.failed;
    if (state == JobState::cancelled) ++counts_.cancelled;
  }
  job->job().finish(state, error);
}

// Those of one model; models take turns.
std::vector<RunningJob*> Engine::jobs_of_turn() {
  std::vector<const ServedModel*> wanted;
  for (const auto& [name, model] : models_)
    if (std::ranges::any_of(running_, [&](const auto& job) { return &job->model() == model.get(); }))
      wanted.push_back(model.get());
  const ServedModel* model = wanted[turn_++ % wanted.size()];
  std::vector<RunningJob*> jobs;
  for (const auto& job : running_)
    if (&job->model() == model) jobs.push_back(job.get());
  return jobs;
}

void Engine::evaluate() {
  const std::vector<RunningJob*> jobs = jobs_of_turn();
  ServedModel& model = jobs.front()->model();
  std::vector<RowOffer> offers;
  for (const RunningJob* job : jobs) offers.push_back(job->offer());
  const std::vector<PackedSampling> packed = pack_rows(offers, model.times(), first_++ % jobs.size());
  rows_.clear();
  for (const PackedSampling& p : packed) jobs[p.job]->ask(p.sampling, rows_);

  const std::size_t rows = rows_.count();
  std::map<RunningJob*, std::string> failures;
  const auto start = std::chrono::steady_clock::now();
  try {
    model.denoise(rows_, denoised_);
  } catch (const std::exception& error) {
    for (const PackedSampling& p : packed) failures[jobs[p.job]] = error.what();
  }
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  {
    const std::lock_guard lock(mutex_);
    ++counts_.evaluations;
    counts_.rows += rows;
    counts_.padding_rows += rows_.count() - rows;
    counts_.busy_seconds += elapsed.count();
  }

  std::span<const double> answers(denoised_);
  for (const PackedSampling& p : packed) {
    const std::size_t numbers = offers[p.job].rows[p.sampling] * model.size().elements();
    try {
      if (!failures.contains(jobs[p.job])) jobs[p.job]->answer(p.sampling, answers.first(numbers));
    } catch (const std::exception& error) {
      failures[jobs[p.job]] = error.what();
    }
    if (answers.size() >= numbers) answers = answers.subspan(numbers);
  }
  for (RunningJob* job : jobs) job->drop_finished();
  for (std::size_t k = running_.size(); k-- > 0;)
    if (const auto failure = failures.find(running_[k].get()); failure != failures.end())
      end(k, JobState::failed, failure->second);
    else if (running_[k]->finished())
      end(k, JobState::done);
}

}  // namespace diffusion::serve
