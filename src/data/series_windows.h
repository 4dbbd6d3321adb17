#pragma once

#include <vector>

#include <diffusion/dataset.h>
#include "data/number_examples.h"
#include "series/series.h"
#include "series/series_form.h"

namespace diffusion {

// Windows of series as examples, [1, rows, season] each. The last `horizon` values of every series are held
// out: no training window reaches them, and the test windows, one of each series, end with them.
// To impute, every example hides values of its window, which `draw` decides (hidden_in_training); there are
// as many test windows of a series as the horizon has room for, and at least one, in which values count that
// are of the horizon.
class SeriesWindows final : public NumberExamples {
 public:
  // Error(usage) naming it for a form that cannot be; for series of which none is long enough for a window of
  // the part: of training that is context + 2 horizons, to impute context + horizon; a calendar needs dates.
  SeriesWindows(SeriesTable table, const SeriesForm& form, Split part);

  int count() const override { return int(firsts_.back()); }
  int known_channels() const override { return form_.known_channels(); }
  void write(int i, const RandomKey& draw, const ExampleParts& parts) const override;
  std::uint64_t fingerprint() const override;

  // Series that are too short, of which nothing is learned.
  const std::vector<std::string>& left_out() const { return left_out_; }

 private:
  void write_gaps(const TimeSeries& series, std::int64_t number, const RandomKey& draw,
                  const ExampleParts& parts) const;

  SeriesTable table_;
  SeriesForm form_;
  Split part_;
  std::vector<std::int64_t> firsts_;  // the number of the first window of each series, and how many there are
  std::vector<std::string> left_out_;
};

// As a data set, with the name of the table.
Dataset series_dataset(std::shared_ptr<const SeriesWindows> windows, const SeriesTable& table,
                       const SeriesForm& form);

}  // namespace diffusion
