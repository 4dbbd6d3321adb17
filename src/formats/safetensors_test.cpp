#include "formats/safetensors.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "files/fs.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

using scratch::error_of;

std::string length_prefix(std::uint64_t length) {
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes;
}

// A file with that header, padded or not as it comes, and that many bytes of data.
std::string file_of(const std::string& header, std::size_t data_bytes) {
  return length_prefix(header.size()) + header + std::string(data_bytes, '\x01');
}

std::string tensor_json(const std::string& name, const std::string& dtype, const std::string& shape,
                        const std::string& offsets) {
  return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets +
         "}";
}

std::vector<float> values_of(const TensorView& tensor) {
  std::vector<float> values(std::size_t(tensor.elements()));
  read_f32(tensor, values);
  return values;
}

class Safetensors : public ::testing::Test {
 protected:
  std::filesystem::path write(const std::string& bytes) const {
    write_file(folder_ / "model.safetensors", bytes);
    return folder_ / "model.safetensors";
  }

  scratch::Folder folder_;
};

TEST_F(Safetensors, RoundTrip) {
  const std::vector<float> weight = {1, -2, 3.5f, 0, 1e-30f, INFINITY};
  const std::vector<float> bias = {0.1f, 65504.0f};
  const std::vector<float> scalar = {7};
  const TensorToWrite tensors[] = {{"conv.weight", {2, 3}, weight},
                                   {"conv.bias", {2}, bias, SafetensorsDType::f16},
                                   {"a.scalar", {}, scalar, SafetensorsDType::bf16},
                                   {"b.empty", {0, 4}, {}}};
  write_safetensors(folder_ / "m", tensors);
  const auto file = SafetensorsFile::open(folder_ / "m");
  EXPECT_EQ(file.metadata(), (std::map<std::string, std::string>{{"format", "pt"}}));
  ASSERT_EQ(file.tensors().size(), 4u);

  const TensorView* found = file.find("conv.weight");
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->dtype, "F32");
  EXPECT_EQ(found->dims, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(values_of(*found), weight);
  EXPECT_EQ(file.find("conv.bias")->dtype, "F16");
  EXPECT_EQ(values_of(*file.find("conv.bias")), (std::vector<float>{0.0999755859375f, 65504.0f}));
  EXPECT_EQ(file.find("a.scalar")->dtype, "BF16");
  EXPECT_EQ(file.find("a.scalar")->elements(), 1);
  EXPECT_EQ(values_of(*file.find("a.scalar")), scalar);
  EXPECT_EQ(file.find("b.empty")->elements(), 0);
  EXPECT_TRUE(values_of(*file.find("b.empty")).empty());
  EXPECT_EQ(file.find("conv"), nullptr);
}

TEST_F(Safetensors, WritesTheBytesOfTheReference) {
  const std::vector<float> one = {1};
  const TensorToWrite tensors[] = {{"z", {1}, one, SafetensorsDType::f16},
                                   {"b", {1}, one},
                                   {"y", {1}, one, SafetensorsDType::bf16},
                                   {"a\"\u00e9", {1, 1}, one}};
  write_safetensors(folder_ / "m", tensors, {});
  std::string header = R"({"a\"\u00e9":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]},)"
                       R"("b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]},)"
                       R"("y":{"dtype":"BF16","shape":[1],"data_offsets":[8,10]},)"
                       R"("z":{"dtype":"F16","shape":[1],"data_offsets":[10,12]}})";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  const std::string data("\x00\x00\x80\x3f\x00\x00\x80\x3f\x80\x3f\x00\x3c", 12);
  EXPECT_EQ(read_text_file(folder_ / "m", 10'000), length_prefix(header.size()) + header + data);
  EXPECT_EQ(SafetensorsFile::open(folder_ / "m").tensors().front().name, "a\"\u00e9");

  write_safetensors(folder_ / "m", {}, {{"k", "v"}, {"format", "pt"}});
  const std::string metadata_only = R"({"__metadata__":{"format":"pt","k":"v"}})";
  EXPECT_EQ(metadata_only.size(), 40u);
  EXPECT_EQ(read_text_file(folder_ / "m", 10'000), length_prefix(40) + metadata_only);
  EXPECT_TRUE(SafetensorsFile::open(folder_ / "m").tensors().empty());
}

TEST_F(Safetensors, MovesWithItsViews) {
  const std::vector<float> values = {1, 2, 3};
  const TensorToWrite tensors[] = {{"x", {3}, values}};
  write_safetensors(folder_ / "m", tensors);
  auto first = SafetensorsFile::open(folder_ / "m");
  SafetensorsFile second = std::move(first);
  EXPECT_EQ(values_of(*second.find("x")), values);
  second = SafetensorsFile::open(folder_ / "m");
  EXPECT_EQ(values_of(*second.find("x")), values);
}

TEST_F(Safetensors, ReadsUnalignedDataOfEveryFloatType) {
  // 3 bytes of U8 first, and a header whose length is no multiple of 8.
  const std::string header =
      "  {" + tensor_json("u", "U8", "[3]", "[0,3]") + "," + tensor_json("d", "F64", "[2]", "[3,19]") + "," +
      tensor_json("h", "F16", "[1]", "[19,21]") + "," + tensor_json("b", "BF16", "[1]", "[21,23]") + "," +
      tensor_json("f", "F32", "[1]", "[23,27]") + "} ";
  std::string bytes = file_of(header, 27);
  char* data = bytes.data() + bytes.size() - 27;
  const double d[2] = {0.1, -1e300};
  const std::uint16_t h = 0x3555, b = 0x3fc0;
  const float f = 2.5f;
  std::memcpy(data + 3, d, 16);
  std::memcpy(data + 19, &h, 2);
  std::memcpy(data + 21, &b, 2);
  std::memcpy(data + 23, &f, 4);
  const auto file = SafetensorsFile::open(write(bytes));
  EXPECT_EQ(file.tensors().front().name, "u");
  EXPECT_EQ(values_of(*file.find("d")), (std::vector<float>{0.1f, -INFINITY}));
  EXPECT_EQ(values_of(*file.find("h")), std::vector<float>{0.333251953125f});
  EXPECT_EQ(values_of(*file.find("b")), std::vector<float>{1.5f});
  EXPECT_EQ(values_of(*file.find("f")), std::vector<float>{2.5f});

  float out[3] = {};
  const std::string dtype = error_of(ErrorKind::bad_input, [&] { read_f32(*file.find("u"), out); });
  EXPECT_NE(dtype.find("model.safetensors: tensor u has dtype U8"), std::string::npos) << dtype;
  const std::string size = error_of(ErrorKind::bad_input, [&] { read_f32(*file.find("d"), out); });
  EXPECT_NE(size.find("model.safetensors: tensor d has 2 elements, expected 3"), std::string::npos) << size;
}

TEST_F(Safetensors, AcceptsWhatTheFormatAllows) {
  const std::string headers[] = {
      "{}",
      "{}        ",
      "\n\t {}",
      R"({"__metadata__":{}})",
      "{" + tensor_json("x", "F4", "[2]", "[0,1]") + "," + tensor_json("y", "F6_E2M3", "[4,1]", "[1,4]") +
          "}",
      "{" + tensor_json("x", "I64", "[]", "[0,8]") + "," + tensor_json("", "BOOL", "[0]", "[8,8]") + "," +
          tensor_json("y", "C64", "[1]", "[8,16]") + "," + tensor_json("z", "F32", "[3,0]", "[8,8]") + "}",
      "{" + tensor_json("x", "U8", "[1,1,1,1,1,1,1,1]", "[0,1]") + "}",
      "{" + tensor_json(std::string(1024, 'n'), "U8", "[0]", "[0,0]") + "}",
      "{" + tensor_json("x", "U8", "[0,9223372036854775807]", "[0,0]") + "}"};
  const std::size_t data_bytes[] = {0, 0, 0, 0, 4, 16, 1, 0, 0};
  for (std::size_t i = 0; i < std::size(headers); ++i) {
    EXPECT_NO_THROW(SafetensorsFile::open(write(file_of(headers[i], data_bytes[i])))) << headers[i];
  }
}

TEST_F(Safetensors, RejectsMalformedFilesByName) {
  const std::string good = tensor_json("x", "F32", "[2]", "[0,8]");
  const auto one = [](const std::string& tensor) { return file_of("{" + tensor + "}", 8); };
  const std::pair<std::string, std::string> cases[] = {
      {"", "fewer than the 8"},
      {"1234567", "fewer than the 8"},
      {length_prefix(0), "not valid JSON"},
      {length_prefix(1), "claims a header of 1 bytes"},
      {length_prefix(16'000'001) + "{}", "more than the 16000000 accepted"},
      {length_prefix(std::numeric_limits<std::uint64_t>::max()) + "{}", "claims a header"},
      {length_prefix(std::numeric_limits<std::uint64_t>::max() - 7) + "{}", "claims a header"},
      {length_prefix(std::uint64_t(1) << 63) + "{}", "claims a header"},
      {length_prefix(3) + "{}", "claims a header of 3 bytes"},
      {file_of("[]", 0), "is an array, expected an object"},
      {file_of("null", 0), "is null, expected an object"},
      {file_of("{\"\xff\":1}", 0), "not valid JSON"},
      {file_of("{} x", 0), "not valid JSON"},
      {file_of(std::string("{}\0\0\0\0\0\0", 8), 0), "NUL"},
      {file_of("{" + good + "," + good + "}", 8), "occurs twice"},
      {file_of(R"({"x":)" + std::string(100'000, '['), 0), "nested"},
      {one("\"x\":1"), "is 1, expected an object"},
      {one("\"x\":null"), "expected an object"},
      {one(R"("x":{"shape":[2],"data_offsets":[0,8]})"), "field dtype is missing"},
      {one(R"("x":{"dtype":"F32","data_offsets":[0,8]})"), "field shape is missing"},
      {one(R"("x":{"dtype":"F32","shape":[2]})"), "field data_offsets is missing"},
      {one(R"("x":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"more":1})"), "unknown field more"},
      {one(R"("x":{"dtype":32,"shape":[2],"data_offsets":[0,8]})"), "dtype is 32, expected a string"},
      {one(tensor_json("x", "F31", "[2]", "[0,8]")), "unknown dtype F31"},
      {one(tensor_json("x", "f32", "[2]", "[0,8]")), "unknown dtype f32"},
      {one(tensor_json("x", "F32", "2", "[0,8]")), "expected an array"},
      {one(tensor_json("x", "F32", "[2.0]", "[0,8]")), "is 2.0, expected an integer"},
      {one(tensor_json("x", "F32", "[-2]", "[0,8]")), "is -2, expected 0 or more"},
      {one(tensor_json("x", "F32", "[\"2\"]", "[0,8]")), "expected an integer"},
      {one(tensor_json("x", "F32", "[18446744073709551618]", "[0,8]")), "expected an integer"},
      {one(tensor_json("x", "F32", "[4294967296,4294967296,2]", "[0,8]")), "overflows"},
      {one(tensor_json("x", "F32", "[4611686018427387905,4]", "[0,16]")), "overflows"},
      {one(tensor_json("x", "F32", "[4611686018427387904,4,0]", "[0,0]")), "overflows"},
      {one(tensor_json("x", "F32", "[576460752303423490]", "[0,8]")), "overflows"},
      {one(tensor_json("x", "F32", "[1,1,1,1,1,1,1,1,2]", "[0,8]")), "9 dimensions"},
      {one(tensor_json("x", "F4", "[3]", "[0,2]")), "whole number of bytes"},
      {one(tensor_json("x", "F6_E3M2", "[2]", "[0,2]")), "whole number of bytes"},
      {one(tensor_json("x", "F32", "[2]", "[0]")), "1 data_offsets instead of 2"},
      {one(tensor_json("x", "F32", "[2]", "[-0,8]")), "is -0.0, expected an integer"},
      {one(tensor_json("x", "F32", "[2]", "[0,8,8]")), "3 data_offsets instead of 2"},
      {one(tensor_json("x", "F32", "[2]", "[8,0]")), "before it begins"},
      {one(tensor_json("x", "F32", "[2]", "[-8,0]")), "is -8, expected 0 or more"},
      {one(tensor_json("x", "F32", "[2]", "[0,7]")), "need 8"},
      {one(tensor_json("x", "F32", "[1]", "[0,8]")), "need 4"},
      {one(tensor_json("x", "F32", "[1]", "[4,8]")), "begin at 4"},
      {one(tensor_json("x", "F32", "[3]", "[0,12]")), "cut off"},
      {one(tensor_json("x", "F32", "[1]", "[0,4]")), "4 bytes follow the last tensor"},
      {one(good + "," + tensor_json("y", "F32", "[1]", "[4,8]")), "begin at 4"},
      {one(good + "," + tensor_json("y", "F32", "[2]", "[0,8]")), "begin at 0"},
      {file_of("{" + good + "," + tensor_json("y", "U8", "[1]", "[9,10]") + "}", 10), "begin at 9"},
      {one(tensor_json("x", "U8", "[0]", "[4,4]")), "begin at 4"},
      {file_of("{}", 1), "1 bytes follow"},
      {file_of("{" + good + "}", 7), "cut off"},
      {file_of("{" + good + "}", 9), "1 bytes follow"},
      {one(tensor_json(std::string(1025, 'n'), "F32", "[2]", "[0,8]")), "1025 bytes"},
      {one(R"("__metadata__":1)"), "expected an object"},
      {one(R"("__metadata__":{"a":1})"), "field __metadata__.a is 1, expected a string"},
      {one(R"("__metadata__":{"a":{}})"), "expected a string"},
      {one(R"("__metadata__":null)"), "expected an object"},
      {"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 143000000\n", "git-LFS pointer"},
      {std::string("PK\x03\x04\x00\x00\x08\x08\x00\x00\x00\x00", 12), "claims a header"},
  };
  for (const auto& [bytes, reason] : cases) {
    const auto path = write(bytes);
    const std::string message = error_of(ErrorKind::bad_input, [&] { SafetensorsFile::open(path); });
    EXPECT_NE(message.find(path.string()), std::string::npos) << message;
    EXPECT_NE(message.find(reason), std::string::npos) << message << "\nlacks: " << reason;
  }
}

TEST_F(Safetensors, LimitsTheNumberOfTensors) {
  const auto header = [](int count) {
    std::string text = "{";
    for (int i = 0; i < count; ++i) {
      text += (i == 0 ? "" : ",") + tensor_json(std::to_string(i), "U8", "[0]", "[0,0]");
    }
    return text + "}";
  };
  EXPECT_EQ(SafetensorsFile::open(write(file_of(header(100'000), 0))).tensors().size(), 100'000u);
  const auto path = write(file_of(header(100'001), 0));
  EXPECT_NE(error_of(ErrorKind::bad_input, [&] { SafetensorsFile::open(path); }).find("100001 tensors"),
            std::string::npos);
}

TEST_F(Safetensors, RejectsEveryTruncation) {
  const std::vector<float> values = {1, 2, 3, 4, 5, 6};
  const TensorToWrite tensors[] = {{"a", {2, 3}, values}, {"b", {3}, std::span(values).first(3)}};
  write_safetensors(folder_ / "whole", tensors);
  const std::string whole = read_text_file(folder_ / "whole", 10'000);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto path = write(whole.substr(0, size));
    const std::string message = error_of(ErrorKind::bad_input, [&] { SafetensorsFile::open(path); });
    EXPECT_NE(message.find("model.safetensors"), std::string::npos) << message;
  }
}

// Any outcome but a crash, a foreign exception or views beyond the data is fine.
TEST_F(Safetensors, SurvivesDamagedHeaders) {
  const std::vector<float> values = {1, 2, 3, 4, 5, 6};
  const TensorToWrite tensors[] = {{"a", {2, 3}, values},
                                   {"b", {3}, std::span(values).first(3), SafetensorsDType::f16}};
  write_safetensors(folder_ / "whole", tensors);
  const std::string whole = read_text_file(folder_ / "whole", 10'000);
  const std::size_t header_end = whole.size() - 30;
  std::size_t accepted = 0;
  const auto try_open = [&](const std::string& bytes) {
    const auto path = write(bytes);
    try {
      const auto file = SafetensorsFile::open(path);
      std::size_t data_bytes = 0;
      for (const TensorView& tensor : file.tensors()) data_bytes += tensor.data.size();
      EXPECT_LE(data_bytes, bytes.size());
      ++accepted;
    } catch (const Error& error) {
      EXPECT_EQ(int(error.kind()), int(ErrorKind::bad_input)) << error.what();
      EXPECT_NE(std::string(error.what()).find("model.safetensors"), std::string::npos) << error.what();
    }
  };
  for (std::size_t bit = 0; bit < 8 * header_end; ++bit) {
    std::string damaged = whole;
    damaged[bit / 8] = char(damaged[bit / 8] ^ (1 << (bit % 8)));
    try_open(damaged);
  }
  std::mt19937 random(1);
  for (int i = 0; i < 3000; ++i) {
    std::string damaged = whole;
    for (int change = 0; change < 4; ++change)
      damaged[random() % header_end] = "0123456789[]{}\",:-. \0"[random() % 21];
    try_open(damaged);
  }
  EXPECT_GT(accepted, 0u);  // for example a changed letter of a name
}

TEST_F(Safetensors, NamesFilesThatCannotBeOpened) {
  EXPECT_NE(error_of(ErrorKind::io, [&] { SafetensorsFile::open(folder_ / "missing"); }).find("missing"),
            std::string::npos);
  error_of(ErrorKind::io, [&] { SafetensorsFile::open(folder_.path()); });
  ASSERT_EQ(mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  error_of(ErrorKind::io, [&] { SafetensorsFile::open(folder_ / "pipe"); });
}

TEST_F(Safetensors, WriterRefusesBeforeItWrites) {
  const std::vector<float> two = {1, 2};
  const std::vector<float> large = {1, -65520};
  const std::vector<float> infinite = {INFINITY, NAN};
  const auto refused = [&](std::vector<TensorToWrite> tensors) {
    const std::string message =
        error_of(ErrorKind::usage, [&] { write_safetensors(folder_ / "m", tensors); });
    EXPECT_FALSE(std::filesystem::exists(folder_ / "m"));
    return message;
  };
  EXPECT_NE(refused({{"a", {2}, two}, {"a", {2}, two, SafetensorsDType::f16}}).find("two tensors"),
            std::string::npos);
  EXPECT_NE(refused({{"__metadata__", {2}, two}}).find("__metadata__"), std::string::npos);
  EXPECT_NE(refused({{"a", {3}, two}}).find("shape [3] but 2 values"), std::string::npos);
  EXPECT_NE(refused({{"a", {-1, -2}, two}}).find("shape"), std::string::npos);
  EXPECT_NE(refused({{"a", {2, INT64_MAX, 4}, two}}).find("shape"), std::string::npos);
  EXPECT_NE(refused({{"a", {2}, large, SafetensorsDType::f16}}).find("-65520"), std::string::npos);
  refused({{"\xff", {2}, two}});

  const TensorToWrite allowed[] = {{"a", {2}, infinite, SafetensorsDType::f16},
                                   {"b", {2}, large, SafetensorsDType::bf16}};
  write_safetensors(folder_ / "m", allowed);
  const auto values = values_of(*SafetensorsFile::open(folder_ / "m").find("a"));
  EXPECT_EQ(values[0], INFINITY);
  EXPECT_TRUE(std::isnan(values[1]));
}

TEST_F(Safetensors, WriterReportsAFullDisk) {
  const std::vector<float> values(10'000);
  for (const auto dtype : {SafetensorsDType::f32, SafetensorsDType::f16}) {
    const TensorToWrite tensors[] = {{"a", {10'000}, values, dtype}};
    EXPECT_NE(error_of(ErrorKind::io, [&] { write_safetensors("/dev/full", tensors); }).find("No space left"),
              std::string::npos);
  }
}

}  // namespace
}  // namespace diffusion
