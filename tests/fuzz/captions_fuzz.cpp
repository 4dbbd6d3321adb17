#include <diffusion/error.h>
#include <string_view>

#include "data/caption_table.h"
#include "fuzz_input.h"

// The first byte chooses the form.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace diffusion;
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto check = [](const std::vector<TableCaption>& captions) {
    for (const TableCaption& caption : captions)
      if (caption.text.empty() || caption.line < 1) throw Error(ErrorKind::internal, "an empty caption");
  };
  fuzz::expect_only_bad_input(fuzz::kSourceName, [&] {
    switch (data[0] % 4) {
      case 0:
        return check(parse_caption_table(text, CaptionTableForm::csv, {}, fuzz::kSourceName));
      case 1:
        return check(parse_caption_table(text, CaptionTableForm::tsv, {}, fuzz::kSourceName));
      case 2:
        return check(parse_caption_table(text, CaptionTableForm::jsonl, {}, fuzz::kSourceName));
      default:
        return check(parse_caption_lines(text, fuzz::kSourceName));
    }
  });
  return 0;
}
