// Strided copies never leave their rows, whatever the sizes say; reductions give the same bits in parts.
#include "test.h"

namespace {

using namespace blasnet;
using namespace blasnet::test;

constexpr int64_t huge = 0x7fffffff;

// Dimensions of 1, but for the last two.
void copyRows(const KernelSet& set, const Buffer<float>& y, const Buffer<float>& x, const int64_t (&s)[11]) {
  const auto [rows, yPerRow, xPerRow, dim3, dim4, yOffset, yStride3, yStride4, xOffset, xStride3, xStride4] = s;
  Call(set, Kernel::copyStrided, y, x, rows, yPerRow, xPerRow, 1, 1, 1, dim3, dim4, yOffset, 0, 0, 0, yStride3,
       yStride4, xOffset, 0, 0, 0, xStride3, xStride4, false, 0.0f)
      .whole();
}

TEST(stridedCopiesStayInTheirRows) {
  Random random(71);
  const Buffer<float> x(24, random, -1, 1);
  const int64_t fitting[11] = {2, 12, 12, 3, 4, 0, 4, 1, 0, 1, 3};
  for (const KernelSet* set : kernelSets()) {
    Buffer<float> y(24);
    copyRows(*set, y, x, fitting);
    for (int64_t i = 0; i < 24; i++) CHECK(y[i] == x[i / 12 * 12 + i % 12 / 4 + i % 4 * 3]);
    // Each argument after the row sizes made larger, alone.
    for (int changed = 3; changed < 11; changed++) {
      for (const int64_t by : {int64_t{1}, int64_t{9}, huge / 2, huge - 5}) {
        int64_t wrong[11];
        std::copy(std::begin(fitting), std::end(fitting), wrong);
        wrong[changed] += by;
        Buffer<float> untouched(24);
        const Buffer<float> before = untouched;
        copyRows(*set, untouched, x, wrong);
        CHECK(untouched.sameBits(before) && untouched.intact());
      }
    }
    // Strides of 0 do not make a copy endless.
    Buffer<float> untouched(24);
    const Buffer<float> before = untouched;
    copyRows(*set, untouched, x, {2, 12, 12, huge, huge, 0, 0, 0, 0, 0, 0});
    CHECK(untouched.sameBits(before));
  }
}

TEST(reductionsInParts) {
  Random random(72);
  for (const KernelSet* set : kernelSets()) {
    for (const int64_t inner : {1, 3, 16, 129}) {
      for (const int64_t axis : {1, 2, 15, 33, 300}) {
        for (int operation = 0; operation < 4; operation++) {
          constexpr int64_t rows = 7;
          const Buffer<float> x(rows * axis * inner, random, -2, 2), dy(rows * inner, random, -1, 1);
          Buffer<float> y(rows * inner), inParts(rows * inner), dx(rows * axis * inner), dxInParts(rows * axis * inner);
          Call(*set, Kernel::reduce, y, x, rows, axis, inner, operation).whole();
          Call(*set, Kernel::reduce, inParts, x, rows, axis, inner, operation).split();
          Call(*set, Kernel::reduceBackward, dx, dy, x, y, rows, axis, inner, operation).whole();
          Call(*set, Kernel::reduceBackward, dxInParts, dy, x, y, rows, axis, inner, operation).split();
          CHECK(y.sameBits(inParts) && dx.sameBits(dxInParts) && y.intact() && dx.intact());
        }
      }
    }
  }
}

}  // namespace
