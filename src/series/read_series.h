#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "series/series.h"

namespace diffusion {

// A cell of a file whose value is missing.
struct GapCell {
  std::size_t series;          // its number in the table
  std::int64_t place;          // of the value in the series
  std::size_t offset, length;  // the bytes of the cell in the text, with quotes around it
};

// Reads series from CSV. The first line names the columns and decides the form:
//   long     the three columns id,time,value in any order (or unique_id,ds,y; item_id,timestamp,target; for
//            the times all names below): a value in each line
//   rows     V1,V2,V3,...: a series in each line, its name first; it ends where the rest of the line is empty
//            (the M4 competition)
//   columns  anything else: a series in each column. A first column called time, date, datetime, timestamp or
//            ds has the times
// Times are dates (parse_date) or whole numbers; they rise, in each series of a long file. The step is the
// smallest difference between two neighbors; where times are left out there is a gap. Cells that are empty,
// NaN or NA are gaps, too. Nothing is ever filled in. Empty lines are passed over, but refused between the
// values of a file of one column.
//
// Error(bad_input) naming source, line and column for cells that are no finite number or one beyond
// kMostValue, and times that are none or do not rise; naming lines for times that are not on the steps, and
// that leave out more than kMostTimesLeftOut of them; for series without a value, and files without series.
//
// `gaps` is told of the cells that are gaps, in the order of the text; times that are left out have no
// cell.
SeriesTable read_series(std::string_view csv, const std::string& source_name,
                        std::vector<GapCell>* gaps = nullptr);

inline constexpr double kMostTimesLeftOut = 0.95;
inline constexpr double kMostValue = 1e100;  // squares, and sums of these, are finite

}  // namespace diffusion
