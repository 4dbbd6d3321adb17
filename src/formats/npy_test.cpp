#include "formats/npy.h"

#include <gtest/gtest.h>

#include "files/fs.h"
#include "support/scratch.h"

namespace diffusion {
namespace {

using scratch::error_of;

std::string npy(const std::string& header, std::size_t data_bytes) {
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes += char(header.size() & 0xff);
  bytes += char(header.size() >> 8);
  return bytes + header + std::string(data_bytes, '\0');
}

TEST(Npy, RoundTripOfAnyRank) {
  const scratch::Folder folder;
  const std::vector<std::vector<std::int64_t>> shapes = {{}, {6}, {2, 3}, {1, 2, 1, 3}, {0}, {4, 0, 2}};
  for (const auto& dims : shapes) {
    std::size_t elements = 1;
    for (const std::int64_t extent : dims) elements *= std::size_t(extent);
    std::vector<float> floats(elements);
    std::vector<std::uint8_t> bytes(elements);
    for (std::size_t i = 0; i < elements; ++i) {
      floats[i] = 0.1f * float(i) - 1;
      bytes[i] = std::uint8_t(255 - i);
    }
    write_npy(folder / "f.npy", dims, floats);
    write_npy(folder / "b.npy", dims, bytes);
    EXPECT_EQ(read_npy_float32(folder / "f.npy").dims, dims);
    EXPECT_EQ(read_npy_float32(folder / "f.npy").data, floats);
    EXPECT_EQ(read_npy_uint8(folder / "b.npy").dims, dims);
    EXPECT_EQ(read_npy_uint8(folder / "b.npy").data, bytes);
  }
}

// numpy.save(file, numpy.array([1, 2], numpy.float32)) and numpy.zeros((2, 3), numpy.uint8), numpy 1.24.
TEST(Npy, WritesTheBytesOfNumpy) {
  const scratch::Folder folder;
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }";
  header.resize(117, ' ');
  write_npy(folder / "a", std::vector<std::int64_t>{2}, std::vector<float>{1, 2});
  EXPECT_EQ(read_text_file(folder / "a", 1000),
            npy(header + "\n", 0) + std::string("\x00\x00\x80\x3f\x00\x00\x00\x40", 8));

  header = "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }";
  header.resize(117, ' ');
  write_npy(folder / "a", std::vector<std::int64_t>{2, 3}, std::vector<std::uint8_t>(6));
  EXPECT_EQ(read_text_file(folder / "a", 1000), npy(header + "\n", 6));
}

TEST(Npy, ReadsOtherSpellingsOfTheHeader) {
  const scratch::Folder folder;
  for (const char* header :
       {"{'shape':(2,3),'fortran_order':False,'descr':'|u1'}",
        "{ \"descr\" : \"|u1\" , \"fortran_order\" : False , \"shape\" : ( 2 , 3 , ) , } \n"}) {
    write_file(folder / "a", npy(header, 6));
    EXPECT_EQ(read_npy_uint8(folder / "a").dims, (std::vector<std::int64_t>{2, 3})) << header;
  }
}

TEST(Npy, RejectsMalformedFilesByName) {
  const scratch::Folder folder;
  const std::string start = "{'descr': '<f4', 'fortran_order': False, 'shape': ";
  const std::string good = start + "(2,), }\n";
  std::string version2 = npy(good, 8);
  version2[6] = 2;
  const std::pair<std::string, std::string> cases[] = {
      {"", "mark of .npy"},
      {"PNG", "mark of .npy"},
      {version2, "version 1.0"},
      {npy(good, 7), "does not fit the shape (2)"},
      {npy(good, 9), "does not fit the shape (2)"},
      {npy(good, 4), "does not fit"},
      {npy(start + "(4611686018427387904, 4), }", 0), "does not fit"},
      {npy(start + "(-2,), }", 8), "no size"},
      {npy(start + "(2.0,), }", 8), "lacks an expected )"},
      {npy(start + "(99999999999999999999,), }", 8), "no size"},
      {npy(start + "2, }", 8), "lacks an expected ("},
      {npy(start + "(2", 8), "lacks an expected )"},
      {npy(start + "(2,", 8), "no size"},
      {npy("", 8), "lacks an expected {"},
      {npy("{}", 8), "lacks descr"},
      {npy("{'descr': '<f4'}", 8), "lacks descr, fortran_order or shape"},
      {npy("{'descr': '<f4", 8), "does not end"},
      {npy("{'descr': <f4}", 8), "lacks an expected '"},
      {npy(start + "(2,), 'shape': (2,), }", 8), "unexpected key shape"},
      {npy(start + "(2,), 'more': 1, }", 8), "unexpected key more"},
      {npy(good + "x", 8), "goes on after"},
      {npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }", 8), "type <f8, expected <f4"},
      {npy("{'descr': '>f4', 'fortran_order': False, 'shape': (2,), }", 8), "type >f4, expected <f4"},
      {npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }", 8), "lacks an expected '"},
      {npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2,), }", 8), "Fortran"},
      {npy("{'descr': '<f4', 'fortran_order': 0, 'shape': (2,), }", 8), "lacks an expected False"},
  };
  for (const auto& [bytes, reason] : cases) {
    write_file(folder / "bad.npy", bytes);
    const std::string message = error_of(ErrorKind::bad_input, [&] { read_npy_float32(folder / "bad.npy"); });
    EXPECT_NE(message.find((folder / "bad.npy").string()), std::string::npos) << message;
    EXPECT_NE(message.find(reason), std::string::npos) << message << "\nlacks: " << reason;
  }
  std::string ranks = "(";
  for (int i = 0; i < 33; ++i) ranks += "1,";
  write_file(folder / "bad.npy", npy(start + ranks + ")}", 4));
  error_of(ErrorKind::bad_input, [&] { read_npy_float32(folder / "bad.npy"); });
}

TEST(Npy, RejectsEveryTruncation) {
  const scratch::Folder folder;
  write_npy(folder / "a", std::vector<std::int64_t>{2}, std::vector<float>{1, 2});
  const std::string whole = read_text_file(folder / "a", 1000);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    write_file(folder / "cut", std::string_view(whole).substr(0, size));
    error_of(ErrorKind::bad_input, [&] { read_npy_float32(folder / "cut"); });
  }
}

TEST(Npy, RefusesAShapeThatDoesNotFit) {
  const scratch::Folder folder;
  for (const std::vector<std::int64_t>& dims :
       std::vector<std::vector<std::int64_t>>{{3}, {-1, -2}, {}, {2, 0}}) {
    error_of(ErrorKind::usage, [&] { write_npy(folder / "a", dims, std::vector<float>{1, 2}); });
  }
  error_of(ErrorKind::usage,
           [&] { write_npy(folder / "a", std::vector<std::int64_t>(33, 1), std::vector<float>{1}); });
  EXPECT_TRUE(folder.files().empty());
}

}  // namespace
}  // namespace diffusion
