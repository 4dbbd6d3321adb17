#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include <diffusion/picture_files.h>
#include "diffusion/pictures.h"
#include "pictures/resize.h"
#include "serve/own_parts.h"
#include "serve/uploads.h"

namespace diffusion::serve {

Json noise(const Services& services, const std::string& body) {
  constexpr int kTimesteps = 200, kWidth = 128, kMostFrames = 32;
  const Json json = parse_request(body);
  const RequestFields fields(json);
  if (!fields.given("image"))
    throw ApiError(400, "image is missing; accepted are PNG and JPEG in base64", "image");
  const Image upload =
      decode_base64_upload(fields.text("image", ""), "image", services.options.limits.upload_pixels);
  const int frames = fields.whole_number("frames", 5, 1, kMostFrames);
  const std::int64_t seed = fields.seed("seed", 0);
  fields.refuse_unknown();
  const std::vector<int> timesteps = evenly_spaced(kTimesteps - 1, frames);
  const int width = std::min(kWidth, upload.width);
  const std::vector<Image> pictures =
      noise_pictures(resize_to_width(on_white(upload), width),
                     make_schedule(ScheduleKind::linear, kTimesteps), timesteps, std::uint64_t(seed));
  Json::Array shown;
  for (std::size_t k = 0; k < pictures.size(); ++k)
    shown.push_back(Json::Object{{"timestep", timesteps[k]}, {"png", png_in_base64(pictures[k])}});
  return Json::Object{
      {"timesteps", kTimesteps},
      {"frames", shown},
      {"command",
       fmt::format("diffusion noise picture.png --width {} --timesteps {} --at {} --seed {} -o pictures",
                   width, kTimesteps, fmt::join(timesteps, ","), seed)}};
}

}  // namespace diffusion::serve
