#include "diffusers/pipeline.h"
#include "diffusers/scheduler_config.h"

#include <gtest/gtest.h>

#include <diffusion/error.h>
#include "base/tensor.h"
#include "diffusion/sampling_recipe.h"
#include "files/fs.h"
#include "formats/safetensors.h"
#include "support/scratch.h"

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
  const bool clips = preconditioner.schedule() != nullptr;
  Model model{unet,
              preconditioner,
              {"a", "b"},
              2,
              sampling_of_new_model(preconditioner, clips),
              ParamStore(layout_of(unet))};
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
      tiny_model(Preconditioner(EdmProcess{.sigma_data = 0.7, .sigma_min = 0.01, .sigma_max = 50}));
  write_pipeline(folder.path(), model, model.params.values());
  const Model back = read_pipeline(folder.path());
  ASSERT_NE(back.preconditioner.as<EdmProcess>(), nullptr);
  EXPECT_EQ(back.preconditioner.as<EdmProcess>()->sigma_data, 0.7);
  EXPECT_EQ(back.preconditioner.as<EdmProcess>()->sigma_max, 50);
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

void expect_refused_index(const std::string& word, const std::string& index) {
  expect_refused(word, [&](const std::filesystem::path& d) { write_file(d / "model_index.json", index); });
}

TEST(Model, PipelinesOfMoreThanANetworkAreRefusedByComponent) {
  expect_refused_index("field vae is a AutoencoderKL",
                       R"({"_class_name": "LDMPipeline", "vae": ["diffusers", "AutoencoderKL"],
                           "unet": ["diffusers", "UNet2DModel"], "scheduler": ["diffusers", "DDPMScheduler"]})");
  expect_refused_index("text_encoder", R"({"text_encoder": ["transformers", "CLIPTextModel"]})");
  expect_refused_index("my_scheduler", R"({"scheduler": ["my_scheduler", "DDPMScheduler"]})");
  expect_refused_index("UNet2DConditionModel", R"({"unet": ["diffusers", "UNet2DConditionModel"]})");
  expect_refused_index("3 values", R"({"unet": ["diffusers", "UNet2DModel", 1]})");
  expect_refused_index("_class_name", R"({"_class_name": 1})");
}

TEST(Model, OptionsAndAbsentComponentsOfAPipelineAreNoComponents) {
  const scratch::Folder folder;
  const Model model = tiny_model(discrete(Objective::epsilon, ScheduleKind::linear));
  write_pipeline(folder.path(), model, model.params.values());
  write_file(
      folder / "model_index.json",
      std::string(R"({"_class_name": "DDIMPipeline", "safety_checker": [null, null], "option": true})"));
  EXPECT_EQ(read_pipeline(folder.path()).pipeline_class, "DDIMPipeline");
}

// Its consistency function is that of the scheduler, not the one that diffusion.json can name.
TEST(Model, ALatentConsistencyModelStaysOne) {
  const scratch::Folder in, out;
  const Model model = tiny_model(discrete(Objective::epsilon, ScheduleKind::linear));
  write_pipeline(in.path(), model, model.params.values());
  write_file(in / "scheduler/scheduler_config.json",
             std::string(R"({"_class_name": "LCMScheduler", "original_inference_steps": 10})"));
  const Model read = read_pipeline(in.path());
  write_pipeline(out.path(), read, read.params.values());
  SamplingRecipe recipe = read_pipeline(out.path()).sampling;
  recipe.steps = 10;
  const auto [sampler, levels] = sampler_on_levels(recipe, read.preconditioner);
  EXPECT_EQ(std::get<Consistency>(sampler).boundary.size(), 10u);
  EXPECT_EQ(levels.timesteps.back(), 99);
}

// What is read goes back out as it was, with the class that is right for it.
TEST(Model, KeepsTheSchedulerThatItCameWith) {
  const scratch::Folder in, out;
  const Model model = tiny_model(discrete(Objective::epsilon, ScheduleKind::linear));
  write_pipeline(in.path(), model, model.params.values());
  EXPECT_FALSE(model.scheduler_config);
  const std::string config = R"({
  "_class_name": "DPMSolverMultistepScheduler",
  "_diffusers_version": "0.42.1",
  "algorithm_type": "dpmsolver++",
  "lambda_min_clipped": -Infinity,
  "num_train_timesteps": 50,
  "solver_order": 3,
  "some_future_field": null,
  "use_karras_sigmas": true
}
)";
  write_file(in / "scheduler/scheduler_config.json", config);
  write_file(in / "model_index.json", std::string(R"({"_class_name": "DDIMPipeline"})"));
  const Model read = read_pipeline(in.path());
  write_pipeline(out.path(), read, read.params.values());
  EXPECT_EQ(read_text_file(out / "scheduler/scheduler_config.json", 1 << 20), config);
  const std::string index = read_text_file(out / "model_index.json", 1 << 20);
  for (const char* word : {"DDIMPipeline", "DPMSolverMultistepScheduler"})
    EXPECT_NE(index.find(word), std::string::npos) << index;
  EXPECT_EQ(name_of(read_pipeline(out.path()).sampling.sampler), "dpmpp_3m");
}

TEST(Model, TheIndexNamesTheSchedulerThatNamesNoClass) {
  const scratch::Folder folder;
  const Model model = tiny_model(discrete(Objective::epsilon, ScheduleKind::linear));
  write_pipeline(folder.path(), model, model.params.values());
  write_file(folder / "scheduler/scheduler_config.json", std::string("{}"));
  write_file(folder / "model_index.json",
             std::string(R"({"scheduler": ["diffusers", "HeunDiscreteScheduler"]})"));
  EXPECT_EQ(name_of(read_pipeline(folder.path()).sampling.sampler), "heun");
}

TEST(Model, WeightsOfHalfPrecisionComeBackRounded) {
  const Model model = tiny_model(discrete(Objective::epsilon, ScheduleKind::linear));
  const scratch::Folder folder;
  write_pipeline(folder.path(), model, model.params.values(), SafetensorsDType::bf16);
  const Model back = read_pipeline(folder.path());
  const ParamLayout::Entry& entry = *model.params.layout().find("conv_in.weight");
  for (std::size_t i = entry.offset; i < entry.offset + entry.size; ++i)
    EXPECT_EQ(back.params.values()[i], from_bf16(to_bf16(model.params.values()[i])));
}

TEST(Model, ValuesThatF16CannotHoldAreNamed) {
  Model model = tiny_model(discrete(Objective::epsilon, ScheduleKind::linear));
  model.params.values(*model.params.layout().find("conv_out.bias"))[0] = 70000;
  const scratch::Folder folder;
  const std::string message = scratch::error_of(ErrorKind::usage, [&] {
    write_pipeline(folder.path(), model, model.params.values(), SafetensorsDType::f16);
  });
  EXPECT_NE(message.find("conv_out.bias"), std::string::npos) << message;
}

TEST(Model, TheFirstVersionsOfDiffusersAreToldApart) {
  const auto old = [](const char* scheduler) {
    expect_refused("first versions of diffusers", [&](const std::filesystem::path& d) {
      write_file(d / "scheduler/scheduler_config.json", std::string(scheduler));
    });
  };
  old(R"({"_class_name": "GaussianDDPMScheduler", "timesteps": 1000})");
  old(R"({"_class_name": "DDPMScheduler", "timesteps": 1000})");
  old(R"({"_class_name": "DDPMScheduler", "num_train_timesteps": 1000, "timestep_values": [999, 0]})");
  const scratch::Folder folder;
  const Model model = tiny_model(discrete(Objective::epsilon, ScheduleKind::linear));
  write_pipeline(folder.path(), model, model.params.values());
  write_file(
      folder / "scheduler/scheduler_config.json",
      std::string(R"({"_class_name": "DDPMScheduler", "num_train_timesteps": 1000, "timestep_values": null,
                             "timesteps": 1000})"));
  EXPECT_NO_THROW(read_pipeline(folder.path()));  // as some models on the hub still say
}

}  // namespace
}  // namespace diffusion
