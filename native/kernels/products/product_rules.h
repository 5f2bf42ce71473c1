// Chooses the fastest algorithm for a matrix product on this processor, by measurement
// (docs/decisions/0003-small-products.md). The bits of a result depend on the algorithm, so the choice never changes
// within a process and is the same on all processors of a family.
#pragma once

#include <cstdint>

namespace blasnet {

struct ProductRules {
  // Whether BLAS has kernels for products of up to 10^6 multiplications that read their operands in place. Larger
  // products are split to that size.
  bool smallKernels;
  // Total bytes of both operands and the result above which a single BLAS product is fastest.
  int64_t mostBytes;
  // Whether convolutions with many weights, or output rows of 7 pixels, are faster in own tiles than in BLAS's products
  // of blocks of patches.
  bool patchTiles;
  bool isLarge(int64_t m, int64_t n, int64_t k) const noexcept;
};

// core: OpenBLAS's name of its kernels; amd: whether the processor is from AMD; wish: BLASNET_GEMM_TILES, or null.
ProductRules rulesFor(const char* core, bool amd, const char* wish) noexcept;

// The rules for this processor.
const ProductRules& productRules() noexcept;

}  // namespace blasnet
