#include "gemm.h"

#include <cstdlib>

#include "../vector.h"
#include "bfloat16_tiles.h"
#include "blas.h"
#include "tiles.h"
#include "ways.h"

namespace blasnet::BLASNET_SIMD {
namespace {

const Rule& ruleOf(const Shape& shape) noexcept {
  static const Rule* rules = rulesFor(blasInfo().core, vendor(), vectorLanes, std::getenv("BLASNET_PRODUCTS"));
  const Rule& rule = chooseRule(rules, shape, true);
  // Asked for only where a rule names it: the system then reserves AMX's state for the whole process.
  return rule.way != Way::parts || chosenFloatTiles() != nullptr ? rule : chooseRule(rules, shape, false);
}

}  // namespace

void sgemm(bool transA, bool transB, int64_t m, int64_t n, int64_t k, float alpha, const float* a, int64_t lda,
           const float* b, int64_t ldb, float beta, float* c, int64_t ldc) noexcept {
  const Way way = ruleOf({transA, transB, m, n, k, lda, ldb}).way;
  const bool isOwn = alpha == 1 && (beta == 0 || beta == 1) && m > 0 && k > 0;
  if (way == Way::tiles && isOwn && n >= vectorLanes) {
    return multiplyTiles({transA, transB, m, n, k, a, lda, b, ldb, beta == 1, c, ldc});
  }
  if (way == Way::parts && isOwn && n > 0) {
    return withScratch(Use::packing, [=](Scratch scratch) {
      tiledProduct(*chosenFloatTiles(), scratch, transA, transB, m, n, k, a, lda, b, ldb, beta == 1, c, ldc);
    });
  }
  blasProduct(way, transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

double keptShare(int64_t m, int64_t n, int64_t k, int64_t ldb) noexcept {
  return ruleOf({false, false, m, n, k, k, ldb}).details.keptShare;
}

const char* float32Way() noexcept {
  constexpr int64_t wide = 512;
  return ruleOf({false, false, wide, wide, wide, wide, wide}).way == Way::parts ? "amx" : "fma";
}

const PatchTiles& patchTiles() noexcept {
  static const PatchTiles answer =
      patchTilesFor(blasInfo().core, vendor(), vectorLanes, std::getenv("BLASNET_PRODUCTS"));
  return answer;
}

}  // namespace blasnet::BLASNET_SIMD
