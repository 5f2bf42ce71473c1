#include "product_rules.h"

#include <cstdlib>
#include <cstring>

#include "gemm.h"

namespace blasnet {

namespace {

constexpr int64_t unlimited = INT64_MAX;

// For AVX-512 processors. On AMD (Zen 5) pieces are faster at every size; on Intel (Sapphire Rapids) up to about twice
// the L2 cache. Families that were not measured get the limit, which is never much slower than the whole product.
constexpr int64_t amdLimit = unlimited, otherLimit = int64_t{4} << 20;

// OpenBLAS has small kernels for its AVX-512 cores. They reach the machine's peak, while the general path, which packs
// both operands first, does not.
constexpr const char* smallKernelCores[] = {"SkylakeX", "Cooperlake", "Sapphirerapids"};

bool isAmd() noexcept {
#if defined(__x86_64__)
  return __builtin_cpu_is("amd");
#else
  return false;
#endif
}

}  // namespace

bool ProductRules::isLarge(int64_t m, int64_t n, int64_t k) const noexcept {
  const double bytes = sizeof(float) * (static_cast<double>(m) * static_cast<double>(k) +
                                        static_cast<double>(k) * static_cast<double>(n) +
                                        static_cast<double>(m) * static_cast<double>(n));
  return bytes > static_cast<double>(mostBytes);
}

ProductRules rulesFor(const char* core, bool amd, const char* wish) noexcept {
  if (wish != nullptr && std::strcmp(wish, "0") == 0) return {false, unlimited, false};
  if (wish != nullptr && std::strcmp(wish, "1") == 0) return {true, unlimited, false};
  bool smallKernels = false;
  for (const char* name : smallKernelCores) smallKernels = smallKernels || std::strcmp(core, name) == 0;
  return {smallKernels, smallKernels && !amd ? otherLimit : amdLimit, smallKernels && !amd};
}

const ProductRules& productRules() noexcept {
  static const ProductRules rules = rulesFor(blasInfo().core, isAmd(), std::getenv("BLASNET_GEMM_TILES"));
  return rules;
}

}  // namespace blasnet
