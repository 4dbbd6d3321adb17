#pragma once

#include <string>
#include <string_view>

#include "series/series.h"

namespace diffusion {

// Reads series from CSV. The first line names the columns and decides the form:
//   long     the three columns id,time,value in any order (or unique_id,ds,y; item_id,timestamp,target): a
//   value
//            in each line
//   rows     V1,V2,V3,...: a series in each line, its name first; it ends where the rest of the line is empty
//            (the M4 competition)
//   columns  anything else: a series in each column. A first column called time, date, datetime, timestamp or
//            ds has the times
// Times are dates (parse_date) or whole numbers; they rise, in each series of a long file. The step is the
// smallest difference between two neighbors; where times are left out there is a gap. Cells that are empty,
// NaN or NA are gaps, too. Nothing is ever filled in.
//
// Error(bad_input) naming source, line and column for cells that are no finite number, times that are none,
// do not rise or are not on the steps, steps of different series that differ, tables whose times leave out
// more than kMostTimesLeftOut of the steps, and for files without series.
SeriesTable read_series(std::string_view csv, const std::string& source_name);

inline constexpr double kMostTimesLeftOut = 0.95;

}  // namespace diffusion
