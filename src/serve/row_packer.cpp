#include "serve/row_packer.h"

#include <algorithm>

namespace diffusion::serve {

std::vector<PackedSampling> pack_rows(std::span<const RowOffer> offers, const BatchTimes& times,
                                      std::size_t first) {
  const auto is_short = [](const RowOffer& offer) { return offer.rows_left <= kShortJobRows; };
  const auto shorts = std::size_t(std::ranges::count_if(offers, is_short));
  std::size_t room = times.most(), rounds = 0;
  for (const RowOffer& offer : offers) rounds = std::max(rounds, offer.rows.size());
  std::size_t rows_of_shortest = times.most();
  for (const RowOffer& offer : offers)
    if (is_short(offer)) rows_of_shortest = std::min(rows_of_shortest, offer.rows.front());

  std::vector<PackedSampling> packed;
  std::size_t used = 0;
  for (std::size_t round = 0; round < rounds; ++round) {
    for (std::size_t k = 0; k < offers.size(); ++k) {
      const std::size_t job = (first + k) % offers.size();
      if (round >= offers[job].rows.size()) continue;
      const std::size_t rows = offers[job].rows[round];
      if (used > 0 && used + rows > room) continue;
      packed.push_back({job, round});
      used += rows;
    }
    if (round == 0 && shorts > 0 && shorts < offers.size())
      room = std::min(room, times.most_within(1.5 * times.seconds(rows_of_shortest), used));
  }
  return packed;
}

}  // namespace diffusion::serve
