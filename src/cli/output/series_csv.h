#pragma once

// What is written of series: quantiles, and paths.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "series/forecast.h"
#include "series/series.h"

namespace diffusion {

// Of value `place` of a series. Without times its number, from 1.
std::string time_text(const SeriesTable& table, const TimeSeries& series, std::int64_t place);

// The time of value h of what is said of series k.
using ValueTime = std::function<std::string(std::size_t k, int h)>;

// id,time and the quantiles q05 to q95: a line for each series and value.
std::string quantiles_csv(const SeriesTable& table, const std::vector<QuantileForecast>& forecasts,
                          const ValueTime& time);

// id,path,time,value of paths [P, quantiles[k].horizon()] of each series, whose distances from the median of
// `quantiles` are multiplied by `spread`.
std::string paths_csv(const SeriesTable& table, const std::vector<std::vector<double>>& paths,
                      const std::vector<QuantileForecast>& quantiles, double spread, const ValueTime& time);

}  // namespace diffusion
