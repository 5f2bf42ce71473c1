// Random changes of batches: strange shapes, uneven splits and indices out of range; what they compute is in the
// conformance suite.
#include "test.h"

namespace {

using namespace blasnet;
using namespace blasnet::test;

constexpr uint32_t seed = 12345, stream = 0x30000, step = 7;

struct Shape {
  int64_t rows, height, width, channels;
  int64_t count() const { return rows * height * width * channels; }
};

constexpr Shape shapes[] = {{0, 3, 3, 1}, {1, 1, 1, 1},  {40, 3, 5, 1}, {7, 28, 28, 1}, {5, 4, 17, 3},
                            {3, 1, 9, 4}, {3, 19, 1, 2}, {2, 0, 5, 3},  {2, 5, 0, 3},   {2, 5, 5, 0}};

// The same bits whole and in parts, and nothing written outside.
template <typename Run>
void checkSplit(const Shape& shape, Run run) {
  Buffer<float> whole(shape.count()), parts(shape.count());
  run(whole).whole();
  run(parts).split();
  CHECK(whole.sameBits(parts));
  CHECK(whole.intact() && parts.intact());
}

TEST(augmentImages) {
  Random random(31);
  constexpr int64_t most = INT32_MAX;
  for (const KernelSet* set : kernelSets()) {
    for (const Shape& s : shapes) {
      Buffer<float> x(s.count(), random, -1, 1);
      const auto call = [&](Kernel kernel, const auto&... settings) {
        checkSplit(s, [&](Buffer<float>& y) {
          return Call(*set, kernel, y, x, s.rows, s.height, s.width, s.channels, settings..., seed, stream, step);
        });
      };
      for (const int64_t pixels : {int64_t{0}, int64_t{1}, int64_t{4}, int64_t{40}, most}) {
        call(Kernel::shiftImages, pixels, 4 - pixels % 5, 0.5);
        call(Kernel::cutImages, pixels, most - pixels, 0.5);
      }
      for (const double probability : {0.0, 0.5, 1.0, -3.0, 1e300}) {
        call(Kernel::flipImages, true, probability);
        call(Kernel::flipImages, false, probability);
      }
      for (const double angle : {0.0, 0.3, 3.2, 1e300}) call(Kernel::rotateImages, angle, -1.0);
    }
  }
}

TEST(cutImagesInPlace) {
  Random random(32);
  for (const KernelSet* set : kernelSets()) {
    for (const Shape& s : shapes) {
      Buffer<float> x(s.count(), random, -1, 1), y(s.count());
      const auto cut = [&](Buffer<float>& out) {
        Call(*set, Kernel::cutImages, out, x, s.rows, s.height, s.width, s.channels, 2, 3, 0.5, seed, stream, step)
            .whole();
      };
      cut(y);
      cut(x);
      CHECK(x.sameBits(y) && x.intact());
    }
  }
}

TEST(mixRows) {
  Random random(33);
  for (const KernelSet* set : kernelSets()) {
    for (const int64_t rows : {0, 1, 2, 3, 17, 70}) {
      for (const int64_t features : {0, 1, 5, 16, 33}) {
        for (const double alpha : {1e-300, 0.2, 1.0, 1e300, 0.0, -1.0}) {
          Buffer<float> x(rows * features, random, -1, 1);
          checkSplit({rows, 1, features, 1}, [&](Buffer<float>& y) {
            return Call(*set, Kernel::mixRows, y, x, rows, features, alpha, seed, stream, step);
          });
        }
      }
    }
  }
}

}  // namespace
