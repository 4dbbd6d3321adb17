#include "formats/json.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include "support/scratch.h"

namespace diffusion {
namespace {

using scratch::error_of;

Json parse(std::string_view text) {
  return parse_json(text, "config.json");
}

std::string parse_error(std::string_view text) {
  return error_of(ErrorKind::bad_input, [&] { parse(text); });
}

TEST(ParseJson, KeepsTheTypesApart) {
  const Json json =
      parse(R"( {"n": null, "t": true, "i": 1, "d": 1.0, "e": 1e5, "s": "x", "a": [], "o": {}} )");
  EXPECT_TRUE(json.find("n")->is_null());
  EXPECT_EQ(*json.find("t"), Json(true));
  EXPECT_EQ(*json.find("i"), Json(1));
  EXPECT_EQ(*json.find("d"), Json(1.0));
  EXPECT_NE(*json.find("d"), Json(1));
  EXPECT_EQ(*json.find("e"), Json(1e5));
  EXPECT_EQ(*json.find("s"), Json("x"));
  EXPECT_EQ(*json.find("a"), Json(Json::Array{}));
  EXPECT_EQ(*json.find("o"), Json(Json::Object{}));
  EXPECT_EQ(json.find("absent"), nullptr);
  EXPECT_EQ(Json(1).find("absent"), nullptr);
}

TEST(ParseJson, NestedContainersKeepTheirPlaces) {
  const Json json = parse(R"([[1, [2, {"a": [3, 4], "b": {"c": 5}}], 6], 7])");
  EXPECT_EQ(dump_json(json), R"([[1, [2, {"a": [3, 4], "b": {"c": 5}}], 6], 7])");
}

TEST(ParseJson, IntegersAreExactUpToInt64ThenDouble) {
  EXPECT_EQ(parse("9223372036854775807"), Json(std::numeric_limits<std::int64_t>::max()));
  EXPECT_EQ(parse("-9223372036854775808"), Json(std::numeric_limits<std::int64_t>::min()));
  EXPECT_EQ(parse("9223372036854775808"), Json(9223372036854775808.0));
  EXPECT_EQ(parse("-9223372036854775809"), Json(-9223372036854775808.0));
  EXPECT_EQ(parse("18446744073709551616"), Json(18446744073709551616.0));
  EXPECT_EQ(parse("-1"), Json(-1));
  EXPECT_EQ(parse("0"), Json(0));
  EXPECT_EQ(parse("-0"), Json(-0.0));  // no integer
  EXPECT_EQ(parse("2147483648"), Json(std::int64_t(2147483648)));
}

TEST(ParseJson, DoublesAreCorrectlyRounded) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 20'000; ++i) {
    const std::uint64_t bits = random();
    const auto value = std::bit_cast<double>(bits);
    if (!std::isfinite(value)) continue;
    const Json json(value);
    EXPECT_EQ(parse(dump_json(json)), json) << dump_json(json);
  }
  EXPECT_EQ(parse("0.1"), Json(0.1));
  EXPECT_EQ(parse("5e-324"), Json(5e-324));
  EXPECT_EQ(parse("1e-400"), Json(0.0));
  EXPECT_EQ(parse("1e-5000"), Json(0.0));
  EXPECT_EQ(parse("0E40"), Json(0.0));
  EXPECT_EQ(parse("-0.00e-40"), Json(-0.0));
}

TEST(ParseJson, ReadsPythonsNonFiniteNumbers) {
  EXPECT_EQ(parse("Infinity"), Json(std::numeric_limits<double>::infinity()));
  EXPECT_EQ(*parse(R"({"lambda_min_clipped": -Infinity})").find("lambda_min_clipped"),
            Json(-std::numeric_limits<double>::infinity()));
  EXPECT_TRUE(std::isnan(std::get<double>(parse("NaN").value())));
}

TEST(ParseJson, DecodesStrings) {
  EXPECT_EQ(parse(R"("a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00")"), Json("a\"\\/\b\f\n\r\t\u00e9\U0001f600"));
  EXPECT_EQ(parse("\"\u00e9\U0001f600\""), Json("\u00e9\U0001f600"));
  EXPECT_EQ(parse(R"("\u0000")"), Json(std::string(1, '\0')));
}

TEST(ParseJson, NamesSourceOffsetAndReason) {
  EXPECT_EQ(parse_error(R"({"a": 1, "a": 2})"),
            "config.json is not valid JSON at byte 12: the key \"a\" occurs twice.");
  EXPECT_NE(parse_error(R"({"a": ?})").find("config.json is not valid JSON at byte 6: "), std::string::npos);
}

TEST(ParseJson, AcceptsSixtyFourLevelsAndNoMore) {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_NO_THROW(parse(nested(kMaxJsonDepth)));
  EXPECT_NE(parse_error(nested(kMaxJsonDepth + 1)).find("64 nested levels"), std::string::npos);
  parse_error(std::string(10'000'000, '['));
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += R"({"a":)";
  parse_error(objects);
}

TEST(ParseJson, LimitsTheNumberOfValues) {
  std::string text = "[0";
  for (std::size_t i = 1; i < kMaxJsonValues; ++i) text += ",0";
  EXPECT_NE(parse_error(text + "]").find("4000000 values"), std::string::npos);
}

TEST(ParseJson, RejectsEverythingElse) {
  using namespace std::string_literals;
  const std::string malformed[] = {"",
                                   " ",
                                   "{",
                                   "}",
                                   "[1",
                                   "[1,]",
                                   "[,1]",
                                   "{\"a\"}",
                                   "{\"a\":}",
                                   "{\"a\":1,}",
                                   "{a:1}",
                                   "{'a':1}",
                                   "{1:1}",
                                   "1 2",
                                   "{} x",
                                   "{}{}",
                                   "tru",
                                   "nul",
                                   "None",
                                   "True",
                                   "nan",
                                   "Infinit",
                                   "+1",
                                   "01",
                                   "1.",
                                   ".5",
                                   "1e",
                                   "0x10",
                                   "1e400",
                                   "1.9e308",
                                   "-123456789e305",
                                   "--1",
                                   "\"abc",
                                   "\"\\x\"",
                                   "\"\\u12\"",
                                   "\"\n\"",
                                   "\"\\ud800\"",
                                   "\"\\ud800\\u0041\"",
                                   "\"\\udc00\"",
                                   "{\"\\udc00\":1}",
                                   "\"\xff\"",
                                   "\"\xc0\x80\"",
                                   "\"\xe0\x80\x80\"",
                                   "\"\xed\xa0\x80\"",
                                   "\"\xf4\x90\x80\x80\"",
                                   "\"\xc3\"",
                                   "\xef\xbb\xbf{}",
                                   "// comment\n1",
                                   "1\0"s,
                                   "1\0junk"s,
                                   "\"a\0b\""s,
                                   "{\"a\":{\"b\":1,\"b\":1}}",
                                   "{\"a\":1,\"\\u0061\":2}"};
  for (const std::string& text : malformed) {
    EXPECT_NE(parse_error(text).find("config.json is not valid JSON at byte"), std::string::npos) << text;
  }
}

TEST(ParseJson, EveryTruncationIsRejected) {
  const std::string text =
      R"({"a": [1, 2.5, -Infinity, NaN, "t\u00e9xt"], "b": {"c": null, "d": true, "e": 1e-5}})";
  ASSERT_NO_THROW(parse(text));
  for (std::size_t size = 0; size < text.size(); ++size) parse_error(std::string_view(text).substr(0, size));
}

TEST(DumpJson, WritesFloatsLikePython) {
  const double infinity = std::numeric_limits<double>::infinity();
  const std::pair<double, std::string> cases[] = {
      {0.0, "0.0"},
      {-0.0, "-0.0"},
      {1.0, "1.0"},
      {-1.5, "-1.5"},
      {0.02, "0.02"},
      {0.1, "0.1"},
      {0.0001, "0.0001"},
      {0.00012345, "0.00012345"},
      {1e-05, "1e-05"},
      {1.5e-05, "1.5e-05"},
      {1e-06, "1e-06"},
      {0.00085, "0.00085"},
      {0.9999, "0.9999"},
      {100000.0, "100000.0"},
      {1e15, "1000000000000000.0"},
      {9999999999999998.0, "9999999999999998.0"},
      {1e16, "1e+16"},
      {1.5e16, "1.5e+16"},
      {123456789012345678.0, "1.2345678901234568e+17"},
      {1e22, "1e+22"},
      {1e100, "1e+100"},
      {5e-324, "5e-324"},
      {1.7976931348623157e308, "1.7976931348623157e+308"},
      {1.0 / 3, "0.3333333333333333"},
      {infinity, "Infinity"},
      {-infinity, "-Infinity"},
      {std::nan(""), "NaN"},
  };
  for (const auto& [value, text] : cases) EXPECT_EQ(dump_json(value), text);
}

TEST(DumpJson, EscapesToAsciiLikePython) {
  EXPECT_EQ(dump_json("a\"b\\c/\b\f\n\r\t\x01\x7f"), R"("a\"b\\c/\b\f\n\r\t\u0001\u007f")");
  EXPECT_EQ(dump_json("\u00e9\u20ac\U0001f600"), R"("\u00e9\u20ac\ud83d\ude00")");
  EXPECT_EQ(dump_json(std::string(1, '\0')), R"("\u0000")");
  error_of(ErrorKind::usage, [] { dump_json("\xff"); });
  error_of(ErrorKind::usage, [] { dump_json("\xed\xa0\x80"); });
}

TEST(DumpJson, IndentsAndSortsLikePython) {
  const Json json = Json::Object{{"b", Json::Array{1, 2}},
                                 {"a", 1},
                                 {"_class_name", "UNet2DModel"},
                                 {"B", Json::Object{{"x", nullptr}}},
                                 {"empty", Json::Array{}},
                                 {"none", Json::Object{}},
                                 {"flag", false}};
  EXPECT_EQ(
      dump_json(json),
      R"({"B": {"x": null}, "_class_name": "UNet2DModel", "a": 1, "b": [1, 2], "empty": [], "flag": false, )"
      R"("none": {}})");
  EXPECT_EQ(dump_json(json, 2), R"({
  "B": {
    "x": null
  },
  "_class_name": "UNet2DModel",
  "a": 1,
  "b": [
    1,
    2
  ],
  "empty": [],
  "flag": false,
  "none": {}
})");
}

TEST(Json, RefusesIntegersBeyondInt64) {
  EXPECT_EQ(Json(std::uint64_t(7)), Json(7));
  error_of(ErrorKind::usage, [] { Json(std::numeric_limits<std::uint64_t>::max()); });
}

TEST(CheckedAccess, ReturnsValuesOfTheRightType) {
  EXPECT_EQ(to_int(Json(3), "x"), 3);
  EXPECT_EQ(to_double(Json(3), "x"), 3.0);
  EXPECT_EQ(to_double(Json(3.5), "x"), 3.5);
  EXPECT_TRUE(to_bool(Json(true), "x"));
  EXPECT_EQ(to_string(Json("s"), "x"), "s");
  EXPECT_EQ(to_array(parse("[1, 2]"), "x").size(), 2u);
  EXPECT_EQ(to_object(parse(R"({"a": 1})"), "x").size(), 1u);
}

TEST(CheckedAccess, NamesFieldFoundAndExpected) {
  const std::string where = "unet/config.json: field norm_eps";
  const auto message = [&](auto access, const Json& json) {
    return error_of(ErrorKind::bad_input, [&] { access(json, where); });
  };
  EXPECT_EQ(message(to_int, 1.9), where + " is 1.9, expected an integer.");
  EXPECT_EQ(message(to_int, 1.0), where + " is 1.0, expected an integer.");
  EXPECT_EQ(message(to_int, true), where + " is true, expected an integer.");
  EXPECT_EQ(message(to_int, nullptr), where + " is null, expected an integer.");
  EXPECT_EQ(message(to_double, "1"), where + " is \"1\", expected a number.");
  EXPECT_EQ(message(to_double, false), where + " is false, expected a number.");
  EXPECT_EQ(message(to_bool, 1), where + " is 1, expected true or false.");
  EXPECT_EQ(message(to_array, Json::Object{}), where + " is an object, expected an array.");
  EXPECT_EQ(message(to_object, Json::Array{}), where + " is an array, expected an object.");
  EXPECT_LT(message(to_int, std::string(100'000, 'x')).size(), 200u);
  EXPECT_EQ(error_of(ErrorKind::bad_input, [&] { to_string(Json(1), where); }),
            where + " is 1, expected a string.");
}

TEST(CheckedAccess, TellsAbsentFromNull) {
  const Json json = parse(R"({"attention_head_dim": null})");
  EXPECT_TRUE(member(json, "attention_head_dim", "config.json").is_null());
  EXPECT_EQ(error_of(ErrorKind::bad_input, [&] { member(json, "sample_size", "config.json"); }),
            "config.json: field sample_size is missing.");
  EXPECT_EQ(error_of(ErrorKind::bad_input, [&] { member(Json(1), "sample_size", "config.json"); }),
            "config.json: the JSON value is 1, expected an object.");
}

}  // namespace
}  // namespace diffusion
