#include "base/progress.h"

#include <gtest/gtest.h>

#include <sstream>

namespace diffusion {
namespace {

struct Screen {
  std::ostringstream text;
  double seconds = 0;
  int columns;
  Log log{text, [this] { return columns; }};

  explicit Screen(int columns_) : columns(columns_) {}
  Progress progress(std::int64_t total, std::string unit = "images", bool quiet = false) {
    return Progress("sample", total, quiet, std::move(unit), log, [this] { return seconds; });
  }
  std::string take() {
    std::string taken = text.str();
    text.str("");
    return taken;
  }
};

TEST(Progress, APlainLineEveryTenSecondsWithRateAndEtaWithoutATerminal) {
  Screen screen(0);
  Progress progress = screen.progress(100);
  for (screen.seconds = 0; screen.seconds < 10; ++screen.seconds)
    progress.update(std::int64_t(2 * screen.seconds));
  EXPECT_EQ(screen.take(), "");
  progress.update(std::int64_t(20), "step 3/5");
  EXPECT_EQ(screen.take(), "sample  20%  20/100 images  2.00 images/s  ETA 0:40  step 3/5\n");
  screen.seconds = 19.9;
  progress.update(std::int64_t(39));
  EXPECT_EQ(screen.take(), "");
  progress.finish();
  EXPECT_EQ(screen.take(), "");
}

TEST(Progress, OneStatusLineOnATerminalAtMostTenTimesASecond) {
  Screen screen(80);
  Progress progress = screen.progress(10, "");
  progress.update(std::int64_t(0));
  screen.seconds = 0.05;
  progress.update(std::int64_t(1));
  EXPECT_EQ(screen.take(), "");
  screen.seconds = 1;
  progress.update(std::int64_t(5));
  EXPECT_EQ(screen.take(), "sample  50%  5/10  5.00/s  ETA 0:01");
  screen.seconds = 1.5;
  progress.update(0.75);
  EXPECT_EQ(screen.take(), "\r\x1b[Ksample  75%  7/10  5.00/s  ETA 0:01");
  progress.finish();
  EXPECT_EQ(screen.take(), "\r\x1b[K");
  progress.finish();
  EXPECT_EQ(screen.take(), "");
}

TEST(Progress, QuietSaysNothing) {
  for (const int columns : {0, 80}) {
    Screen screen(columns);
    {
      Progress progress = screen.progress(10, "images", true);
      screen.seconds = 1000;
      progress.update(0.5);
    }
    EXPECT_EQ(screen.take(), "");
  }
}

TEST(Progress, AJobWithoutTotalHasARateAndOneWithAFractionAnEta) {
  Screen screen(0);
  Progress counted = screen.progress(0, "steps"), timed = screen.progress(0, "steps");
  counted.update(std::int64_t(0));
  timed.update(0.0);
  screen.seconds = 10;
  counted.update(std::int64_t(50));
  EXPECT_EQ(screen.take(), "sample  50 steps  5.00 steps/s\n");
  timed.update(0.25, "step 3");
  EXPECT_EQ(screen.take(), "sample  25%  ETA 0:30  step 3\n");
}

TEST(Progress, WhatAnEarlierRunDidIsNotSpeed) {
  Screen screen(0);
  Progress progress = screen.progress(2000, "steps");
  progress.update(std::int64_t(1000));
  screen.seconds = 10;
  progress.update(std::int64_t(1010));
  EXPECT_EQ(screen.take(), "sample  50%  1010/2000 steps  1.00 steps/s  ETA 16:30\n");
}

TEST(Progress, TheRateForgetsWhatIsLongAgo) {
  Screen screen(0);
  Progress progress = screen.progress(100000, "steps");
  std::int64_t done = 0;
  for (int second = 1; second <= 200; ++second) {
    screen.seconds = second;
    progress.update(done += second <= 100 ? 100 : 1);
  }
  const std::string text = screen.take();
  EXPECT_TRUE(text.ends_with("  1.00 steps/s  ETA 1d 00:58:20\n")) << text;  // 89,900 to go
}

TEST(Progress, DurationsReadLikeAClock) {
  EXPECT_EQ(format_duration(6.6), "0:07");
  EXPECT_EQ(format_duration(-1), "0:00");
  EXPECT_EQ(format_duration(754), "12:34");
  EXPECT_EQ(format_duration(3 * 3600), "3:00:00");
  EXPECT_EQ(format_duration(2 * 86400 + 3 * 3600 + 5), "2d 03:00:05");
  EXPECT_EQ(format_duration(1e300), "?");
  EXPECT_EQ(format_duration(0.0 / 0.0), "?");
}

TEST(Log, LinesAppearAboveTheStatus) {
  Screen screen(80);
  screen.log.status("working");
  screen.log.line("news");
  screen.log.warning("careful");
  EXPECT_EQ(screen.take(), "working\r\x1b[Knews\nworking\r\x1b[Kwarning: careful\nworking");
}

TEST(Log, AStatusIsCutToTheTerminalBetweenCharacters) {
  Screen screen(5);
  screen.log.status("abcdefg");
  EXPECT_EQ(screen.take(), "abcd");
  screen.log.status("");
  screen.take();
  screen.log.status("äöü€uro");
  EXPECT_EQ(screen.take(), "äöü€");
}

TEST(Log, NoStatusWithoutATerminal) {
  Screen screen(0);
  screen.log.status("working");
  screen.log.line("news");
  EXPECT_EQ(screen.take(), "news\n");
}

}  // namespace
}  // namespace diffusion
