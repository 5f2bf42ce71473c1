// The matrix product and the dense layer against triple loops.
#include "../kernels/products/blas.h"

#include "test.h"

#if !defined(_WIN32)
#include <sys/mman.h>
#endif

namespace {

using namespace blasnet;
using namespace blasnet::test;

constexpr float nan = std::numeric_limits<float>::quiet_NaN();

// The product's element (i, j) in double.
double product(const float* a, const float* b, int64_t i, int64_t j, int64_t m, int64_t n, int64_t k, bool transA,
               bool transB) {
  double total = 0;
  for (int64_t l = 0; l < k; l++) {
    total += static_cast<double>(transA ? a[l * m + i] : a[i * k + l]) * (transB ? b[j * k + l] : b[l * n + j]);
  }
  return total;
}

TEST(gemmAllTransposes) {
  Random random(3);
  for (const KernelSet* set : kernelSets()) {
    for (const int64_t m : {0, 1, 7, 16, 33}) {
      for (const int64_t n : {0, 1, 9, 17, 31}) {
        for (const int64_t k : {0, 1, 8, 15, 101}) {
          for (int form = 0; form < 12; form++) {
            const bool transA = form & 1, transB = form & 2;
            const float alpha = 1.5f, beta = form < 4 ? 0.0f : form < 8 ? 1.0f : -0.5f;
            Buffer<float> a(m * k, random, -1, 1), b(k * n, random, -1, 1), c(m * n);
            Buffer<float> old(m * n, random, -1, 1);
            if (beta != 0) c = old;
            Buffer<float> inParts = c;
            Call(*set, Kernel::gemm, c, a, b, m, n, k, transA, transB, alpha, beta).whole();
            Call(*set, Kernel::gemm, inParts, a, b, m, n, k, transA, transB, alpha, beta).split();
            for (int64_t i = 0; i < m; i++) {
              for (int64_t j = 0; j < n; j++) {
                const double expected = alpha * product(a.data(), b.data(), i, j, m, n, k, transA, transB) +
                                        (beta != 0 ? static_cast<double>(beta) * old[i * n + j] : 0);
                CHECK_NEAR(c[i * n + j], expected, 1e-5, 1e-5, format("%ld %ld %ld form %d", m, n, k, form));
                CHECK_NEAR(inParts[i * n + j], expected, 1e-5, 1e-5, "in parts");
              }
            }
            CHECK(c.intact() && inParts.intact());
          }
        }
      }
    }
  }
}

// Products that are cut, or whose right matrix is copied, with every kind of edge; and neighbours that must stay as
// they are.
TEST_ALONE(sgemmInPiecesAndStrips) {
  Random random(4);
  for (const int64_t m : {8, 10, 24, 100, 200}) {
    for (const int64_t n : {20, 31, 67, 130}) {
      for (const int64_t k : {5, 103, 260, 700}) {
        if (slowRun() && (k == 260 || (m == 200 && n != 130))) continue;
        for (int form = 0; form < 5; form++) {
          const bool transA = form & 1, transB = form & 2 || form == 4;
          const Way way = form == 4 ? Way::strips : Way::pieces;
          for (const int64_t margin : {0, 900}) {
            const float beta = margin == 0 ? 0.0f : 1.0f;
            const int64_t lda = (transA ? m : k) + margin, ldb = (transB ? k : n) + margin, ldc = n + margin;
            Buffer<float> a((transA ? k : m) * lda, random, -1, 1), b((transB ? n : k) * ldb, random, -1, 1);
            Buffer<float> c(m * ldc, random, -1, 1);
            const Buffer<float> old = c;
            for (int64_t i = 0; beta == 0 && i < m * ldc; i++) c[i] = nan;
            blasProduct(way, transA, transB, m, n, k, 0.5f, a.data(), lda, b.data(), ldb, beta, c.data(), ldc);
            bool right = c.intact();
            for (int64_t i = 0; i < m; i++) {
              for (int64_t j = 0; j < ldc; j++) {
                if (j < n && (i * n + j) % 7 == 0) {  // the oracle is slow
                  double total = 0;
                  for (int64_t l = 0; l < k; l++) {
                    total += static_cast<double>(transA ? a[l * lda + i] : a[i * lda + l]) *
                             (transB ? b[j * ldb + l] : b[l * ldb + j]);
                  }
                  right = right && near(c[i * ldc + j], (beta == 0 ? 0 : old[i * ldc + j]) + 0.5 * total, 1e-4, 1e-4);
                } else if (j >= n) {  // never where beta is 0: there is no margin
                  right = right && c[i * ldc + j] == old[i * ldc + j];
                }
              }
            }
            check(right, __FILE__, __LINE__, format("%ld %ld %ld form %d margin %ld", m, n, k, form, margin));
          }
        }
      }
    }
  }
}

#if !defined(_WIN32)  // where reserved memory can't be touched

// Two rows further apart than a 32-bit int can say. The pages between them are never touched.
TEST(sgemmWithLeadingDimensionsBeyondInt) {
  constexpr int64_t stride = int64_t{1} << 31;
  constexpr size_t bytes = static_cast<size_t>(stride + 4096) * sizeof(float);
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return;  // an address space limit
  float* far = static_cast<float*>(memory);
  const float near[] = {1, 2, 3, 4};
  for (int64_t i = 0; i < 2; i++) {
    for (int64_t j = 0; j < 2; j++) far[i * stride + j] = near[i * 2 + j];
  }
  for (int form = 0; form < 5; form++) {
    const bool transA = form & 1, transB = form & 2 || form == 4;
    const Way way = form == 4 ? Way::strips : Way::pieces;
    float expected[4], c[4];
    blasProduct(way, transA, transB, 2, 2, 2, 1, near, 2, near, 2, 0, expected, 2);
    blasProduct(way, transA, transB, 2, 2, 2, 1, far, stride, near, 2, 0, c, 2);
    CHECK(std::memcmp(c, expected, sizeof c) == 0);
    blasProduct(way, transA, transB, 2, 2, 2, 1, near, 2, far, stride, 0, c, 2);
    CHECK(std::memcmp(c, expected, sizeof c) == 0);
    float* farResult = far + 1024;
    blasProduct(way, transA, transB, 2, 2, 2, 1, near, 2, near, 2, 0, farResult, stride);
    for (int64_t i = 0; i < 2; i++)
      CHECK(std::memcmp(farResult + i * stride, expected + 2 * i, 2 * sizeof(float)) == 0);
  }
  munmap(memory, bytes);
}

#endif

TEST(gemmWithBetaZeroIgnoresTheOldValues) {
  for (const KernelSet* set : kernelSets()) {
    Buffer<float> a(4), b(4), c(4);
    for (int64_t i = 0; i < 4; i++) a[i] = b[i] = 1;
    Call(*set, Kernel::gemm, c, a, b, 2, 2, 2, false, false, 1.0f, 0.0f).whole();
    for (int64_t i = 0; i < 4; i++) CHECK(c[i] == 2);
    c[0] = nan;
    Call(*set, Kernel::gemm, c, a, b, 2, 2, 0, false, false, 1.0f, 0.0f).whole();
    for (int64_t i = 0; i < 4; i++) CHECK(c[i] == 0);
  }
}

TEST(denseForward) {
  Random random(4);
  for (const KernelSet* set : kernelSets()) {
    for (const int64_t rows : {0, 1, 5, 64, 300}) {
      for (const int64_t out : {1, 10, 17, 100, 700}) {
        for (int code = 0; code < activationCount; code++) {
          const int64_t in = 13;
          const bool biased = code % 2 == 0 || rows == 5;
          Buffer<float> x(rows * in, random, -1, 1), w(in * out, random, -1, 1), b(out, random, -1, 1), y(rows * out);
          const Buffer<float>* bias = biased ? &b : nullptr;
          Call(*set, Kernel::denseForward, y, x, w, bias, rows, in, out, code, 0.2f, 0).whole();

          Buffer<float> expected(rows * out);
          for (int64_t i = 0; i < rows; i++) {
            for (int64_t j = 0; j < out; j++) {
              expected[i * out + j] =
                  static_cast<float>(product(x.data(), w.data(), i, j, rows, out, in, false, false) +
                                     (biased ? static_cast<double>(b[j]) : 0));
            }
          }
          if (code == 2 || code == 3) {
            Call(*set, activationKernels[code], expected, expected, rows * out, 0.2f).whole();
          } else {
            Call(*set, activationKernels[code], expected, expected, rows * out).whole();
          }
          Buffer<float> inParts(rows * out);
          Call(*set, Kernel::denseForward, inParts, x, w, bias, rows, in, out, code, 0.2f, 0).split();
          for (int64_t i = 0; i < rows * out; i++) {
            CHECK_NEAR(y[i], expected[i], 1e-5, 2e-6, format("activation %d", code));
            CHECK_NEAR(inParts[i], expected[i], 1e-5, 2e-6, "in parts");
          }
          CHECK(y.intact() && inParts.intact());
        }
      }
    }
  }
}

TEST(denseBackward) {
  Random random(5);
  for (const KernelSet* set : kernelSets()) {
    for (const int64_t rows : {0, 1, 7, 64}) {
      for (const int64_t in : {1, 9, 33}) {
        for (const int64_t out : {1, 10, 17, 131}) {
          Buffer<float> x(rows * in, random, -1, 1), w(in * out, random, -1, 1), dy(rows * out, random, -1, 1);
          Buffer<float> dx(rows * in), dw(in * out), db(out), dxParts(rows * in), dwParts(in * out), dbParts(out);
          const Call input(*set, Kernel::denseBackwardInput, dx, dy, w, rows, in, out, 0);
          const Call weight(*set, Kernel::denseBackwardWeight, dw, x, dy, rows, in, out, 0);
          const Call bias(*set, Kernel::denseBackwardBias, db, dy, rows, out);
          input.whole();
          weight.whole();
          bias.whole();
          Call(*set, Kernel::denseBackwardInput, dxParts, dy, w, rows, in, out, 0).split();
          Call(*set, Kernel::denseBackwardWeight, dwParts, x, dy, rows, in, out, 0).split();
          Call(*set, Kernel::denseBackwardBias, dbParts, dy, rows, out).split();
          for (int64_t i = 0; i < rows; i++) {
            for (int64_t j = 0; j < in; j++) {
              const double expected = product(dy.data(), w.data(), i, j, rows, in, out, false, true);
              CHECK_NEAR(dx[i * in + j], expected, 1e-5, 1e-5, "dx");
              CHECK_NEAR(dxParts[i * in + j], expected, 1e-5, 1e-5, "dx in parts");
            }
          }
          for (int64_t i = 0; i < in; i++) {
            for (int64_t j = 0; j < out; j++) {
              const double expected = product(x.data(), dy.data(), i, j, in, out, rows, true, false);
              CHECK_NEAR(dw[i * out + j], expected, 1e-5, 1e-5, "dw");
              CHECK_NEAR(dwParts[i * out + j], expected, 1e-5, 1e-5, "dw in parts");
            }
          }
          for (int64_t j = 0; j < out; j++) {
            double expected = 0;
            for (int64_t i = 0; i < rows; i++) expected += dy[i * out + j];
            CHECK_NEAR(db[j], expected, 1e-6, 1e-6, "db");
          }
          CHECK(db.sameBits(dbParts));
          CHECK(dx.intact() && dw.intact() && db.intact() && dxParts.intact() && dwParts.intact() && dbParts.intact());
        }
      }
    }
  }
}

// Weights of which blocks are copied and fetched ahead, whole and in shares, with every kind of edge.
TEST(denseOfLargeWeights) {
  Random random(10);
  for (const KernelSet* set : kernelSets()) {
    for (const int64_t rows : {63, 64, 70, 515}) {
      for (const auto& [in, out] : {std::pair<int64_t, int64_t>{256, 515}, {300, 600}, {530, 593}, {1030, 577}}) {
        if (slowRun() && rows == 515 && in > 256) continue;
        const Buffer<float> x(rows * in, random, -1, 1), w(in * out, random, -1, 1), b(out, random, -1, 1);
        const Buffer<float> dy(rows * out, random, -1, 1);
        Buffer<float> y(rows * out), yColumns(rows * out), dx(rows * in), dxColumns(rows * in);
        Call(*set, Kernel::denseForward, y, x, w, b, rows, in, out, 0, 0.0f, 0).whole();
        Call(*set, Kernel::denseForward, yColumns, x, w, nullptr, rows, in, out, 1, 0.0f, 0).along(1).split();
        Call(*set, Kernel::denseBackwardInput, dx, dy, w, rows, in, out, 0).split();
        Call(*set, Kernel::denseBackwardInput, dxColumns, dy, w, rows, in, out, 0).along(1).split();
        const auto where = [&] { return format("%ld %ld %ld", rows, in, out); };
        for (int64_t i = 0; i < rows; i += i % 64 < 60 ? 7 : 1) {
          for (int64_t j = i % 3; j < out; j += j < out - 80 ? 13 : 1) {
            const double sum = product(x.data(), w.data(), i, j, rows, out, in, false, false);
            CHECK_NEAR(y[i * out + j], sum + b[j], 1e-5, 2e-5, where());
            CHECK_NEAR(yColumns[i * out + j], sum > 0 ? sum : 0, 1e-5, 2e-5, where());
          }
          for (int64_t j = i % 3; j < in; j += j < in - 80 ? 13 : 1) {
            const double sum = product(dy.data(), w.data(), i, j, rows, in, out, false, true);
            CHECK_NEAR(dx[i * in + j], sum, 1e-5, 2e-5, where());
            CHECK_NEAR(dxColumns[i * in + j], sum, 1e-5, 2e-5, where());
          }
        }
        CHECK(y.intact() && yColumns.intact() && dx.intact() && dxColumns.intact());
      }
    }
  }
}

// A sum of many like terms keeps float's precision.
TEST(denseBackwardBiasOfManyRows) {
  constexpr int64_t rows = 100003, out = 3;
  Buffer<float> dy(rows * out), db(out);
  for (int64_t i = 0; i < rows * out; i++) dy[i] = 0.1f;
  for (const KernelSet* set : kernelSets()) {
    Call(*set, Kernel::denseBackwardBias, db, dy, rows, out).whole();
    for (int64_t j = 0; j < out; j++) CHECK_NEAR(db[j], rows * static_cast<double>(0.1f), 1e-6, 0, "db");
  }
}

}  // namespace
