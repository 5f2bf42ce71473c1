// The dense layer on matrices of which whole columns are zero, against triple loops.
#include "test.h"

namespace {

using namespace blasnet;
using namespace blasnet::test;

constexpr float nan = std::numeric_limits<float>::quiet_NaN();

// Whether column j of x is zero: along the edges of lines of 28, here and there, all but one, all; or, pattern 4, none,
// for those along the edges are so in the first rows only.
bool isZeroColumn(int pattern, int64_t j) {
  if (pattern == 0) return j % 28 < 4 || j % 28 >= 23;
  if (pattern == 1) return j * 7919 % 100 < 70;
  if (pattern == 2) return j != 17;
  return pattern == 3;
}

// Elements of zero columns are 0 or -0; of the others every second is.
Buffer<float> withZeroColumns(int pattern, int64_t rows, int64_t in, Random& random) {
  Buffer<float> x(rows * in, random, 0.5, 1.5);
  for (int64_t i = 0; i < rows; i++) {
    for (int64_t j = 0; j < in; j++) {
      if (isZeroColumn(pattern, j) || (pattern == 4 && i < 100 && isZeroColumn(0, j))) {
        x[i * in + j] = (i + j) % 2 == 0 ? 0.0f : -0.0f;
      } else if ((i + j) % 2 == 1 && rows > 1) {
        x[i * in + j] = 0;
      }
    }
  }
  return x;
}

// Of the wide matrices, a slow run takes one of each width.
bool takes(int64_t in, int64_t out, int pattern) {
  // Where blocks of the right matrix are copied, the columns of x don't matter.
  if (out > 512 && in != 150) return false;
  return !slowRun() || in == 150 || (in == 784 ? out == 100 : out == 258 && pattern == 0);
}

TEST(zeroColumnsOfTheForwardProduct) {
  Random random(11);
  for (const KernelSet* set : kernelSets()) {
    for (const int64_t rows : {1, 40, 131}) {
      for (const int64_t in : {150, 784, 2100}) {
        for (const int64_t out : {100, 258, 527, 593}) {
          for (int pattern = 0; pattern < 5; pattern++) {
            if (!takes(in, out, pattern)) continue;
            const bool biased = (rows + out) % 2 == 0;
            const Buffer<float> x = withZeroColumns(pattern, rows, in, random);
            Buffer<float> w(in * out, random, -1, 1), b(out, random, -1, 1), y(rows * out);
            if (biased) {
              Call(*set, Kernel::denseForward, y, x, w, b, rows, in, out, 0, 0.0f, 0).whole();
            } else {
              Call(*set, Kernel::denseForward, y, x, w, nullptr, rows, in, out, 0, 0.0f, 0).whole();
            }
            for (int64_t i = 0; i < rows; i++) {
              for (int64_t j = i % 5; j < out; j += 5) {
                double expected = biased ? b[j] : 0;
                for (int64_t l = 0; l < in; l++) {
                  if (x[i * in + l] != 0) expected += static_cast<double>(x[i * in + l]) * w[l * out + j];
                }
                CHECK_NEAR(y[i * out + j], expected, 1e-5, 1e-4,
                           format("%ld %ld %ld pattern %d", rows, in, out, pattern));
              }
            }
            CHECK(y.intact());
          }
        }
      }
    }
  }
}

// 0 times infinity or NaN is NaN, in every row, wherever the weight stands.
TEST(zeroColumnsMeetWeightsThatAreNotFinite) {
  Random random(13);
  constexpr int64_t in = 784, out = 100;
  for (const KernelSet* set : kernelSets()) {
    for (const int64_t rows : {1, 64, 200}) {
      for (const float bad : {nan, std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()}) {
        for (const int64_t at : {int64_t{0}, int64_t{3 * 28 + 1}, in - 1}) {  // columns of zeros
          const Buffer<float> x = withZeroColumns(0, rows, in, random);
          Buffer<float> w(in * out, random, -1, 1), y(rows * out), dw(in * out);
          w[at * out + 99] = bad;
          Call(*set, Kernel::denseForward, y, x, w, nullptr, rows, in, out, 0, 0.0f, 0).whole();
          bool right = true;
          for (int64_t i = 0; i < rows; i++) right = right && std::isnan(y[i * out + 99]) && std::isfinite(y[i * out]);
          check(right, __FILE__, __LINE__, format("forward %ld", static_cast<long>(rows)));
          Buffer<float> dy(rows * out, random, -1, 1);
          dy[(rows - 1) * out + 7] = bad;
          Call(*set, Kernel::denseBackwardWeight, dw, x, dy, rows, in, out, 0).whole();
          check(std::isnan(dw[at * out + 7]) && dw[at * out + 8] == 0, __FILE__, __LINE__,
                format("weight gradient %ld", static_cast<long>(rows)));
        }
      }
    }
  }
}

TEST(zeroColumnsHaveNoWeightGradient) {
  Random random(12);
  for (const KernelSet* set : kernelSets()) {
    for (const int64_t rows : {16, 40, 131, 257}) {
      if (slowRun() && rows == 257) continue;
      for (const int64_t in : {150, 784, 2100}) {
        for (const int64_t out : {100, 258, 527, 593}) {
          for (int pattern = 0; pattern < 5; pattern++) {
            if (!takes(in, out, pattern)) continue;
            const Buffer<float> x = withZeroColumns(pattern, rows, in, random);
            Buffer<float> dy(rows * out, random, -1, 1), dw(in * out);
            for (int64_t k = 0; k < in * out; k++) dw[k] = nan;
            Call(*set, Kernel::denseBackwardWeight, dw, x, dy, rows, in, out, 0).whole();
            for (int64_t l = 0; l < in; l++) {
              if (isZeroColumn(pattern, l)) {
                bool zero = true;
                for (int64_t j = 0; j < out; j++) zero = zero && dw[l * out + j] == 0;
                check(zero, __FILE__, __LINE__, format("%ld %ld %ld pattern %d", rows, in, out, pattern));
                continue;
              }
              for (int64_t j = l % 17; j < out; j += 17) {
                double expected = 0;
                for (int64_t i = 0; i < rows; i++) expected += static_cast<double>(x[i * in + l]) * dy[i * out + j];
                CHECK_NEAR(dw[l * out + j], expected, 1e-5, 1e-4,
                           format("%ld %ld %ld pattern %d", rows, in, out, pattern));
              }
            }
            CHECK(dw.intact());
          }
        }
      }
    }
  }
}

}  // namespace
