#include "series/series_form.h"

#include <fmt/format.h>

#include <numeric>

#include <diffusion/error.h>
#include "formats/json_fields.h"

namespace diffusion {

namespace {

constexpr int kMostCells = 1 << 20, kMostLags = 64;
constexpr std::string_view kScaling = "mean_std";  // the only one there is
// What training hides of a window, which hidden_values.h says.
constexpr std::string_view kHidden = "points_and_blocks";

}  // namespace

void validate(const SeriesForm& form) {
  const auto require = [](bool holds, std::string_view field, int value, const std::string& accepted) {
    if (!holds)
      throw Error(ErrorKind::usage, fmt::format("{} is {}; accepted is {}", field, value, accepted),
                  {std::string(field)});
  };
  require(form.season >= 2 && form.season <= kMostCells, "season", form.season,
          fmt::format("2 to {}", kMostCells));
  require(form.rows >= 1 && form.rows <= kMostCells / form.season, "rows", form.rows,
          "1 or more, of a million values");
  const bool imputes = form.task == SeriesTask::impute;
  if (imputes)
    require(form.horizon >= 1 && form.horizon <= kMostCells, "horizon", form.horizon,
            fmt::format("1 to {}", kMostCells));
  else
    require(form.horizon >= 1 && form.horizon < form.cells(), "horizon", form.horizon,
            fmt::format("1 to {}, less than context and horizon together", form.cells() - 1));
  require(!imputes || form.lags == 0, "lags", form.lags, "0, where gaps are filled");
  require(form.lags >= 0 && form.lags <= kMostLags, "lags", form.lags, fmt::format("0 to {}", kMostLags));
  require(form.lags == 0 || (form.long_season >= form.horizon && form.long_season <= kMostCells),
          "long_season", form.long_season, fmt::format("{} (the horizon) to {}", form.horizon, kMostCells));
}

SeriesForm series_form(SeriesTask task, int season, int horizon, int context, int multiple) {
  SeriesForm form;
  form.task = task;
  if (task == SeriesTask::impute) form.lags = 0;
  form.season = season;
  form.horizon = horizon;
  if (season < 2 || horizon < 1 || context < 1 || horizon > kMostCells || context > kMostCells) {
    form.rows = 1;
    validate(form);
    throw Error(ErrorKind::usage, fmt::format("context is {}; accepted is 1 to {}", context, kMostCells),
                {"context"});
  }
  if (season % multiple != 0)
    throw Error(ErrorKind::usage,
                fmt::format("season is {}; accepted for this network, which halves rows of one season, are "
                            "multiples of {}: two or more seasons can be one, as {}",
                            season, multiple, std::lcm(season, multiple)),
                {"season"});
  const int least = (context + (task == SeriesTask::forecast ? horizon : 0) + season - 1) / season;
  form.rows = (least + multiple - 1) / multiple * multiple;
  form.long_season = 7 * season;
  if (form.long_season < horizon) form.lags = 0;
  return form;
}

Json to_json(const SeriesForm& form) {
  Json::Object json{{"season", form.season}, {"horizon", form.horizon},
                    {"rows", form.rows},     {"long_season", form.long_season},
                    {"lags", form.lags},     {"calendar", form.calendar},
                    {"scaling", kScaling}};
  if (form.task == SeriesTask::impute) {  // absent in the files of models that forecast
    json["task"] = "impute";
    json["hidden"] = kHidden;
  }
  return json;
}

SeriesForm parse_series_form(const Json& json, std::string_view source) {
  const JsonFields f(json, source);
  SeriesForm form;
  const auto whole = [&](std::string_view field, int& value) {
    value = f.whole_number(field, value, 0, kMostCells);
  };
  whole("season", form.season);
  whole("horizon", form.horizon);
  whole("rows", form.rows);
  whole("long_season", form.long_season);
  whole("lags", form.lags);
  form.calendar = f.flag("calendar", false);
  f.only_text("scaling", kScaling);
  if (const std::string task = f.text("task", "forecast"); task == "impute") {
    form.task = SeriesTask::impute;
    f.only_text("hidden", kHidden);
  } else if (task != "forecast") {
    throw Error(ErrorKind::bad_input,
                fmt::format("{} is \"{}\"; accepted are forecast and impute", f.where("task"), task));
  }
  try {
    validate(form);
  } catch (const Error& error) {
    throw Error(ErrorKind::bad_input, fmt::format("{}: {}", source, error.what()));
  }
  return form;
}

}  // namespace diffusion
