#pragma once

namespace diffusion {

// What this machine does at best with the number of threads in use, measured now: arithmetic in registers,
// and copying a block much larger than the caches. Other work on the machine lowers all of them.
struct MachinePeak {
  double f32_flops;   // multiplications and additions a second
  double bf16_flops;  // 0 where the CPU does not multiply bf16
  double copy_bytes;  // bytes read plus bytes written a second
};

// Takes about a second.
MachinePeak measure_machine_peak();

}  // namespace diffusion
