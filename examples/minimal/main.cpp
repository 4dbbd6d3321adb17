// Draws 16 pictures, drowns them in noise, and asks a small untrained U-Net what the noise was.
#include <algorithm>
#include <cstdio>

#include "base/rng.h"
#include "data/shapes.h"
#include "device/cpu/cpu_device.h"
#include "diffusion/pictures.h"
#include "nn/unet.h"
#include "pictures/png.h"
#include "plan/plan.h"

using namespace diffusion;

int main(int argc, char** argv) {
  const Dataset shapes = make_shapes(16, /*seed=*/1);
  const NoiseSchedule schedule = make_schedule(ScheduleKind::linear, 1000);
  std::vector<Image> rows;  // each picture at timesteps 0, 250, ..., 999
  for (int i = 0; i < shapes.count(); ++i) {
    const Image picture{shapes.width, shapes.height, 1, {shapes.image(i).begin(), shapes.image(i).end()}};
    std::ranges::move(noise_pictures(picture, schedule, showcase_timesteps(1000), i),
                      std::back_inserter(rows));
  }
  write_png(argc > 1 ? argv[1] : "noise.png", make_grid(rows, /*columns=*/5, /*gap=*/2, /*background=*/255));

  UNetConfig config{.in_channels = 1, .out_channels = 1, .norm_num_groups = 8};
  config.block_out_channels = {16, 32};
  config.down_block_attention = config.up_block_attention = {false, false};
  const Network net = make_unet(config, /*n=*/1, shapes.height, shapes.width);
  ParamStore params{ParamLayout(net.graph)};
  params.initialize(/*seed=*/1);
  Plan plan(net.graph, net.output, *make_cpu_device(), Mode::inference, params);

  std::vector<float> x_t(shapes.image(0).size()), epsilon(x_t.size());
  fill_normal({.seed = 1, .stream = Stream::sample_noise}, x_t);
  plan.write_input(net.sample, x_t);
  plan.write_input(net.timestep, std::vector<float>{999});
  plan.forward();
  plan.read_output(epsilon);
  std::printf("%zu pictures, first pixel of epsilon: %f\n", rows.size(), double(epsilon[0]));
}
