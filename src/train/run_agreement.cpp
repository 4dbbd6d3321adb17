#include "train/run_agreement.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include <diffusion/error.h>
#include "formats/json.h"
#include "train/run_setup.h"

namespace diffusion {

namespace {

// What decides the bits of a run. Threads do not, where a batch is cut into slices.
Json what_must_agree(const TrainingState& state) {
  Json::Object config = to_object(state.config, "the configuration");
  config.erase("threads");
  return Json::Object{{"config", config}, {"data", state.data}, {"environment", state.environment}};
}

std::string all_differences(const Json& there, const Json& here) {
  std::string list;
  for (const char* part : {"config", "data", "environment"})
    if (const std::string found = differences(*there.find(part), *here.find(part)); !found.empty())
      list += fmt::format("{}{}", list.empty() ? "" : ", ", found);
  return list;
}

}  // namespace

void check_same_everywhere(const Communicator& communicator, int slices, const TrainingState& state) {
  if (communicator.size() == 1) return;
  if (communicator.size() > slices)
    throw Error(ErrorKind::usage,
                fmt::format("{} processes train together, but slices is {}; accepted is one process for each "
                            "slice at most",
                            communicator.size(), slices),
                {"slices"});
  const Json mine = what_must_agree(state);
  const std::vector<std::string> all = communicator.gather(dump_json(mine));
  for (std::size_t rank = 1; communicator.leads() && rank < all.size(); ++rank) {
    const std::string found = all_differences(parse_json(all[rank], communicator.name(int(rank))), mine);
    if (!found.empty())
      throw Error(ErrorKind::usage, fmt::format("{} trains something else than {}: {}",
                                                communicator.name(int(rank)), communicator.name(0), found));
  }
  communicator.follow_leader();
}

void share_resumed(const Communicator& communicator, bool resumed, TrainingState& state, Model& model,
                   const Learner& learner) {
  if (communicator.size() == 1) return;
  std::array numbers{float(resumed)};
  communicator.broadcast(numbers);
  if (numbers[0] == 0) return;
  std::array<double, 3> times{double(state.step), state.seconds, state.loss_average};
  communicator.broadcast(std::as_writable_bytes(std::span(times)));
  state.step = std::int64_t(times[0]);
  state.seconds = times[1];
  state.loss_average = times[2];
  communicator.broadcast(model.params.values());
  const Optimizer& optimizer = learner.optimizer();
  for (const Tensor& block : {optimizer.moment1(), optimizer.moment2(), optimizer.ema()})
    communicator.give_owned(optimizer.queue(), block, learner.owned());
}

Agreement agree(const Communicator& communicator, const Agreement& mine) {
  const std::array numbers{mine.seconds, double(mine.save)};
  const std::vector<double> all = communicator.gather(numbers);
  Agreement result;
  for (std::size_t k = 0; k < all.size(); k += numbers.size()) {
    result.seconds = std::max(result.seconds, all[k]);
    result.save |= all[k + 1] != 0;
  }
  return result;
}

bool any(const Communicator& communicator, bool mine) {
  const double number = mine;
  return std::ranges::any_of(communicator.gather(std::span(&number, 1)), [](double one) { return one != 0; });
}

}  // namespace diffusion
