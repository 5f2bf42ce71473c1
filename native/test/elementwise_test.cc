// Arithmetic by code: powers against libm, results in parts, gradients in the place of dy.
#include "test.h"

namespace {

using namespace blasnet;
using namespace blasnet::test;

constexpr float inf = std::numeric_limits<float>::infinity();

constexpr int binaryCount = 6, unaryCount = 8;
constexpr int power = static_cast<int>(UnaryOperation::power);

TEST(binaryInParts) {
  Random random(61);
  for (const KernelSet* set : kernelSets()) {
    for (const int64_t n : sizes) {
      for (int operation = 0; operation < binaryCount; operation++) {
        const Buffer<float> a(n, random, -2, 2), b(n, random, 0.5, 2), dy(n, random, -1, 1);
        Buffer<float> y(n), inParts(n), inPlace = a;
        Call(*set, Kernel::binary, y, a, b, n, operation).whole();
        Call(*set, Kernel::binary, inParts, a, b, n, operation).split();
        Call(*set, Kernel::binary, inPlace, inPlace, b, n, operation).whole();
        CHECK(y.sameBits(inParts) && y.sameBits(inPlace) && y.intact() && inPlace.intact());

        Buffer<float> da(n), db(n), daParts(n), dbParts(n), daAlone(n), dbOverDy = dy;
        Call(*set, Kernel::binaryBackward, da, db, dy, a, b, n, operation).whole();
        Call(*set, Kernel::binaryBackward, daParts, dbParts, dy, a, b, n, operation).split();
        Call(*set, Kernel::binaryBackward, daAlone, nullptr, dy, a, b, n, operation).whole();
        CHECK(da.sameBits(daParts) && db.sameBits(dbParts) && da.sameBits(daAlone));
        Call(*set, Kernel::binaryBackward, daParts, dbOverDy, dbOverDy, a, b, n, operation).whole();
        CHECK(da.sameBits(daParts) && db.sameBits(dbOverDy) && da.intact() && db.intact());
      }
    }
  }
}

TEST(unaryInParts) {
  Random random(62);
  for (const KernelSet* set : kernelSets()) {
    for (const int64_t n : sizes) {
      for (int operation = 0; operation < unaryCount; operation++) {
        const Buffer<float> x(n, random, 0.1, 2), dy(n, random, -1, 1);
        Buffer<float> y(n), inParts(n), dx(n), dxInParts(n);
        Call(*set, Kernel::unary, y, x, n, operation, 0.3, 1.5).whole();
        Call(*set, Kernel::unary, inParts, x, n, operation, 0.3, 1.5).split();
        Call(*set, Kernel::unaryBackward, dx, dy, x, n, operation, 0.3, 1.5).whole();
        Call(*set, Kernel::unaryBackward, dxInParts, dy, x, n, operation, 0.3, 1.5).split();
        CHECK(y.sameBits(inParts) && dx.sameBits(dxInParts) && y.intact() && dx.intact());
      }
    }
  }
}

TEST(powersOfAllMagnitudes) {
  constexpr int64_t n = 4000;
  Buffer<float> x(n), y(n);
  for (int64_t i = 0; i < n; i++) x[i] = static_cast<float>(std::pow(2.0, -149 + 277.0 * static_cast<double>(i) / n));
  for (const KernelSet* set : kernelSets()) {
    for (const double exponent : {-3.0, -1.0, -0.37, 0.0, 1e-3, 0.25, 0.5, 1.0, 2.0, 2.718, 17.0, 60.5}) {
      Call(*set, Kernel::unary, y, x, n, power, exponent, 0.0).whole();
      for (int64_t i = 0; i < n; i++) {
        CHECK_NEAR(y[i], static_cast<float>(std::pow(static_cast<double>(x[i]), exponent)), 2.5e-7, 1.5e-45, "power");
      }
    }
  }
}

TEST(powersOfNegativeAndSpecialNumbers) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float points[] = {0.0f, -0.0f, 1, -1, -2, -0.3f, inf, -inf, nan};
  constexpr int64_t n = 9;
  Buffer<float> x(n), y(n);
  for (int64_t i = 0; i < n; i++) x[i] = points[i];
  for (const KernelSet* set : kernelSets()) {
    for (const double exponent : {-3.0, -2.0, -0.5, 0.5, 1.0, 2.0, 3.0, 2.5}) {
      Call(*set, Kernel::unary, y, x, n, power, exponent, 0.0).whole();
      for (int64_t i = 0; i < n; i++) {
        CHECK_NEAR(y[i], static_cast<float>(std::pow(static_cast<double>(x[i]), exponent)), 2.5e-7, 0, "power");
      }
    }
  }
}

}  // namespace
