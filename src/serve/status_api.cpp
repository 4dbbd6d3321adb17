#include <fmt/format.h>

#include "serve/services.h"

namespace diffusion::serve {

namespace {

// Prometheus' text format.
std::string metrics_text(const Services& services) {
  const EngineCounts counts = services.engine.counts();
  std::string text;
  const auto add = [&](std::string_view name, std::string_view type, std::string_view help, auto value) {
    text += fmt::format("# HELP diffusion_{0} {2}\n# TYPE diffusion_{0} {1}\ndiffusion_{0} {3}\n", name, type,
                        help, value);
  };
  add("evaluations_total", "counter", "Evaluations of networks.", counts.evaluations);
  add("rows_total", "counter", "Rows of them, without padding.", counts.rows);
  add("padding_rows_total", "counter", "Rows that only filled a batch.", counts.padding_rows);
  add("evaluation_seconds_total", "counter", "Time in evaluations.", counts.busy_seconds);
  add("images_total", "counter", "Images made.", counts.images);
  add("jobs_done_total", "counter", "Jobs that came to their end.", counts.done);
  add("jobs_failed_total", "counter", "Jobs that failed.", counts.failed);
  add("jobs_cancelled_total", "counter", "Jobs that were cancelled.", counts.cancelled);
  add("jobs_waiting", "gauge", "Jobs that wait.", counts.waiting);
  add("jobs_running", "gauge", "Jobs that are evaluated.", counts.running);
  add("kept_bytes", "gauge", "Memory of results and previews that are kept.", services.jobs.bytes());
  return text;
}

}  // namespace

void answer_status(Services& services, const Exchange& exchange) {
  require_method(exchange->request(), "GET");
  if (exchange->request().path == "/health")
    return exchange->answer(json_answer(Json::Object{{"status", services.draining ? "draining" : "ok"}}));
  if (!services.options.metrics) throw ApiError(404, "metrics are off; start the server with --metrics");
  exchange->answer({200, "text/plain; version=0.0.4", metrics_text(services)});
}

}  // namespace diffusion::serve
