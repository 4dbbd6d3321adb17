// OpenAI's images API, as its Python package calls it: generations, edits, models. Beside its fields there
// are seed, num_inference_steps, guidance_scale, sampler and strength.

#include <fmt/format.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <optional>
#include <span>
#include <utility>

#include <diffusion/error.h>
#include <diffusion/picture_files.h>
#include "pictures/resize.h"
#include "serve/base64.h"
#include "serve/multipart.h"
#include "serve/services.h"
#include "serve/uploads.h"

namespace diffusion::serve {

namespace {

constexpr int kMostPartialImages = 10;

std::uint64_t random_seed() {
  std::uint32_t seed = 0;  // 32 bits, so that every client can read it
  RAND_bytes(reinterpret_cast<unsigned char*>(&seed), sizeof(seed));
  return seed;
}

struct OutputForm {
  bool jpeg = false;
  int quality = 95;
  Extent size{};
};

OutputForm read_form(const RequestFields& fields, const ServedModel& model) {
  OutputForm form;
  form.size = parse_size(fields.text("size", ""), model, "size");
  const std::string format = fields.text("output_format", "png");
  if (format != "png" && format != "jpeg")
    throw ApiError(400, fmt::format("output_format is \"{}\"; accepted are png and jpeg", format),
                   "output_format");
  form.jpeg = format == "jpeg";
  form.quality = fields.whole_number("output_compression", 95, 1, 100);
  const std::string response = fields.text("response_format", "b64_json");
  if (response != "b64_json")
    throw ApiError(400, fmt::format("response_format is \"{}\"; accepted is b64_json", response),
                   "response_format");
  return form;
}

std::string in_base64(const Image& image, const OutputForm& form) {
  const Image large = enlarged(image, form.size.width, form.size.height);
  if (!form.jpeg) return png_in_base64(large);
  const bool alpha = large.channels == 2 || large.channels == 4;
  return to_base64(encode_jpeg(alpha ? on_white(large) : large, form.quality));
}

Wish read_openai_wish(const RequestFields& fields, const ServedModel& model, const WishLimits& limits) {
  Wish wish;
  if (!fields.given("prompt"))
    throw ApiError(400, "prompt is missing; accepted are a class or words, as the model has them", "prompt");
  apply_prompt(model.model(), fields.text("prompt", ""), wish);
  wish.negative = fields.text("negative_prompt", "");
  wish.count = fields.whole_number("n", 1, 1, limits.images);
  wish.seed = fields.given("seed") ? std::uint64_t(fields.seed("seed", 0)) : random_seed();
  if (fields.given("sampler")) wish.sampler = fields.text("sampler", "");
  if (fields.given("num_inference_steps"))
    wish.steps = fields.whole_number("num_inference_steps", 1, 1, limits.steps);
  if (fields.given("guidance_scale")) wish.guidance = fields.number("guidance_scale", 1, -1000, 1000);
  return wish;
}

Json::Object details_of(const Services& services, const ServedModel& model, const JobRequest& request) {
  Json::Array commands;
  for (const std::string& command : commands_of(model, request, services.options.precision))
    commands.push_back(command);
  return {{"model", model.name()},
          {"seed", std::int64_t(request.options.sampling.seed)},
          {"sampler", name_of(request.options.sampling.recipe->sampler)},
          {"steps", request.options.sampling.recipe->steps},
          {"guidance_scale", request.options.sampling.recipe->guidance.scale},
          {"drawn_size", fmt::format("{}x{}", model.size().width, model.size().height)},
          {"commands", commands}};
}

void answer_whole(Services& services, const Exchange& exchange, const ServedModel& model, JobRequest request,
                  const OutputForm& form) {
  const Json details = details_of(services, model, request);
  submit_for(services, exchange, std::move(request), [=](const std::vector<Image>& images) {
    Json::Array data;
    for (const Image& image : images) data.push_back(Json::Object{{"b64_json", in_base64(image, form)}});
    exchange->answer(
        json_answer(Json::Object{{"created", std::int64_t(std::time(nullptr))},
                                 {"data", data},
                                 {"output_format", form.jpeg ? "jpeg" : "png"},
                                 {"size", fmt::format("{}x{}", form.size.width, form.size.height)},
                                 {"diffusion", details}}));
  });
}

// "image_generation.partial_image" and "image_generation.completed" as server-sent events.
void answer_stream(Services& services, const Exchange& exchange, const ServedModel& model, JobRequest request,
                   const OutputForm& form, const std::string& kind) {
  const Json details = details_of(services, model, request);
  const auto event = [=](std::string_view what, const Image& image, Json::Object more) {
    const std::string type = fmt::format("{}.{}", kind, what);
    more.merge(Json::Object{{"type", type},
                            {"b64_json", in_base64(image, form)},
                            {"created_at", std::int64_t(std::time(nullptr))},
                            {"output_format", form.jpeg ? "jpeg" : "png"},
                            {"size", fmt::format("{}x{}", form.size.width, form.size.height)},
                            {"quality", "auto"},
                            {"background", "auto"}});
    return fmt::format("event: {}\ndata: {}\n\n", type, dump_json(more));
  };
  const int partial = request.previews;
  if (partial > 0) ++request.previews;  // the last one is the result
  const auto job = submit(services, std::move(request), [=](const Job& of, const JobEvent& e) {
    if (!e.finished) {
      if (e.preview && e.step < e.steps)
        exchange->send(event("partial_image", *e.preview,
                             {{"partial_image_index", std::int64_t(e.step) * (partial + 1) / e.steps - 1},
                              {"image_index", e.image}}),
                       HttpExchange::Part::may_be_dropped);
      return;
    }
    const JobProgress progress = of.progress();
    const std::vector<Image> images = of.images();
    for (std::size_t k = 0; k < images.size(); ++k)
      exchange->send(
          event("completed", images[k], {{"image_index", std::int64_t(k)}, {"diffusion", details}}));
    if (progress.state != JobState::done) {
      const std::string why = progress.error.empty() ? "the job was cancelled" : progress.error;
      exchange->send("event: error\ndata: " + error_answer(ApiForm::openai, {500, why}).body + "\n");
    }
    exchange->end_stream();
  });
  exchange->on_gone([job] { job->cancel(); });
  exchange->begin_stream({200, "text/event-stream", "", {{"Cache-Control", "no-store"}}});
}

void make(Services& services, const Exchange& exchange, const RequestFields& fields, const ServedModel& model,
          const Wish& wish, const std::string& kind) {
  const OutputForm form = read_form(fields, model);
  const bool streams = fields.flag("stream", false);
  const int partial = fields.whole_number("partial_images", 0, 0, kMostPartialImages);
  JobRequest request = to_job(model, wish);
  if (streams) request.previews = partial;
  if (streams) return answer_stream(services, exchange, model, std::move(request), form, kind);
  answer_whole(services, exchange, model, std::move(request), form);
}

// Text fields of a form as JSON: numbers and truth values where OpenAI's API has them.
Json form_value(std::string_view name, std::string_view text) {
  constexpr std::array kNumbers{"n",        "seed",           "num_inference_steps", "output_compression",
                                "strength", "guidance_scale", "partial_images"};
  if (name == "stream") return text == "true" ? Json(true) : text == "false" ? Json(false) : Json(text);
  if (std::ranges::find(kNumbers, name) == kNumbers.end()) return text;
  const char* end = text.data() + text.size();
  std::int64_t whole = 0;
  if (const auto [stop, error] = std::from_chars(text.data(), end, whole);
      error == std::errc() && stop == end)
    return whole;
  double number = 0;
  if (const auto [stop, error] = std::from_chars(text.data(), end, number);
      error == std::errc() && stop == end)
    return number;
  return text;
}

void answer_edits(Services& services, const Exchange& exchange) {
  const HttpRequest& request = exchange->request();
  const std::string* type = request.header("Content-Type");
  Json::Object text;
  std::optional<Image> picture, mask;
  for (const FormPart& part : parse_multipart(type ? *type : "", request.body)) {
    const bool is_image = part.name == "image" || part.name == "image[]";
    if (!is_image && part.name != "mask") {
      text[part.name] = form_value(part.name, part.content);
      continue;
    }
    std::optional<Image>& to = is_image ? picture : mask;
    if (to) throw ApiError(400, part.name + " was given twice; accepted is one", part.name);
    to = decode_upload(std::as_bytes(std::span(part.content)), part.name,
                       services.options.limits.upload_pixels);
  }
  if (!picture) throw ApiError(400, "image is missing; accepted are PNG and JPEG", "image");
  const Json json(text);
  const RequestFields fields(json);
  const ServedModel& model = model_named(services, fields.text("model", ""));
  Wish wish = read_openai_wish(fields, model, services.options.limits);
  wish.picture = std::move(picture);
  wish.mask = std::move(mask);
  if (fields.given("strength")) wish.strength = fields.number("strength", 1, 0, 1);
  make(services, exchange, fields, model, wish, "image_edit");
}

Json model_json(const ServedModel& model) {
  return Json::Object{{"id", model.name()}, {"object", "model"}, {"created", 0}, {"owned_by", "diffusion"}};
}

}  // namespace

void answer_openai(Services& services, const Exchange& exchange) {
  const HttpRequest& request = exchange->request();
  const std::string model = "/v1/models/";
  if (request.path == "/v1/models") {
    require_method(request, "GET");
    Json::Array data;
    for (const ServedModel* served : services.engine.models()) data.push_back(model_json(*served));
    return exchange->answer(json_answer(Json::Object{{"object", "list"}, {"data", data}}));
  }
  if (request.path.starts_with(model)) {
    require_method(request, "GET");
    return exchange->answer(
        json_answer(model_json(model_named(services, request.path.substr(model.size())))));
  }
  if (request.path == "/v1/images/edits") {
    require_method(request, "POST");
    return answer_edits(services, exchange);
  }
  if (request.path != "/v1/images/generations")
    throw ApiError(404, fmt::format("there is no {} here", request.path));
  require_method(request, "POST");
  const Json json = parse_request(request.body);
  const RequestFields fields(json);
  const ServedModel& served = model_named(services, fields.text("model", ""));
  make(services, exchange, fields, served, read_openai_wish(fields, served, services.options.limits),
       "image_generation");
}

}  // namespace diffusion::serve
