#include "diffusion/model.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "io/fs.h"
#include "io/safetensors.h"
#include "io/scratch.h"

namespace diffusion {
namespace {

Model tiny_model(const Preconditioner& preconditioner) {
  UNetConfig unet;
  unet.sample_size = {8, 8};
  unet.in_channels = unet.out_channels = 1;
  unet.block_out_channels = {8};
  unet.down_block_attention = unet.up_block_attention = {false};
  unet.layers_per_block = 1;
  unet.norm_num_groups = 4;
  unet.class_embed_type = ClassEmbedding::table;
  unet.num_class_embeds = 3;
  Model model{
      unet, preconditioner, {"a", "b"}, 2, preconditioner.schedule() != nullptr, ParamStore(layout_of(unet))};
  model.params.initialize(1);
  return model;
}

Preconditioner discrete(Objective objective, ScheduleKind kind) {
  return {objective, make_schedule(kind, 50, 2e-4, 0.03)};
}

TEST(Model, SurvivesItsDirectory) {
  for (Objective objective : {Objective::epsilon, Objective::v, Objective::x0})
    for (ScheduleKind kind :
         {ScheduleKind::linear, ScheduleKind::scaled_linear, ScheduleKind::cosine, ScheduleKind::sigmoid}) {
      const scratch::Folder folder;
      const Model model = tiny_model(discrete(objective, kind));
      write_pipeline(folder.path(), model, model.params.values());
      const Model back = read_pipeline(folder.path());
      EXPECT_EQ(back.preconditioner.objective(), objective);
      EXPECT_EQ(back.preconditioner.schedule()->alphas_cumprod,
                model.preconditioner.schedule()->alphas_cumprod);
      EXPECT_EQ(back.class_names, model.class_names);
      EXPECT_EQ(back.null_class, 2);
      EXPECT_EQ(back.class_count(), 2);
      for (const ParamLayout::Entry& e : model.params.layout().entries())
        for (std::size_t i = e.offset; i < e.offset + e.size; ++i)
          ASSERT_EQ(back.params.values()[i], model.params.values()[i]) << e.name;
    }
}

TEST(Model, EdmSurvivesItsDirectory) {
  const scratch::Folder folder;
  const Model model =
      tiny_model(Preconditioner(EdmParameters{.sigma_data = 0.7, .sigma_min = 0.01, .sigma_max = 50}));
  write_pipeline(folder.path(), model, model.params.values());
  const Model back = read_pipeline(folder.path());
  ASSERT_NE(back.preconditioner.edm(), nullptr);
  EXPECT_EQ(back.preconditioner.edm()->sigma_data, 0.7);
  EXPECT_EQ(back.preconditioner.edm()->sigma_max, 50);
}

TEST(Model, FlatLayoutIsRead) {
  const scratch::Folder folder;
  const Model model = tiny_model(discrete(Objective::epsilon, ScheduleKind::linear));
  write_pipeline(folder.path(), model, model.params.values());
  for (const char* file :
       {"unet/config.json", "unet/diffusion_pytorch_model.safetensors", "scheduler/scheduler_config.json"})
    std::filesystem::rename(folder.path() / file, folder.path() / std::filesystem::path(file).filename());
  std::filesystem::remove(folder.path() / "unet");
  std::filesystem::remove(folder.path() / "scheduler");
  EXPECT_EQ(read_pipeline(folder.path()).params.layout().parameter_count(),
            model.params.layout().parameter_count());
}

// What a broken directory answers: the kind bad_input or io, and a message with this word.
void expect_refused(const std::string& word,
                    const std::function<void(const std::filesystem::path&)>& damage) {
  const scratch::Folder folder;
  const Model model = tiny_model(discrete(Objective::epsilon, ScheduleKind::linear));
  write_pipeline(folder.path(), model, model.params.values());
  damage(folder.path());
  try {
    read_pipeline(folder.path());
    FAIL() << "accepted, expected a message with " << word;
  } catch (const Error& e) {
    EXPECT_TRUE(e.kind() == ErrorKind::bad_input || e.kind() == ErrorKind::io) << e.what();
    EXPECT_NE(std::string(e.what()).find(word), std::string::npos) << e.what();
  }
}

void replace_text(const std::filesystem::path& path, const std::string& from, const std::string& to) {
  std::string text = read_text_file(path, 1 << 20);
  const std::size_t at = text.find(from);
  ASSERT_NE(at, std::string::npos) << from;
  write_file(path, text.replace(at, from.size(), to));
}

TEST(Model, BrokenDirectoriesAreRefusedByName) {
  namespace fs = std::filesystem;
  const fs::path config = "unet/config.json", scheduler = "scheduler/scheduler_config.json",
                 weights = "unet/diffusion_pytorch_model.safetensors";
  expect_refused("config.json", [&](const fs::path& d) { fs::remove(d / config); });
  expect_refused("scheduler_config.json", [&](const fs::path& d) { fs::remove(d / scheduler); });
  expect_refused("diffusion_pytorch_model.safetensors", [&](const fs::path& d) { fs::remove(d / weights); });
  expect_refused("pickle",
                 [&](const fs::path& d) { fs::rename(d / weights, d / "unet/diffusion_pytorch_model.bin"); });
  expect_refused("class_embedding.weight", [&](const fs::path& d) {
    replace_text(d / config, "\"num_class_embeds\": 3", "\"num_class_embeds\": 5");
  });
  expect_refused("not part of the network", [&](const fs::path& d) {
    replace_text(d / config, "\"num_class_embeds\": 3", "\"num_class_embeds\": null");
  });
  expect_refused("is missing", [&](const fs::path& d) {
    replace_text(d / config, "\"layers_per_block\": 1", "\"layers_per_block\": 2");
  });
  expect_refused("KarrasVeScheduler", [&](const fs::path& d) {
    replace_text(d / scheduler, "DDPMScheduler", "KarrasVeScheduler");
  });
  expect_refused("beta_schedule",
                 [&](const fs::path& d) { replace_text(d / scheduler, "\"linear\"", "\"laplace\""); });
  expect_refused("prediction_type",
                 [&](const fs::path& d) { replace_text(d / scheduler, "\"epsilon\"", "\"flow\""); });
  expect_refused("trained_betas", [&](const fs::path& d) {
    replace_text(d / scheduler, "\"trained_betas\": null", "\"trained_betas\": [0.1]");
  });
  expect_refused("null_class", [&](const fs::path& d) {
    replace_text(d / "diffusion.json", "\"null_class\": 2", "\"null_class\": 0");
  });
  expect_refused("class_names", [&](const fs::path& d) { replace_text(d / "diffusion.json", "\"a\",", ""); });
  expect_refused("not a directory", [&](const fs::path& d) { fs::remove_all(d); });
}

}  // namespace
}  // namespace diffusion
