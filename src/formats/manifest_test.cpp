#include "formats/manifest.h"

#include <gtest/gtest.h>

#include "files/fs.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

class Manifest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directory(folder_ / "sub");
    write_file(folder_ / "a", std::string("first"));
    write_file(folder_ / "sub/b", std::string("second"));
    const std::string files[] = {"a", "sub/b"};
    manifest_ = make_manifest(folder_.path(), files);
  }

  std::string defect_of(const std::string& file) const {
    for (const ManifestCheck& check : check_manifest(folder_.path(), manifest_, "list"))
      if (check.file == file) return check.defect;
    return "is not in the list";
  }

  scratch::Folder folder_;
  Json manifest_;
};

TEST_F(Manifest, FilesThatAreAsTheyWereHaveNoDefect) {
  EXPECT_EQ(check_manifest(folder_.path(), manifest_, "list").size(), 2u);
  EXPECT_EQ(defect_of("a"), "");
  EXPECT_EQ(defect_of("sub/b"), "");
  EXPECT_EQ(*member(manifest_, "a", "list").find("sha256"),
            Json("a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e"));
}

TEST_F(Manifest, DamageIsFound) {
  write_file(folder_ / "sub/b", std::string("secone"));  // of the same size
  EXPECT_NE(defect_of("sub/b").find("SHA-256"), std::string::npos);
  write_file(folder_ / "sub/b", std::string("longer than before"));
  EXPECT_NE(defect_of("sub/b").find("18 bytes instead of 6"), std::string::npos);
  std::filesystem::remove(folder_ / "sub/b");
  EXPECT_EQ(defect_of("sub/b"), "is missing");
  std::filesystem::create_directory(folder_ / "sub/b");
  EXPECT_EQ(defect_of("sub/b"), "is not a regular file");
  EXPECT_EQ(defect_of("a"), "");
}

TEST_F(Manifest, ListsThatAreNoneAreRefused) {
  const auto refused = [&](const char* text) {
    return scratch::error_of(ErrorKind::bad_input,
                             [&] { check_manifest(folder_.path(), parse_json(text, "list"), "list"); });
  };
  for (const char* name : {"../a", "sub/../../a", "/etc/passwd", ""}) {
    const std::string text = std::string("{\"") + name + R"(": {"size": 5, "sha256": ""}})";
    EXPECT_NE(refused(text.c_str()).find("inside"), std::string::npos) << name;
  }
  refused("[]");
  refused(R"({"a": 5})");
  refused(R"({"a": {"size": "5", "sha256": ""}})");
  refused(R"({"a": {"size": 5}})");
}

}  // namespace
}  // namespace diffusion
