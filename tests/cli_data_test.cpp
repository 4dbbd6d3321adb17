// Data sets of the user's own through the real binary: the command "data", and training and sampling from
// folders.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <tuple>
#include <vector>

#include <diffusion/image.h>
#include <diffusion/picture_files.h>
#include "cli_program.h"
#include "files/fs.h"
#include "formats/npy.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

namespace fs = std::filesystem;
using cli::Arguments, cli::Outcome, cli::run, cli::json_of, cli::expect_error;

class CliData : public ::testing::Test {
 protected:
  void SetUp() override { ::setenv("DIFFUSION_CACHE_DIR", file("cache").c_str(), 1); }
  void TearDown() override { ::unsetenv("DIFFUSION_CACHE_DIR"); }

  std::string file(std::string_view name) { return (folder_ / name).string(); }

  // Picture i is of one color, which is different from all others.
  void write_pictures(const std::string& folder, int count, int width, int height, int channels) {
    for (int i = 0; i < count; ++i) {
      Image image{width, height, channels, {}};
      for (int p = 0; p < width * height; ++p)
        for (int c = 0; c < channels; ++c) image.pixels.push_back(std::uint8_t(40 * c + 5 * i));
      const fs::path path = folder_ / fmt::format("{}/class {}/{}.png", folder, i % 2, i);
      fs::create_directories(path.parent_path());
      write_png(path, image);
    }
  }
  static const Json& field(const Json& json, std::string_view name) { return member(json, name, "stdout"); }

 private:
  scratch::Folder folder_;
};

TEST_F(CliData, ReportsWhatIsInAFolder) {
  write_pictures("photos", 6, 20, 10, 3);
  fs::copy_file(file("photos/class 0/2.png"), file("photos/class 1/copy\xff.png"));
  write_file(file("photos/class 0/bad.jpg"), "no picture");
  const Outcome text = run({"data", file("photos"), "--size", "8x16", "--quiet", "-o", file("sheet.png")});
  EXPECT_EQ(text.code, 0) << text.err;
  for (const char* part :
       {"photos (image folder)", "images       7", "8 x 16 pixels", "3 channels", "10 x 20", "3  0 class 0",
        "4  1 class 1", "class 1/copy\\xff.png is class 0/2.png", "bad.jpg", "sheet.png"})
    EXPECT_NE(text.out.find(part), std::string::npos) << part << " is not in\n" << text.out;
  EXPECT_NE(text.err.find("bad.jpg"), std::string::npos) << text.err;
  const Image sheet = read_image(file("sheet.png"));
  EXPECT_EQ(sheet.width, 10 * 48 + 9 * 2);
  EXPECT_EQ(sheet.height, 2 * 24 + 2);

  const Json json = json_of(run({"data", file("photos"), "--size", "8x16", "--json", "--quiet"}));
  EXPECT_EQ(field(json, "count"), Json(7));
  EXPECT_EQ(field(json, "height"), Json(8));
  EXPECT_EQ(field(json, "width"), Json(16));
  EXPECT_EQ(to_array(field(json, "channels"), "channels").size(), 3u);
  // Values 0, 5, ..., 25 and once more 10.
  EXPECT_NEAR(to_double(field(to_array(field(json, "channels"), "channels")[0], "mean"), "mean"), 85.0 / 7,
              1e-9);
  EXPECT_EQ(field(to_array(field(json, "classes"), "classes")[1], "count"), Json(4));
  EXPECT_EQ(to_array(field(json, "duplicates"), "duplicates").size(), 1u);
  EXPECT_EQ(field(to_array(field(json, "broken"), "broken")[0], "name"), Json("class 0/bad.jpg"));

  const Json shard =
      json_of(run({"data", file("photos"), "--size", "8x16", "--shards", "3", "--shard", "1", "--json"}));
  EXPECT_EQ(field(shard, "count"), Json(2));
  EXPECT_NE(field(shard, "fingerprint"), field(json, "fingerprint"));
}

TEST_F(CliData, TellsWhatCannotBe) {
  write_pictures("photos", 2, 20, 10, 3);
  write_pictures("mixed", 1, 20, 10, 3);
  write_png(file("mixed/class 0/z.png"), Image{5, 6, 1, std::vector<std::uint8_t>(30)});
  fs::create_directories(file("none"));
  for (const char* size : {"", "0", "8x", "x8", "8x8x8", "-8", "8193", "8.5", "large"})
    expect_error(2, {"data", file("photos"), "--size", size}, {"--size", "48x64"});
  for (const char* color : {"red", "12345", "1234567", "gggggg"})
    expect_error(2, {"data", file("photos"), "--background", color}, {"--background", "RRGGBB"});
  expect_error(2, {"data", file("photos"), "--channels", "2"}, {"--channels"});
  expect_error(2, {"data", file("photos"), "--shards", "3"}, {"3 shards", "2 images"});
  expect_error(2, {"data", file("photos"), "--shards", "2", "--shard", "2"}, {"Shard 2 of 2"});
  expect_error(2, {"data", file("photos"), "-o", file("sheet.gif")}, {".png"});
  expect_error(3, {"data", file("mixed")}, {"20 x 10", "5 x 6", "z.png", "--size"});
  expect_error(3, {"data", file("none")}, {"does not hold a data set", ".jpg", "train-images-idx3-ubyte"});
  write_file(file("none/IMG_1.HEIC"), std::string_view("\0\0\0\x10"
                                                       "ftypheic\0\0\0\0",
                                                       16));
  expect_error(3, {"data", file("none")}, {"IMG_1.HEIC is a HEIC image", "heif-convert", "libheif-examples"});
  expect_error(2, {"data", file("absent")}, {"no data set and no folder"});
  write_file(file("photos/class 0/bad1.jpg"), "no picture");
  expect_error(3, {"data", file("photos"), "--max-broken", "0"}, {"1 files", "bad1.jpg", "--max-broken"});
}

TEST_F(CliData, ShowsCaptions) {
  write_pictures("photos", 6, 20, 10, 3);
  write_file(file("names.tsv"),
             "file\tname\tkeywords\n"
             "class 0/0.png\tred cat\tcat | pet\n"
             "class 0/2.png\tRed dog: large\tdog | pet\n"
             "class 0/2.png\tdog\tpet\n"
             "class 0/4.png\tox\tpet\n"
             "class 1/1.png\tant\tpet\n"
             "class 1/3.png\tbee\tpet\n");
  const Outcome text =
      run({"data", file("photos"), "--captions", file("names.tsv"), "--quiet", "-o", file("captioned.png")});
  EXPECT_EQ(text.code, 0) << text.err;
  for (const char* part :
       {"captions     6", "1  images with 0 captions", "4  images with 1 caption\n", "1  images with 2",
        "none for class 1/5.png", "words        9, 7 different", "most frequent: dog (2), red (2), ant (1)",
        "rarest: ant, bee, cat, large, ox (5 words with a count of 1)",
        "14 characters, 3 words: \"Red dog: large\" (class 0/2.png)", "class 0/0.png: \"red cat\"",
        "or \"dog\""})
    EXPECT_NE(text.out.find(part), std::string::npos) << part << " is not in\n" << text.out;
  EXPECT_NE(text.err.find("1 of 6 images have no caption"), std::string::npos) << text.err;
  EXPECT_EQ(run({"data", file("photos"), "--quiet", "-o", file("plain.png")}).out.find("captions"),
            std::string::npos);
  const Image plain = read_image(file("plain.png")), captioned = read_image(file("captioned.png"));
  EXPECT_GT(captioned.height, plain.height + 2 * 12);  // a line below each row

  const Json json = json_of(run({"data", file("photos"), "--captions", file("names.tsv"), "--json", "--quiet",
                                 "--caption-column", "name", "--caption-column", "keywords"}));
  const Json& captions = field(json, "captions");
  EXPECT_EQ(field(captions, "count"), Json(12));
  EXPECT_EQ(field(captions, "uncaptioned"), Json(Json::Array{"class 1/5.png"}));
  EXPECT_EQ(field(to_array(field(captions, "word_counts"), "word_counts")[0], "word"), Json("pet"));
  EXPECT_EQ(field(field(captions, "longest"), "text"), Json("Red dog: large"));
  EXPECT_EQ(json_of(run({"data", file("photos"), "--json", "--quiet"})).find("captions"), nullptr);

  // A part in which no image has a caption.
  Arguments part{"data", file("photos"), "--captions", file("names.tsv"), "--shards", "6", "--shard", "5"};
  EXPECT_NE(run(part).out.find("captions     0\n"), std::string::npos);
  part.push_back("--json");
  EXPECT_TRUE(field(field(json_of(run(part)), "captions"), "longest").is_null());
}

TEST_F(CliData, TellsWhatIsWrongWithCaptions) {
  write_pictures("photos", 6, 20, 10, 3);
  write_file(file("few.csv"), "file,text\nclass 0/0.png,x\n");
  write_file(file("wrong.csv"), "picture,text\nclass 0/0.png,x\n");
  const auto refused = [&](int code, const Arguments& more, const std::vector<std::string>& parts) {
    Arguments arguments{"data", file("photos"), "-o", file("sheet.png")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    expect_error(code, arguments, parts);
    EXPECT_FALSE(fs::exists(file("sheet.png")));
  };
  refused(2, {"--captions", "names.txt"}, {"--captions is \"names.txt\"", "none, own", ".jsonl"});
  refused(2, {"--caption-column", "text"}, {"--caption-column needs --captions"});
  refused(2, {"--captions", "none", "--max-uncaptioned", "5"}, {"--max-uncaptioned needs --captions"});
  refused(2, {"--captions", file("few.csv"), "--max-uncaptioned", "-1"}, {"--max-uncaptioned"});
  refused(3, {"--captions", file("few.csv")}, {"5 of 6 images", "accepted are 1", "(--max-uncaptioned)"});
  refused(3, {"--captions", file("wrong.csv")},
          {"\"picture\", \"text\"", "file_name or file", "(--caption-column)"});
  refused(3, {"--captions", "own"}, {"No captions lie with the images", "(--captions)"});
  refused(4, {"--captions", file("absent.csv")}, {"absent.csv"});
  expect_error(2, {"data", "shapes", "--captions", file("few.csv")},
               {"shapes have no names", "(--captions)"});
  EXPECT_EQ(run({"data", file("photos"), "--captions", file("few.csv"), "--max-uncaptioned", "5"}).code, 0);
}

TEST_F(CliData, ReadsWebpInFoldersAndAlone) {
  fs::create_directories(file("webp"));
  for (const char* name : {"pillow_lossless.webp", "pillow_lossy.webp", "pillow_animation.webp"})
    write_file(file(std::string("webp/") + name), scratch::pillow_file(name));
  const Outcome text = run({"data", file("webp"), "--quiet"});
  EXPECT_EQ(text.code, 0) << text.err;
  for (const char* part : {"webp (image folder)", "images       3", "11 x 19 pixels", "3 channels"})
    EXPECT_NE(text.out.find(part), std::string::npos) << part << " is not in\n" << text.out;
  const Outcome noise =
      run({"noise", file("webp/pillow_lossy.webp"), "--at", "0", "--no-titles", "-o", file("n.png")});
  EXPECT_EQ(noise.code, 0) << noise.err;
}

TEST_F(CliData, TrainsAndSamplesWithEveryNumberOfChannels) {
  for (const int channels : {1, 3, 4}) {
    const std::string pictures = fmt::format("pictures{}", channels),
                      out = file(fmt::format("run{}", channels));
    write_pictures(pictures, 8, 70, 50, channels);
    const Arguments train{"train",
                          "--data",
                          file(pictures),
                          "--size",
                          "24x32",
                          "--channels",
                          std::to_string(channels),
                          "--preset",
                          "tiny",
                          "--batch",
                          "4",
                          "--steps",
                          "2",
                          "--random-crop",
                          "--flip",
                          "--drop-last",
                          "--preview-every",
                          channels == 4 ? "2" : "0",
                          "--quiet",
                          "--out",
                          out};
    const Outcome outcome = run(train);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    const Json config = parse_json(read_text_file(out + "/latest/unet/config.json", 1 << 20), "config.json");
    EXPECT_EQ(field(config, "sample_size"), Json(Json::Array{24, 32}));
    EXPECT_EQ(field(config, "in_channels"), Json(channels));
    if (channels == 4) {
      EXPECT_EQ(read_image(out + "/previews/step-000000002.png").channels, 4);
    }

    const std::string samples = file(fmt::format("samples{}", channels));
    const Outcome sampled =
        run({"sample", out, "-n", "2", "--steps", "2", "-o", samples, "--gif", samples + ".gif"});
    EXPECT_EQ(sampled.code, 0) << sampled.err;
    const Image picture = read_image(samples + "/000001.png");
    EXPECT_EQ(picture.height, 24);
    EXPECT_EQ(picture.width, 32);
    EXPECT_EQ(picture.channels, channels);
    EXPECT_TRUE(fs::file_size(samples + ".gif") > 100);

    Arguments without_crop = train;
    std::erase(without_crop, "--random-crop");
    expect_error(2, without_crop, {"other settings", "random_crop (true there, false here)"});
  }
}

TEST_F(CliData, PresetSaysSizeUnlessTheUserDoes) {
  write_pictures("photos", 4, 70, 90, 3);
  const auto train = [&](const std::string& out, const Arguments& more) {
    Arguments all{"train", "--preset",        "folder-64", "--batch", "2",     "--steps",
                  "1",     "--preview-every", "0",         "--quiet", "--out", out};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  const auto size_of = [](const std::string& run) {
    const Json config = parse_json(read_text_file(run + "/latest/unet/config.json", 1 << 20), "config.json");
    return field(config, "sample_size");
  };
  const Outcome preset = run(train(file("as-preset"), {"--data", file("photos")}));
  ASSERT_EQ(preset.code, 0) << preset.err;
  EXPECT_EQ(size_of(file("as-preset")), Json(64));
  const Outcome user = run(train(file("as-said"), {"--data", file("photos"), "--size", "16x24"}));
  ASSERT_EQ(user.code, 0) << user.err;
  EXPECT_EQ(size_of(file("as-said")), Json(Json::Array{16, 24}));
  expect_error(2, train(file("none"), {}), {"folder-64 needs --data"});
}

TEST_F(CliData, ImagesOfAPathChooseThePreset) {
  write_pictures("photos", 4, 70, 90, 3);
  write_file(file("photos/class 0/! broken.jpg"), "no picture");  // the first by name
  write_pictures("small", 4, 28, 28, 1);
  int count = 0;
  const auto train = [&](const std::string& pictures, const Arguments& more) {
    const std::string out = file(fmt::format("run{}", count++));
    Arguments all{"train",           "--data", file(pictures), "--batch", "2", "--steps", "1",
                  "--preview-every", "0",      "--out",        out};
    all.insert(all.end(), more.begin(), more.end());
    return run(all);
  };
  for (const auto& [pictures, more, expected] :
       {std::tuple{"photos", Arguments{}, "64x64x3; preset folder-64"},
        std::tuple{"photos", Arguments{"--size", "16x24"}, "16x24x3; preset fashion-mnist"},
        std::tuple{"photos", Arguments{"--preset", "tiny", "--size", "52"}, "52x52x3; preset tiny"},
        std::tuple{"small", Arguments{}, "28x28x1; preset fashion-mnist"}}) {
    const Outcome outcome = train(pictures, more);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_NE(outcome.err.find(expected), std::string::npos) << outcome.err;
  }
  fs::create_directories(file("no pictures/class 0"));
  write_file(file("no pictures/class 0/a.jpg"), "no picture");
  const Outcome none = train("no pictures", {});
  EXPECT_EQ(none.code, 3) << none.err;
  EXPECT_NE(none.err.find("no image that can be read"), std::string::npos) << none.err;
}

// The images of both splits are decoded, one after the other.
TEST_F(CliData, TrainsOnAFolderWithTestImages) {
  write_pictures("set/train", 6, 16, 16, 3);
  write_pictures("set/test", 4, 16, 16, 3);
  const Json json =
      json_of(run({"train", "--data", file("set"), "--preset", "tiny", "--held-out-every", "2", "--batch",
                   "2", "--steps", "2", "--preview-every", "0", "--json", "--out", file("run")}));
  EXPECT_EQ(field(json, "step"), Json(2));
  EXPECT_GT(to_double(field(json, "held_out_loss"), "held_out_loss"), 0);
}

TEST_F(CliData, SizesThatCannotBeHalvedNameTheirNeighbors) {
  write_pictures("photos", 4, 30, 30, 1);
  expect_error(2,
               {"train", "--data", file("photos"), "--size", "51x64", "--preset", "tiny", "--steps", "1",
                "--out", file("run")},
               {"51x64", "50 or 52"});
  expect_error(
      2,
      {"train", "--data", file("photos"), "--preset", "fashion-mnist", "--steps", "1", "--out", file("run")},
      {"30x30", "28 or 32"});
}

}  // namespace
}  // namespace diffusion
