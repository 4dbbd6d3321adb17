#include "formats/json_fields.h"

#include <gtest/gtest.h>

#include <array>

#include "support/scratch.h"

namespace diffusion {
namespace {

constexpr std::array<std::string_view, 2> kColors{"red", "green"};

std::string refused(const std::string& text, const std::function<void(const JsonFields&)>& read) {
  const Json json = parse_json(text, "c.json");
  return scratch::error_of(ErrorKind::bad_input, [&] { read(JsonFields(json, "c.json")); });
}

TEST(JsonFields, AbsentFieldsHaveTheirDefaultsAndNullIsNotAbsent) {
  const Json json = parse_json(R"({"none": null, "n": 3, "list": [1, 2]})", "c.json");
  const JsonFields f(json, "c.json");
  EXPECT_EQ(f.whole_number("n", 7, 0, 9), 3);
  EXPECT_EQ(f.whole_number("absent", 7, 0, 9), 7);
  EXPECT_EQ(f.number("n", 0, 0, 9), 3.0);
  EXPECT_TRUE(f.flag("absent", true));
  EXPECT_EQ(f.whole_number_or_null("none", 8, 0, 9), std::nullopt);
  EXPECT_EQ(f.whole_number_or_null("absent", 8, 0, 9), 8);
  EXPECT_EQ(f.whole_number_or_null("n", 8, 0, 9), 3);
  EXPECT_EQ(f.positive_or_null("none"), std::nullopt);
  EXPECT_EQ(f.whole_numbers("list", {}, 0, 9), (std::vector<int>{1, 2}));
  EXPECT_EQ(f.whole_numbers("absent", {5}, 0, 9), std::vector<int>{5});
  EXPECT_EQ(f.choice("absent", "green", kColors), 1u);
  EXPECT_NO_THROW(f.only_null("none"));
  EXPECT_EQ(f.find("absent"), nullptr);
  ASSERT_NE(f.find("none"), nullptr);
}

TEST(JsonFields, UseDefaultValuesMakesFieldsAbsent) {
  const Json json = parse_json(R"({"n": 3, "m": 4, "_use_default_values": ["n", "other"]})", "c.json");
  const JsonFields f(json, "c.json");
  EXPECT_EQ(f.whole_number("n", 7, 0, 9), 7);
  EXPECT_EQ(f.whole_number("m", 7, 0, 9), 4);
  EXPECT_EQ(f.find("n"), nullptr);
  refused(R"({"_use_default_values": "n"})", [](const JsonFields&) {});
  refused(R"({"_use_default_values": [1]})", [](const JsonFields&) {});
}

TEST(JsonFields, WhatIsWrongIsNamed) {
  const auto names = [](const std::string& message, std::initializer_list<const char*> words) {
    for (const char* word : words) EXPECT_NE(message.find(word), std::string::npos) << message;
  };
  names(refused(R"({"n": 10})", [](const JsonFields& f) { f.whole_number("n", 0, 1, 9); }),
        {"c.json: field n is 10", "1 to 9"});
  names(refused(R"({"n": 9223372036854775807})", [](const JsonFields& f) { f.whole_number("n", 0, 1, 9); }),
        {"field n"});
  names(refused(R"({"n": 2.0})", [](const JsonFields& f) { f.whole_number("n", 0, 1, 9); }), {"an integer"});
  names(refused(R"({"n": NaN})", [](const JsonFields& f) { f.number("n", 0, -1e300, 1e300); }), {"nan"});
  names(refused(R"({"n": -Infinity})", [](const JsonFields& f) { f.number("n", 0, -1e300, 1e300); }),
        {"-inf"});
  names(refused(R"({"n": null})", [](const JsonFields& f) { f.flag("n", true); }), {"true or false"});
  names(refused(R"({"n": "blue"})", [](const JsonFields& f) { f.choice("n", "red", kColors); }),
        {"\"blue\"", "red, green"});
  names(refused(R"({"n": [1, -1]})", [](const JsonFields& f) { f.whole_numbers("n", {}, 0, 9); }), {"-1"});
  names(refused("{}", [](const JsonFields& f) { f.need("n"); }), {"field n is missing"});
  names(refused(R"({"n": [0.1]})", [](const JsonFields& f) { f.only_null("n"); }), {"accepted is null"});
  names(refused(R"({"n": true})", [](const JsonFields& f) { f.only_flag("n", false); }),
        {"accepted is false"});
  names(refused(R"({"n": "x"})", [](const JsonFields& f) { f.only_text("n", "y"); }), {"accepted are: y"});
  refused("[]", [](const JsonFields&) {});
}

TEST(JsonFields, KnowsWhatNobodyAskedFor) {
  const Json json = parse_json(R"({"a": 1, "b": 2, "_class_name": "X"})", "c.json");
  const JsonFields f(json, "c.json");
  f.whole_number("a", 0, 0, 9);
  EXPECT_EQ(f.unknown(), std::vector<std::string>{"b"});
}

}  // namespace
}  // namespace diffusion
