// Trainings to look at: "/diffusion/v1/runs", ".../NAME", ".../NAME/previews/STEP".

#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "base/log.h"
#include "serve/own_parts.h"

namespace diffusion::serve {

namespace {

constexpr std::string_view kRuns = "/diffusion/v1/runs";

// What "%20" and the like stand for. ApiError 400 where they are not whole.
std::string decoded(std::string_view text) {
  std::string result;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      result += text[at];
      continue;
    }
    unsigned value = 0;
    const char* from = text.data() + at + 1;
    if (at + 2 >= text.size() || std::from_chars(from, from + 2, value, 16).ptr != from + 2)
      throw ApiError(400, fmt::format("the path has \"{}\"; accepted is % with two hexadecimal digits",
                                      text.substr(at, 3)));
    result += char(value);
    at += 2;
  }
  return result;
}

HttpAnswer list(RunsFolder& runs) {
  Json::Array all;
  for (const std::string& name : runs.names()) {
    const std::optional<Json::Object> details = runs.details(name);
    if (!details) continue;  // it has gone
    Json::Object row;
    for (const char* field : {"name", "error", "steps", "loss", "seconds", "idle_seconds"})
      if (const auto value = details->find(field); value != details->end()) row.insert(*value);
    all.push_back(std::move(row));
  }
  return json_answer(Json::Object{{"runs", std::move(all)}});
}

HttpAnswer one(RunsFolder& runs, const std::string& name) {
  std::optional<Json::Object> details = runs.details(name);
  if (!details) throw ApiError(404, fmt::format("there is no run \"{}\"", name));
  return json_answer(*std::move(details));
}

HttpAnswer preview(const RunsFolder& runs, const std::string& name, std::string_view step) {
  std::int64_t number = -1;
  const auto [end, error] = std::from_chars(step.data(), step.data() + step.size(), number);
  const bool whole = error == std::errc() && end == step.data() + step.size() && number >= 0;
  std::optional<std::string> png = whole ? runs.preview(name, number) : std::nullopt;
  if (!png) throw ApiError(404, fmt::format("the run \"{}\" has no preview of step \"{}\"", name, step));
  return {200, "image/png", *std::move(png), {{"Cache-Control", "no-store"}}};
}

HttpAnswer answer_for(RunsFolder& runs, std::string_view path) {
  if (path.empty()) return list(runs);
  const std::size_t slash = path.find('/', 1);
  const std::string name = decoded(path.substr(1, slash - 1));
  if (slash == std::string_view::npos) return one(runs, name);
  constexpr std::string_view kPreviews = "/previews/";
  const std::string_view rest = path.substr(slash);
  if (!rest.starts_with(kPreviews)) throw ApiError(404, fmt::format("there is no {}{} here", kRuns, path));
  return preview(runs, name, rest.substr(kPreviews.size()));
}

}  // namespace

void answer_runs(Services& services, const Exchange& exchange) {
  require_method(exchange->request(), "GET");
  const std::string path = exchange->request().path.substr(kRuns.size());
  if (!path.empty() && path[0] != '/') throw ApiError(404, fmt::format("there is no {}{} here", kRuns, path));
  if (!services.runs) throw ApiError(404, "no trainings are shown; start the server with --runs DIR");
  services.errands.add([&services, exchange, path] {
    try {
      exchange->answer(answer_for(*services.runs, path));
    } catch (const ApiError& error) {
      exchange->answer(error_answer(ApiForm::own, error));
    } catch (const std::exception& error) {
      stderr_log().line(fmt::format("GET {}{}: {}", kRuns, path, error.what()));
      exchange->answer(error_answer(ApiForm::own, {500, "the server failed; its log says more"}));
    }
  });
}

}  // namespace diffusion::serve
