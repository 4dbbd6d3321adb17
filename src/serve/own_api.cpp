#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include <diffusion/error.h>
#include <diffusion/picture_files.h>
#include "serve/own_parts.h"
#include "serve/services.h"
#include "serve/uploads.h"

namespace diffusion::serve {

namespace {

constexpr std::string_view kJobs = "/diffusion/v1/jobs";
constexpr int kMostPreviews = 4096;  // of a job, all images together

Wish read_wish(const RequestFields& fields, const ServedModel& model, const WishLimits& limits) {
  Wish wish;
  if (fields.given("label")) {
    const Json& label = *fields.find("label");
    const auto* number = std::get_if<std::int64_t>(&label.value());
    wish.label = number ? std::to_string(*number) : fields.text("label", "");
  }
  if (fields.given("prompt")) apply_prompt(model.model(), fields.text("prompt", ""), wish);
  wish.negative = fields.text("negative_prompt", "");
  wish.count = fields.whole_number("count", 1, 1, limits.images);
  wish.first = fields.whole_number("first", 0, 0, 1'000'000'000);
  wish.seed = std::uint64_t(fields.seed("seed", 0));
  if (fields.given("to_seed")) wish.to_seed = std::uint64_t(fields.seed("to_seed", 0));
  if (fields.given("sampler")) wish.sampler = fields.text("sampler", "");
  if (fields.given("spacing")) wish.spacing = fields.text("spacing", "");
  if (fields.given("steps")) wish.steps = fields.whole_number("steps", 1, 1, limits.steps);
  if (fields.given("guidance")) wish.guidance = fields.number("guidance", 1, -1000, 1000);
  for (const char* option : {"eta", "s_churn", "s_tmin", "s_tmax", "s_noise"})
    if (fields.given(option)) wish.sampler_options[option] = fields.number(option, 0, 0, 1e6);
  wish.previews = fields.whole_number("previews", 0, 0, limits.steps);
  if (wish.previews * wish.count > kMostPreviews)
    throw ApiError(400,
                   fmt::format("previews is {} of each of {} images; accepted are {} in all", wish.previews,
                               wish.count, kMostPreviews),
                   "previews");
  if (fields.given("image"))
    wish.picture = decode_base64_upload(fields.text("image", ""), "image", limits.upload_pixels);
  if (fields.given("mask"))
    wish.mask = decode_base64_upload(fields.text("mask", ""), "mask", limits.upload_pixels);
  if (fields.given("strength")) wish.strength = fields.number("strength", 1, 0, 1);
  if (!wish.picture && (wish.mask || wish.strength))
    throw ApiError(400, "mask and strength are for an image, which is missing", "image");
  return wish;
}

std::string event_text(std::string_view name, const Json& data) {
  return fmt::format("event: {}\ndata: {}\n\n", name, dump_json(data));
}

Json status_of(const Services& services, const std::string& id, const JobStore::Entry& entry) {
  const JobProgress progress = entry.job->progress();
  const std::string path = fmt::format("{}/{}", kJobs, id);
  Json::Array images;
  for (std::size_t k = 0; k < entry.pictures.size(); ++k)
    images.push_back(
        Json::Object{{"path", fmt::format("{}/images/{}", path, k)}, {"command", entry.commands[k]}});
  return Json::Object{{"id", id},
                      {"state", to_string(progress.state)},
                      {"model", entry.job->request().model},
                      {"place", services.engine.place_of(*entry.job)},
                      {"steps_done", progress.steps_done},
                      {"steps", progress.steps},
                      {"images_done", progress.images_done},
                      {"count", progress.images},
                      {"seconds_left", progress.seconds_left ? Json(*progress.seconds_left) : Json()},
                      {"error", progress.error.empty() ? Json() : Json(progress.error)},
                      {"events", path + "/events"},
                      {"images", images}};
}

// Called by the engine's thread, which makes the texts; the loop's thread tells them.
void tell_event(Services& services, const std::string& id, const Job& job, const JobEvent& event) {
  if (event.finished) {
    std::vector<std::string> pictures;
    for (const Image& image : job.images()) {
      const std::vector<std::byte> png = encode_png(image);
      pictures.emplace_back(reinterpret_cast<const char*>(png.data()), png.size());
    }
    const JobProgress progress = job.progress();
    std::string text =
        event_text(to_string(progress.state),
                   Json::Object{{"state", to_string(progress.state)},
                                {"error", progress.error.empty() ? Json() : Json(progress.error)}});
    return services.post([&services, id, text = std::move(text), pictures = std::move(pictures)]() mutable {
      services.jobs.finish(id, std::move(text), std::move(pictures));
    });
  }
  Json::Object data{{"image", event.image}, {"step", event.step}, {"steps", event.steps}};
  const bool shows = event.preview != nullptr;
  if (shows) data["png"] = png_in_base64(*event.preview);
  services.post([&services, id, shows, text = event_text(shows ? "preview" : "step", data)] {
    services.jobs.tell(id, text, HttpExchange::Part::may_be_dropped, shows);
  });
}

void add_job(Services& services, const Exchange& exchange) {
  const Json json = parse_request(exchange->request().body);
  const RequestFields fields(json);
  const ServedModel& model = model_named(services, fields.text("model", ""));
  const Wish wish = read_wish(fields, model, services.options.limits);
  fields.refuse_unknown();
  JobRequest request = to_job(model, wish);
  std::vector<std::string> commands = commands_of(model, request, services.options.precision);
  const std::string id = services.jobs.add();
  try {
    services.jobs.find(id)->job = submit(
        services, std::move(request),
        [&services, id](const Job& job, const JobEvent& event) { tell_event(services, id, job, event); });
  } catch (...) {
    services.jobs.remove(id);
    throw;
  }
  JobStore::Entry& entry = *services.jobs.find(id);
  entry.commands = std::move(commands);
  HttpAnswer answer = json_answer(status_of(services, id, entry), 202);
  answer.headers = {{"Location", fmt::format("{}/{}", kJobs, id)}};
  exchange->answer(std::move(answer));
}

void answer_job(Services& services, const Exchange& exchange, const std::string& rest) {
  const HttpRequest& request = exchange->request();
  const std::string id = rest.substr(0, rest.find('/')), what = rest.substr(id.size());
  JobStore::Entry* entry = services.jobs.find(id);
  if (!entry && services.jobs.was_here(id))
    throw ApiError(410, fmt::format("the job {} is not kept any more", id));
  if (!entry) throw ApiError(404, fmt::format("there is no job {}", id));
  if (what.empty() && request.method == "DELETE") {
    entry->job->cancel();
    return exchange->answer(json_answer(status_of(services, id, *entry)));
  }
  require_method(request, "GET");
  if (what.empty()) return exchange->answer(json_answer(status_of(services, id, *entry)));
  if (what == "/events") return services.jobs.listen(*entry, exchange);
  for (std::size_t k = 0; k < entry->pictures.size(); ++k)
    if (what == fmt::format("/images/{}", k))
      return exchange->answer({200, "image/png", entry->pictures[k], {{"Cache-Control", "no-store"}}});
  throw ApiError(404, fmt::format("the job {} has no {} (yet)", id, what));
}

}  // namespace

void answer_own(Services& services, const Exchange& exchange) {
  const HttpRequest& request = exchange->request();
  if (request.path == kJobs) {
    require_method(request, "POST");
    return add_job(services, exchange);
  }
  const std::string job = std::string(kJobs) + "/";
  if (request.path.starts_with(job)) return answer_job(services, exchange, request.path.substr(job.size()));
  if (request.path == "/diffusion/v1/capabilities") {
    require_method(request, "GET");
    return exchange->answer(json_answer(capabilities(services)));
  }
  if (request.path.starts_with("/diffusion/v1/runs")) return answer_runs(services, exchange);
  if (request.path == "/diffusion/v1/noise") {
    require_method(request, "POST");
    return exchange->answer(json_answer(noise(services, request.body)));
  }
  throw ApiError(404, fmt::format("there is no {} here", request.path));
}

}  // namespace diffusion::serve
