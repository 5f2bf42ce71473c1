// Gradient clipping.
#include "test.h"

namespace {

using namespace blasnet;
using namespace blasnet::test;

constexpr float nan = std::numeric_limits<float>::quiet_NaN();
constexpr float inf = std::numeric_limits<float>::infinity();

TEST(clipValue) {
  Random random(51);
  for (const KernelSet* set : kernelSets()) {
    for (const int64_t n : sizes) {
      Buffer<float> g(n, random, -2, 2);
      if (n > 2) {
        g[0] = nan;
        g[1] = inf;
        g[2] = -inf;
      }
      const Buffer<float> before = g;
      Buffer<float> inParts = g;
      Call(*set, Kernel::clipValue, g, n, 0.5f).whole();
      Call(*set, Kernel::clipValue, inParts, n, 0.5f).split();
      for (int64_t i = 0; i < n; i++) {
        CHECK_NEAR(g[i], before[i] > 0.5f ? 0.5f : before[i] < -0.5f ? -0.5f : before[i], 0, 0, "clipValue");
      }
      CHECK(g.sameBits(inParts) && g.intact());
    }
  }
}

TEST(clipNorm) {
  Random random(52);
  for (const KernelSet* set : kernelSets()) {
    for (const int64_t n : {0, 1, 17, 1009, 200000}) {
      Buffer<float> g(n, random, -1, 1);
      Buffer<double> squares(1), carry(1);
      carry[0] = 3;
      double expected = 3;
      for (int64_t i = 0; i < n; i++) expected += static_cast<double>(g[i]) * g[i];
      Call(*set, Kernel::squareSum, squares, nullptr, g, n).whole();
      CHECK_NEAR(squares[0], expected - 3, 1e-12, 1e-12, "squareSum");
      Call(*set, Kernel::squareSum, squares, &carry, g, n).whole();
      CHECK_NEAR(squares[0], expected, 1e-12, 0, "squareSum");
      Call(*set, Kernel::squareSum, carry, &carry, g, n).whole();
      CHECK(carry[0] == squares[0]);

      const double norm = std::sqrt(expected);
      const Buffer<float> before = g;
      Call(*set, Kernel::clipNorm, g, squares, n, norm * 1.001).whole();
      CHECK(g.sameBits(before));
      Buffer<float> inParts = g;
      Call(*set, Kernel::clipNorm, g, squares, n, norm / 3).whole();
      Call(*set, Kernel::clipNorm, inParts, squares, n, norm / 3).split();
      for (int64_t i = 0; i < n; i++) CHECK_NEAR(g[i], before[i] / 3, 2e-7, 0, "clipNorm");
      CHECK(g.sameBits(inParts) && g.intact());
    }
  }
}

TEST(clipNormLeavesGradientsOfNoNorm) {
  for (const KernelSet* set : kernelSets()) {
    for (const float value : {nan, inf}) {
      Buffer<float> g(3);
      g[0] = 1;
      g[1] = value;
      g[2] = -1;
      const Buffer<float> before = g;
      Buffer<double> squares(1);
      Call(*set, Kernel::squareSum, squares, nullptr, g, 3).whole();
      CHECK(!std::isfinite(squares[0]));
      Call(*set, Kernel::clipNorm, g, squares, 3, 0.5).whole();
      CHECK(g.sameBits(before));
    }
  }
}

}  // namespace
