// The kernel table, and the selection among the instruction sets it was compiled for.
#include "signatures.h"

namespace blasnet {

#define BLASNET_SIGNATURE(name, axis, grain, otherAxis, otherGrain, count, ...) \
  {name, {axis, otherAxis}, {grain, otherGrain}, count, {__VA_ARGS__}},
const Signature signatures[kernelCount] = {
#include "signatures.inc"
};
#undef BLASNET_SIGNATURE

// Each is defined by its set's table.cc; an architecture has some of them.
namespace baseline {
extern const KernelFunction functions[];
const char* float32Way() noexcept;
}  // namespace baseline
namespace avx2 {
extern const KernelFunction functions[];
const char* float32Way() noexcept;
}  // namespace avx2
namespace avx512 {
extern const KernelFunction functions[];
const char* float32Way() noexcept;
}  // namespace avx512
namespace neon {
extern const KernelFunction functions[];
const char* float32Way() noexcept;
}  // namespace neon

namespace {

struct Candidate {
  KernelSet set;
  bool (*runs)() noexcept;
};

bool always() noexcept { return true; }

#if defined(__x86_64__) && !defined(BLASNET_BASELINE_ONLY)

// __builtin_cpu_supports also checks that the operating system saves the wide registers.
bool hasAvx2() noexcept { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

bool hasAvx512() noexcept {
  return hasAvx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
}

#endif

// From the widest to the one that every CPU of the architecture supports.
constexpr Candidate candidates[] = {
#if defined(__x86_64__) && !defined(BLASNET_BASELINE_ONLY)
    {{"avx512", avx512::functions, avx512::float32Way}, hasAvx512},
    {{"avx2", avx2::functions, avx2::float32Way}, hasAvx2},
#endif
#if defined(__aarch64__)
    {{"neon", neon::functions, neon::float32Way}, always},
#else
    {{"baseline", baseline::functions, baseline::float32Way}, always},
#endif
};

}  // namespace

const KernelSet* findKernelSet(const char* name) noexcept {
  for (const Candidate& candidate : candidates) {
    if (__builtin_strcmp(candidate.set.name, name) == 0 && candidate.runs()) return &candidate.set;
  }
  return nullptr;
}

const KernelSet& bestKernelSet() noexcept {
  for (const Candidate& candidate : candidates) {
    if (candidate.runs()) return candidate.set;
  }
  __builtin_unreachable();  // the last candidate always runs
}

}  // namespace blasnet
