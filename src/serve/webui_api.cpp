// What of the web API of Automatic1111's stable-diffusion-webui its clients call. They send settings made for
// other models (512 x 512, cfg_scale 7), so what a model here cannot do is left out, and `info` says so.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "pictures/resize.h"
#include "serve/services.h"
#include "serve/uploads.h"

namespace diffusion::serve {

namespace {

constexpr std::string_view kPrefix = "/sdapi/v1";

// Names of samplers there and here; ours are known, too.
struct SamplerAlias {
  std::string_view theirs, ours;
};
constexpr std::array<SamplerAlias, 12> kAliases{{{"euler", "euler"},
                                                 {"euler a", "euler_ancestral"},
                                                 {"heun", "heun"},
                                                 {"lms", "lms"},
                                                 {"dpm2", "dpm2"},
                                                 {"dpm++ 2m", "dpmpp_2m"},
                                                 {"dpm++ 2m sde", "dpmpp_2m_sde"},
                                                 {"dpm++ 3m sde", "dpmpp_3m_sde"},
                                                 {"dpm++ 2s a", "dpmpp_2s"},
                                                 {"ddim", "ddim"},
                                                 {"plms", "pndm"},
                                                 {"unipc", "unipc"}}};

std::string our_sampler(const std::string& name) {
  std::string small = name;
  std::ranges::transform(small, small.begin(), [](unsigned char c) { return char(std::tolower(c)); });
  if (small.ends_with(" karras")) small.resize(small.size() - 7);
  const auto found = std::ranges::find(kAliases, small, &SamplerAlias::theirs);
  return found == kAliases.end() ? name : std::string(found->ours);
}

const ServedModel& chosen_model(const Services& services, const RequestFields& fields) {
  if (fields.given("override_settings")) {
    const RequestFields settings(*fields.find("override_settings"));
    if (settings.given("sd_model_checkpoint"))
      return model_named(services, settings.text("sd_model_checkpoint", ""));
  }
  return model_named(services, services.webui_model);
}

Wish read_webui_wish(const RequestFields& fields, const ServedModel& model, const WishLimits& limits) {
  Wish wish;
  const std::string prompt = fields.text("prompt", "");
  if (model.model().class_count() > 0 || model.model().tokenizer) apply_prompt(model.model(), prompt, wish);
  if (model.model().tokenizer) wish.negative = fields.text("negative_prompt", "");
  const int batches = fields.whole_number("n_iter", 1, 1, limits.images);
  wish.count = batches * fields.whole_number("batch_size", 1, 1, limits.images / batches);
  const double seed = fields.number("seed", -1, -1, 9e15);  // -1: any
  wish.seed = seed < 0
                  ? std::uint64_t(std::chrono::steady_clock::now().time_since_epoch().count() & 0xffffffff)
                  : std::uint64_t(seed);
  const std::string sampler = fields.text("sampler_name", fields.text("sampler_index", ""));
  if (!sampler.empty() && sampler != "Automatic") wish.sampler = our_sampler(sampler);
  if (fields.given("steps")) wish.steps = fields.whole_number("steps", 1, 1, limits.steps);
  if (fields.given("cfg_scale") && (model.model().null_class || model.model().tokenizer))
    wish.guidance = fields.number("cfg_scale", 1, -1000, 1000);
  return wish;
}

void read_pictures(const RequestFields& fields, const WishLimits& limits, Wish& wish) {
  const Json* images = fields.find("init_images");
  const auto* array = images ? std::get_if<Json::Array>(&images->value()) : nullptr;
  const auto* text =
      array && array->size() == 1 ? std::get_if<std::string>(&array->front().value()) : nullptr;
  if (!text)
    throw ApiError(400, "init_images is not a list of one picture in base64, which is what is accepted",
                   "init_images");
  wish.picture = decode_base64_upload(*text, "init_images", limits.upload_pixels);
  if (fields.given("mask"))
    wish.mask = decode_base64_upload(fields.text("mask", ""), "mask", limits.upload_pixels);
  wish.strength = fields.number("denoising_strength", 0.75, 0, 1);
}

void draw(Services& services, const Exchange& exchange, bool from_picture) {
  const Json json = parse_request(exchange->request().body);
  const RequestFields fields(json);
  const ServedModel& model = chosen_model(services, fields);
  Wish wish = read_webui_wish(fields, model, services.options.limits);
  if (from_picture) read_pictures(fields, services.options.limits, wish);
  const Extent size =
      checked_size(fields.whole_number("width", model.size().width, 1, 4096),
                   fields.whole_number("height", model.size().height, 1, 4096), model, "width");
  JobRequest request = to_job(model, wish);
  Json::Array commands;
  for (const std::string& command : commands_of(model, request, services.options.precision))
    commands.push_back(command);
  Json::Object info{{"prompt", fields.text("prompt", "")},
                    {"seed", std::int64_t(wish.seed)},
                    {"sampler_name", name_of(request.options.sampling.recipe->sampler)},
                    {"steps", request.options.sampling.recipe->steps},
                    {"cfg_scale", request.options.sampling.recipe->guidance.scale},
                    {"width", size.width},
                    {"height", size.height},
                    {"sd_model_name", model.name()},
                    {"infotexts", commands}};
  if (size.width != model.size().width || size.height != model.size().height)
    info["enlarged_from"] = fmt::format("{}x{}", model.size().width, model.size().height);
  std::erase_if(services.webui_jobs, [](const auto& job) { return job->progress().finished(); });
  services.webui_jobs.push_back(submit_for(
      services, exchange, std::move(request), [exchange, size, info](const std::vector<Image>& images) {
        Json::Array pictures;
        for (const Image& image : images)
          pictures.push_back(png_in_base64(enlarged(image, size.width, size.height)));
        exchange->answer(json_answer(
            Json::Object{{"images", pictures}, {"parameters", Json::Object()}, {"info", dump_json(info)}}));
      }));
}

Json progress(const Services& services) {
  int done = 0, steps = 0, jobs = 0;
  double left = 0;
  for (const auto& job : services.webui_jobs) {
    const JobProgress of_job = job->progress();
    if (of_job.finished()) continue;
    ++jobs;
    done += of_job.steps_done;
    steps += of_job.steps;
    left = std::max(left, of_job.seconds_left.value_or(0));
  }
  return Json::Object{{"progress", steps > 0 ? double(done) / steps : 0.0},
                      {"eta_relative", left},
                      {"state", Json::Object{{"skipped", false},
                                             {"interrupted", false},
                                             {"job", ""},
                                             {"job_count", jobs},
                                             {"job_no", 0},
                                             {"sampling_step", done},
                                             {"sampling_steps", steps}}},
                      {"current_image", nullptr},
                      {"textinfo", nullptr}};
}

Json list_of_models(const Services& services) {
  Json::Array all;
  for (const ServedModel* model : services.engine.models())
    all.push_back(Json::Object{{"title", model->name()},
                               {"model_name", model->name()},
                               {"hash", nullptr},
                               {"sha256", nullptr},
                               {"filename", model->name()},
                               {"config", nullptr}});
  return all;
}

Json list_of_samplers() {
  Json::Array all;
  for (const SamplerEntry& entry : samplers()) {
    Json::Array aliases;
    for (const auto& [theirs, ours] : kAliases)
      if (ours == entry.name) aliases.push_back(theirs);
    all.push_back(Json::Object{{"name", entry.name}, {"aliases", aliases}, {"options", Json::Object()}});
  }
  return all;
}

void set_options(Services& services, const std::string& body) {
  const Json json = parse_request(body);
  const RequestFields fields(json);
  if (fields.given("sd_model_checkpoint"))
    services.webui_model = model_named(services, fields.text("sd_model_checkpoint", "")).name();
}

}  // namespace

void answer_webui(Services& services, const Exchange& exchange) {
  const HttpRequest& request = exchange->request();
  const std::string what = request.path.substr(kPrefix.size());
  const auto answer = [&](const Json& json) { exchange->answer(json_answer(json)); };
  if (what == "/txt2img" || what == "/img2img") {
    require_method(request, "POST");
    return draw(services, exchange, what == "/img2img");
  }
  if (what == "/interrupt" || what == "/skip") {
    require_method(request, "POST");
    for (const auto& job : services.webui_jobs) job->cancel();
    return answer(Json::Object());
  }
  if (what == "/options" && request.method == "POST") {
    set_options(services, request.body);
    return answer(Json::Object());
  }
  require_method(request, "GET");
  if (what == "/options")
    return answer(Json::Object{{"sd_model_checkpoint", model_named(services, services.webui_model).name()}});
  if (what == "/progress") return answer(progress(services));
  if (what == "/sd-models") return answer(list_of_models(services));
  if (what == "/samplers") return answer(list_of_samplers());
  if (what == "/schedulers")
    return answer(Json::Array{Json::Object{{"name", "automatic"}, {"label", "Automatic"}}});
  for (const char* empty : {"/upscalers", "/latent-upscale-modes", "/sd-vae", "/loras", "/embeddings"})
    if (what == empty) return answer(Json::Array());
  throw ApiError(404, fmt::format("there is no {} here", request.path));
}

}  // namespace diffusion::serve
