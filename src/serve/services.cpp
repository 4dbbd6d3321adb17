#include "serve/services.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include <diffusion/error.h>
#include <diffusion/picture_files.h>
#include "serve/base64.h"

namespace diffusion::serve {

const ServedModel& model_named(const Services& services, const std::string& name) {
  const std::vector<const ServedModel*> models = services.engine.models();
  if (name.empty()) return *models.front();
  if (const ServedModel* model = services.engine.find(name)) return *model;
  std::vector<std::string> names;
  for (const ServedModel* model : models) names.push_back(model->name());
  throw ApiError(404, fmt::format("model is \"{}\"; accepted are {}", name, fmt::join(names, ", ")), "model");
}

std::shared_ptr<Job> submit(Services& services, JobRequest request, Job::Listener listen) {
  if (services.draining)
    throw ApiError(503, "the server is about to end and takes no new work", "", {{"Retry-After", "30"}});
  try {
    if (auto job = services.engine.submit(std::move(request), std::move(listen))) return job;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::usage) throw;
    throw ApiError(400, error.what(), error.fields().empty() ? "" : error.fields().front());
  }
  throw ApiError(429, fmt::format("{} jobs wait already, which is the most", services.options.engine.waiting),
                 "", {{"Retry-After", "1"}});
}

std::shared_ptr<Job> submit_for(Services& services, const Exchange& exchange, JobRequest request,
                                const std::function<void(const std::vector<Image>& images)>& done,
                                Job::Listener listen) {
  const auto job = submit(services, std::move(request),
                          [exchange, done, listen = std::move(listen)](const Job& of, const JobEvent& event) {
                            if (!event.finished) {
                              if (listen) listen(of, event);
                              return;
                            }
                            const JobProgress progress = of.progress();
                            if (progress.state == JobState::done) return done(of.images());
                            const bool failed = progress.state == JobState::failed;
                            exchange->answer(error_answer(
                                form_of(exchange->request().path),
                                {failed ? 500 : 503, failed ? progress.error : "the job was cancelled"}));
                          });
  exchange->on_gone([job] { job->cancel(); });
  return job;
}

void require_method(const HttpRequest& request, std::string_view method) {
  if (request.method == method || (method == "GET" && request.method == "HEAD")) return;
  throw ApiError(405, fmt::format("the method is {}; accepted is {}", request.method, method), "",
                 {{"Allow", std::string(method)}});
}

std::string png_in_base64(const Image& image) {
  return to_base64(encode_png(image));
}

Image enlarged(const Image& image, int width, int height) {
  if (image.width == width && image.height == height) return image;
  Image large{width, height, image.channels, {}};
  const auto channels = std::size_t(image.channels);
  large.pixels.reserve(std::size_t(width) * std::size_t(height) * channels);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      const auto from_x = std::size_t(std::int64_t(x) * image.width / width),
                 from_y = std::size_t(std::int64_t(y) * image.height / height);
      const auto pixel =
          image.pixels.begin() + std::ptrdiff_t((from_y * std::size_t(image.width) + from_x) * channels);
      large.pixels.insert(large.pixels.end(), pixel, pixel + image.channels);
    }
  return large;
}

Extent checked_size(int width, int height, const ServedModel& model, const std::string& field) {
  constexpr int kMostSide = 4096;
  const PictureSize& own = model.size();
  if (width >= own.width && height >= own.height && width <= kMostSide && height <= kMostSide)
    return {width, height};
  throw ApiError(400,
                 fmt::format("{} is {}x{}; accepted are the model's size, {}x{}, and larger ones up to "
                             "{}, for which pixels are repeated",
                             field, width, height, own.width, own.height, kMostSide),
                 field);
}

Extent parse_size(const std::string& size, const ServedModel& model, const std::string& field) {
  if (size.empty() || size == "auto") return {model.size().width, model.size().height};
  int width = 0, height = 0;
  const char* end = size.data() + size.size();
  const auto [x, error] = std::from_chars(size.data(), end, width);
  if (error == std::errc() && x != end && *x == 'x') {
    const auto [stop, second_error] = std::from_chars(x + 1, end, height);
    if (second_error == std::errc() && stop == end) return checked_size(width, height, model, field);
  }
  throw ApiError(400, fmt::format("{} is \"{}\"; accepted are auto and WIDTHxHEIGHT", field, size), field);
}

}  // namespace diffusion::serve
