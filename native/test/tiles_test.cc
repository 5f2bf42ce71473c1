// Our own tiles against a triple loop: every transpose, edges, several blocks, chosen rows and steps.
#include "../kernels/products/tiles.h"

#include "test.h"

#define BLASNET_DECLARE(set)                       \
  namespace blasnet::set {                         \
  void multiplyTiles(const TileProduct&) noexcept; \
  }
#if defined(__x86_64__) && !defined(BLASNET_BASELINE_ONLY)
BLASNET_DECLARE(avx2)
BLASNET_DECLARE(avx512)
#endif
#if defined(__aarch64__)
BLASNET_DECLARE(neon)
#else
BLASNET_DECLARE(baseline)
#endif

namespace {

using namespace blasnet;
using namespace blasnet::test;

struct Set {
  const char* name;
  void (*multiply)(const TileProduct&) noexcept;
};

constexpr Set sets[] = {
#if defined(__x86_64__) && !defined(BLASNET_BASELINE_ONLY)
    {"avx2", avx2::multiplyTiles},
    {"avx512", avx512::multiplyTiles},
#endif
#if defined(__aarch64__)
    {"neon", neon::multiplyTiles},
#else
    {"baseline", baseline::multiplyTiles},
#endif
};

// Also that what lies between the rows of the result, and rows that take no part, stay as they are.
void compare(const Set& set, TileProduct p, int64_t margin, bool chosen, Random& random) {
  std::vector<uint16_t> rows, steps;
  int64_t allRows = p.m, allSteps = p.k;
  if (chosen) {
    for (int64_t i = 0; i < p.m; i++) rows.push_back(static_cast<uint16_t>(i + i / 3));
    for (int64_t l = 0; l < p.k; l++) steps.push_back(static_cast<uint16_t>(2 * l + l % 2));
    allRows = p.m > 0 ? rows.back() + 1 : 0;
    allSteps = steps.back() + 1;
    p.rows = rows.data();
    p.steps = steps.data();
  }
  p.lda = (p.transA ? allRows : allSteps) + margin;
  p.ldb = (p.transB ? allSteps : p.n) + margin;
  p.ldc = p.n + margin;
  Buffer<float> a((p.transA ? allSteps : allRows) * p.lda, random, -1, 1);
  Buffer<float> b((p.transB ? p.n : allSteps) * p.ldb, random, -1, 1), c(allRows * p.ldc, random, -1, 1);
  const Buffer<float> old = c;
  p.a = a.data();
  p.b = b.data();
  p.c = c.data();
  set.multiply(p);
  bool right = c.intact();
  int64_t next = 0;
  for (int64_t i = 0; i < allRows; i++) {
    const bool takesPart = !chosen || (next < p.m && rows[static_cast<size_t>(next)] == i);
    if (takesPart) next++;
    for (int64_t j = 0; j < p.ldc; j++) {
      const float now = c[i * p.ldc + j], before = old[i * p.ldc + j];
      if (!takesPart || j >= p.n) {
        right = right && now == before;
      } else if ((i * p.n + j) % 7 == 0) {  // the oracle is slow
        double total = p.add ? static_cast<double>(before) : 0;
        for (int64_t l = 0; l < p.k; l++) {
          const int64_t step = chosen ? steps[static_cast<size_t>(l)] : l;
          total += static_cast<double>(p.transA ? a[step * p.lda + i] : a[i * p.lda + step]) *
                   static_cast<double>(p.transB ? b[j * p.ldb + step] : b[step * p.ldb + j]);
        }
        right = right && near(now, total, 1e-4, 1e-4);
      }
    }
  }
  check(right, __FILE__, __LINE__,
        format("%s: %ld %ld %ld, transposed %d %d, chosen %d", set.name, static_cast<long>(p.m), static_cast<long>(p.n),
               static_cast<long>(p.k), p.transA, p.transB, chosen));
}

TEST_ALONE(tiles) {
  Random random(31);
  for (const Set& set : sets) {
    if (findKernelSet(set.name) == nullptr) continue;
    for (const int64_t m : {0, 1, 7, 24, 261}) {
      for (const int64_t n : {16, 31, 67, 130}) {
        for (const int64_t k : {1, 103, 300}) {
          if (slowRun() && m == 261 && n != 130) continue;
          for (int form = 0; form < 8; form++) {
            TileProduct p = {};
            p.transA = form & 1;
            p.transB = form & 2;
            p.add = form & 4;
            p.m = m;
            p.n = n;
            p.k = k;
            compare(set, p, form % 3 == 0 ? 0 : 500, false, random);
            if (!p.transB) compare(set, p, form % 3 == 0 ? 0 : 500, true, random);
          }
        }
      }
    }
  }
}

}  // namespace
