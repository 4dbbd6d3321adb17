#include "support/guarded_device.h"

#include <sys/mman.h>

#include <algorithm>
#include <exception>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include <diffusion/error.h>
#include "base/buffer.h"

namespace diffusion {

namespace {

class GuardedQueue final : public Queue {
 public:
  explicit GuardedQueue(std::shared_ptr<Queue> inner) : inner_(std::move(inner)) {}

  bool uses_host_memory() const override { return false; }

  void write(const Tensor& to, std::span<const float> values) override {
    later([=, this, copy = std::vector(values.begin(), values.end())] { inner_->write(to, copy); });
  }
  void read(const Tensor& from, std::span<float> values) override {
    now([&] { inner_->read(from, values); });
  }
  void read(const Tensor& from, std::span<double> values) override {
    now([&] { inner_->read(from, values); });
  }
  void upload(void* to, std::span<const std::byte> bytes) override {
    later([=, this, copy = std::vector(bytes.begin(), bytes.end())] { inner_->upload(to, copy); });
  }
  void download(const void* from, std::span<std::byte> bytes) override {
    now([&] { inner_->download(from, bytes); });
  }
  void fill(void* to, std::size_t bytes, std::byte value) override {
    later([=, this] { inner_->fill(to, bytes, value); });
  }
  void load_params(Kernel& kernel, std::span<const Tensor> in) override {
    later([=, this, &kernel] { inner_->load_params(kernel, in); });
  }
  void forward(Kernel& kernel, const ForwardArgs& args) override {
    later([=, this, &kernel] { inner_->forward(kernel, args); });
  }
  void backward(Kernel& kernel, const BackwardArgs& args) override {
    later([=, this, &kernel] { inner_->backward(kernel, args); });
  }
  void add_in_pairs(std::span<const Tensor> blocks, std::size_t begin, std::size_t end) override {
    later([=, this] { inner_->add_in_pairs(blocks, begin, end); });
  }
  void add_scaled(const Tensor& from, float factor, const Tensor& to, std::size_t begin,
                  std::size_t end) override {
    later([=, this] { inner_->add_scaled(from, factor, to, begin, end); });
  }
  void sum_of_squares(UpdateKernel& kernel, const Tensor& gradients, double* result) override {
    later([=, this, &kernel] { inner_->sum_of_squares(kernel, gradients, result); });
  }
  void update(UpdateKernel& kernel, const UpdateArgs& args) override {
    later([=, this, &kernel] { inner_->update(kernel, args); });
  }
  void wait() override {
    now([] {});
  }

  Pages closed_pages(std::size_t bytes) {
    Pages pages = allocate_pages(bytes);
    const std::lock_guard lock(mutex_);
    guard(pages.get(), bytes, PROT_NONE);
    blocks_.push_back({pages.get(), bytes});
    return pages;
  }
  // After the work so far, whose error waits for the next one who waits.
  void forget(const void* pages) noexcept {
    const std::lock_guard lock(mutex_);
    try {
      do_work();
    } catch (...) {
      error_ = std::current_exception();
    }
    std::erase_if(blocks_, [&](const Block& block) { return block.pages == pages; });
  }

 private:
  struct Block {
    void* pages;
    std::size_t bytes;
  };

  static void guard(void* pages, std::size_t bytes, int protection) {
    if (mprotect(pages, std::max<std::size_t>(bytes, 1), protection) != 0)
      throw Error(ErrorKind::internal, "the guarded device cannot protect its memory");
  }
  void guard_all(int protection) {
    for (const Block& block : blocks_) guard(block.pages, block.bytes, protection);
  }

  void later(std::function<void()> work) {
    const std::lock_guard lock(mutex_);
    work_.push_back(std::move(work));
  }

  template <class Work>
  void now(const Work& work) {
    const std::lock_guard lock(mutex_);
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
    work_.push_back(work);
    do_work();
  }

  void do_work() {
    guard_all(PROT_READ | PROT_WRITE);
    const std::vector<std::function<void()>> work = std::exchange(work_, {});
    std::exception_ptr error;
    try {
      for (const auto& item : work) item();
    } catch (...) {
      error = std::current_exception();
    }
    guard_all(PROT_NONE);
    if (error) std::rethrow_exception(error);
  }

  std::shared_ptr<Queue> inner_;
  std::mutex mutex_;
  std::vector<std::function<void()>> work_;
  std::exception_ptr error_;
  std::vector<Block> blocks_;
};

class GuardedMemory final : public DeviceMemory {
 public:
  GuardedMemory(std::shared_ptr<GuardedQueue> queue, Pages pages, std::size_t bytes)
      : DeviceMemory(static_cast<std::byte*>(pages.get()), bytes),
        queue_(std::move(queue)),
        pages_(std::move(pages)) {}
  ~GuardedMemory() override { queue_->forget(pages_.get()); }

 private:
  std::shared_ptr<GuardedQueue> queue_;
  Pages pages_;
};

class GuardedDevice final : public Device {
 public:
  explicit GuardedDevice(std::shared_ptr<const Device> inner)
      : inner_(std::move(inner)), queue_(std::make_shared<GuardedQueue>(inner_->queue())) {}

  std::string_view name() const override { return "guarded"; }

  std::unique_ptr<DeviceMemory> allocate(std::size_t bytes) const override {
    return std::make_unique<GuardedMemory>(queue_, queue_->closed_pages(bytes), bytes);
  }
  std::shared_ptr<Queue> queue() const override { return queue_; }

  Format input_format(const Shape& shape) const override { return inner_->input_format(shape); }
  Format output_format(const Op& op, std::span<const TensorDesc> in, const Shape& out) const override {
    return inner_->output_format(op, in, out);
  }
  std::unique_ptr<Kernel> compile(const KernelSpec& spec) const override { return inner_->compile(spec); }
  std::unique_ptr<UpdateKernel> compile_update(const UpdateSpec& spec) const override {
    return inner_->compile_update(spec);
  }

 private:
  std::shared_ptr<const Device> inner_;
  std::shared_ptr<GuardedQueue> queue_;
};

}  // namespace

std::shared_ptr<const Device> make_guarded_device(std::shared_ptr<const Device> inner) {
  return std::make_shared<GuardedDevice>(std::move(inner));
}

}  // namespace diffusion
