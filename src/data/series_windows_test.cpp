#include "data/series_windows.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <vector>

#include <diffusion/error.h>
#include "data/batches.h"

namespace diffusion {
namespace {

const SeriesForm kWindowForm{
    .season = 4, .horizon = 4, .rows = 4, .long_season = 4, .lags = 1};  // a context of 12

// Values that tell where they stand.
SeriesTable counting_table(std::vector<int> lengths) {
  SeriesTable table{"counting", {}};
  for (std::size_t k = 0; k < lengths.size(); ++k) {
    TimeSeries series{std::string(1, char('a' + k)), {}};
    for (int i = 0; i < lengths[k]; ++i) series.values.push_back(1000 * double(k) + i);
    table.series.push_back(series);
  }
  return table;
}

Dataset windows_of(const SeriesTable& table, Split part) {
  return series_dataset(std::make_shared<const SeriesWindows>(table, kWindowForm, part), table, kWindowForm);
}

struct Example {
  std::vector<float> x = std::vector<float>(16), known = std::vector<float>(16 * 3),
                     counted = std::vector<float>(16);
};

Example example_of(const BatchStream& stream, std::uint32_t step, std::uint32_t i) {
  Example e;
  EXPECT_FALSE(stream.example(step, i, {e.x, e.known, e.counted}));
  return e;
}

TEST(SeriesWindowsData, AreEveryPlaceButTheLastHorizon) {
  const Dataset data = windows_of(counting_table({22, 20, 5}), Split::train);
  EXPECT_EQ(data.count(), 3 + 1);  // 12 + 2 x 4 values are needed
  EXPECT_EQ(data.known_channels(), 3);
  EXPECT_THROW(data.image(0), Error);
  const Dataset test = windows_of(counting_table({22, 20, 16}), Split::test);
  EXPECT_EQ(test.count(), 3);
  EXPECT_NE(test.fingerprint(), windows_of(counting_table({22, 20, 16}), Split::train).fingerprint());
}

TEST(SeriesWindowsData, BatchesArePureAndVisitEveryWindow) {
  const Dataset data = windows_of(counting_table({30, 21}), Split::train);
  const BatchStream stream(data, 5, {.size = data.count()});
  EXPECT_EQ(stream.known_size(), 48u);
  std::set<std::vector<float>> seen;
  for (int i = 0; i < data.count(); ++i) {
    const Example e = example_of(stream, 0, std::uint32_t(i));
    seen.insert(e.known);
    EXPECT_EQ(e.x, example_of(stream, 0, std::uint32_t(i)).x);
  }
  EXPECT_GT(seen.size(), 1u);
  std::set<int> places;
  for (int i = 0; i < data.count(); ++i) places.insert(stream.dataset_index(0, std::uint32_t(i)));
  EXPECT_EQ(int(places.size()), data.count());
}

TEST(SeriesWindowsData, RoomThatDoesNotFitIsABug) {
  const Dataset data = windows_of(counting_table({30}), Split::train);
  const BatchStream stream(data, 5, {.size = 1});
  std::vector<float> x(16);
  EXPECT_THROW(stream.example(0, 0, x), Error);
}

TEST(SeriesWindowsData, SeriesThatAreTooShortAreNamed) {
  const SeriesWindows windows(counting_table({30, 19}), kWindowForm, Split::train);
  EXPECT_EQ(windows.left_out(), std::vector<std::string>{"b"});
  try {
    SeriesWindows(counting_table({19}), kWindowForm, Split::train);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_NE(std::string(error.what()).find("12 values"), std::string::npos) << error.what();
  }
}

TEST(NumberArrayData, AreExamplesWithoutAnythingKnown) {
  Dataset data{"numbers", 1, 3, 1, {}, {}, {}};
  data.numbers = std::make_shared<const NumberArray>(std::vector<float>{1, 2, 3, -4, 5.5f, 6}, 3);
  data.labels = {1, 0};
  data.class_names = {"no", "yes"};
  EXPECT_EQ(data.count(), 2);
  const BatchStream stream(data, 1, {.size = 2});
  std::vector<float> x(3);
  for (std::uint32_t i = 0; i < 2; ++i) {
    const auto label = stream.example(0, i, x);
    EXPECT_EQ(x, *label == 1 ? (std::vector<float>{1, 2, 3}) : (std::vector<float>{-4, 5.5f, 6}));
  }
  EXPECT_THROW(NumberArray({1, 2, 3, 4}, 3), Error);
  const Dataset half = take_shard(data, 2, 1);
  EXPECT_EQ(half.count(), 1);
  EXPECT_NE(half.fingerprint(), data.fingerprint());
}

}  // namespace
}  // namespace diffusion
