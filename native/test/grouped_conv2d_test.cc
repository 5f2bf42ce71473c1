// Convolution of groups of channels, with dilation, and its gradients against plain loops in double.
#include "images.h"

namespace {

using namespace blasnet;
using namespace blasnet::test;

struct Grouped {
  int64_t rows, height, width, groups, channels, outHeight, outWidth, windowHeight, windowWidth, strideHeight,
      strideWidth, dilationHeight, dilationWidth, padTop, padLeft, filters;

  int64_t inputs() const { return rows * height * width * groups * channels; }
  int64_t outPixels() const { return rows * outHeight * outWidth; }
  int64_t outputs() const { return outPixels() * groups * filters; }
  int64_t weights() const { return windowHeight * windowWidth * channels * groups * filters; }
  std::string text() const {
    return format("%ld of %ldx%ldx%ldx%ld to %ldx%ldx%ld, window %ldx%ld, strides %ld %ld, dilations %ld %ld", rows,
                  height, width, groups, channels, outHeight, outWidth, filters, windowHeight, windowWidth,
                  strideHeight, strideWidth, dilationHeight, dilationWidth);
  }

  // Calls visit(y, x, w) with the positions of the factors and the sum of every product.
  template <typename Visit>
  void forEachProduct(Visit visit) const {
    for (int64_t pixel = 0; pixel < outPixels(); pixel++) {
      const int64_t image = pixel / (outHeight * outWidth), oy = pixel / outWidth % outHeight, ox = pixel % outWidth;
      for (int64_t k = 0; k < (weights() > 0 ? windowHeight * windowWidth : 0); k++) {
        const int64_t iy = oy * strideHeight + k / windowWidth * dilationHeight - padTop;
        const int64_t ix = ox * strideWidth + k % windowWidth * dilationWidth - padLeft;
        if (iy < 0 || iy >= height || ix < 0 || ix >= width) continue;
        for (int64_t group = 0; group < groups; group++) {
          for (int64_t c = 0; c < channels; c++) {
            for (int64_t f = 0; f < filters; f++) {
              visit((pixel * groups + group) * filters + f,
                    (((image * height + iy) * width + ix) * groups + group) * channels + c,
                    ((k * channels + c) * groups + group) * filters + f);
            }
          }
        }
      }
    }
  }

  template <typename... Before, typename... After>
  Call call(const KernelSet& set, Kernel kernel, const std::tuple<Before...>& before,
            const std::tuple<After...>& after = {}) const {
    const std::tuple sizes(rows, height, width, groups, channels, outHeight, outWidth, windowHeight, windowWidth,
                           strideHeight, strideWidth, dilationHeight, dilationWidth, padTop, padLeft, filters);
    return std::apply([&](const auto&... arguments) { return Call(set, kernel, arguments...); },
                      std::tuple_cat(before, sizes, after));
  }
};

void checkAll(const Buffer<float>& actual, const std::vector<double>& expected, const char* what, const Grouped& s) {
  for (int64_t i = 0; i < actual.size(); i++) {
    CHECK_NEAR(actual[i], expected[static_cast<size_t>(i)], 1e-5, 2e-5,
               what + (" at " + std::to_string(i) + ", " + s.text()));
  }
  CHECK(actual.intact());
}

void checkCase(const Grouped& s, Random& random) {
  const Buffer<float> x(s.inputs(), random, -1, 1), w(s.weights(), random, -1, 1), dy(s.outputs(), random, -1, 1),
      b(s.groups * s.filters, random, -1, 1);
  const auto zeros = [](int64_t n) { return std::vector<double>(static_cast<size_t>(n)); };
  std::vector<double> wantedY = zeros(s.outputs()), wantedDx = zeros(s.inputs()), wantedDw = zeros(s.weights());
  for (int64_t i = 0; i < s.outputs(); i++) wantedY[static_cast<size_t>(i)] = b[i % b.size()];
  s.forEachProduct([&](int64_t i, int64_t j, int64_t k) {
    wantedY[static_cast<size_t>(i)] += static_cast<double>(x[j]) * w[k];
    wantedDx[static_cast<size_t>(j)] += static_cast<double>(dy[i]) * w[k];
    wantedDw[static_cast<size_t>(k)] += static_cast<double>(dy[i]) * x[j];
  });
  for (const KernelSet* set : kernelSets()) {
    for (const bool split : {false, true}) {
      const auto run = [split](const Call& call) { split ? call.split() : call.whole(); };
      Buffer<float> y(s.outputs()), dx(s.inputs()), dw(s.weights()), db(b.size()), expected(b.size());
      run(s.call(*set, Kernel::groupedConv2dForward, std::tuple(&y, &x, &w, &b), std::tuple(0, 0.0f)));
      run(s.call(*set, Kernel::groupedConv2dBackwardInput, std::tuple(&dx, &dy, &w)));
      const int64_t parts = split ? 3 : 1;
      Buffer<float> dwParts(parts * dw.size()), dbParts(parts * db.size());
      run(s.call(*set, Kernel::groupedConv2dBackwardParts, std::tuple(&dwParts, &dbParts, &x, &dy), std::tuple(parts)));
      Call(*set, Kernel::sumParts, dw, dwParts, dw.size(), parts).whole();
      Call(*set, Kernel::sumParts, db, dbParts, db.size(), parts).whole();
      Call(*set, Kernel::denseBackwardBias, expected, dy, s.outPixels(), db.size()).whole();
      checkAll(y, wantedY, "y", s);
      checkAll(dx, wantedDx, "dx", s);
      checkAll(dw, wantedDw, "dw", s);
      for (int64_t f = 0; f < db.size(); f++) CHECK_NEAR(db[f], expected[f], 1e-5, 2e-5, s.text());
      CHECK(dwParts.intact() && dbParts.intact());
    }
  }
}

TEST(groupedConv2dOfManyShapes) {
  Random random(51);
  const int64_t groupCounts[] = {1, 2, 3, 16, 17, 40};
  for (const Images& i : manyImages(52)) {
    // One channel per group, which is depthwise, in half of the cases.
    const int64_t channels = random.word() % 2 ? 1 : 1 + random.word() % 5, filters = 1 + random.word() % 3;
    const int64_t dilationHeight = random.word() % 5, dilationWidth = random.word() % 4;
    checkCase(
        {i.rows, i.height, i.width, groupCounts[random.word() % 6], channels, i.outHeight, i.outWidth, i.windowHeight,
         i.windowWidth, i.strideHeight, i.strideWidth, dilationHeight, dilationWidth, i.padTop, i.padLeft, filters},
        random);
  }
}

// Sizes that no layer has: no strides, windows far outside, and rows too long for the local arrays.
TEST(groupedConv2dOfStrangeShapes) {
  Random random(53);
  constexpr int64_t far = INT32_MAX;
  for (const int64_t channels : {1, 2}) {
    checkCase({1, 4, 5, 3, channels, 2, 3, 2, 2, 0, 0, 1, 1, 0, 0, 1}, random);
    checkCase({2, 4, 5, 17, channels, 2, 3, 2, 2, far, far, far, far, 0, 0, 1}, random);
    checkCase({2, 4, 5, 17, channels, 2, 3, 2, 2, 1, 1, far, far, far, far, 2}, random);
    checkCase({1, 2, 5, 2, channels, 2, 3, 2, 2, 1, far, 1, 1, far, 0, 2}, random);
    checkCase({1, 3, 1100, 2, channels, 3, 1100, 3, 3, 1, 1, 1, 1, 1, 1, 1}, random);
    checkCase({1, 70, 9, 2, channels, 70, 9, 41, 3, 1, 1, 1, 1, 20, 1, 1}, random);
  }
}

// Without elements the other sizes may be anything.
TEST(groupedConv2dOfNothing) {
  constexpr int64_t huge = 1 << 30;
  Random random(54);
  checkCase({0, huge, huge, 3, huge, huge, huge, 0, 0, 1, 1, 1, 1, 0, 0, 1}, random);
  checkCase({2, huge, huge, 3, 0, 2, 2, huge, huge, 1, 1, 1, 1, 0, 0, 2}, random);
  checkCase({2, 0, huge, 3, 2, 2, 2, 1, 1, 1, 1, 1, 1, 0, 0, 2}, random);
  checkCase({2, 3, 3, 3, 2, 2, 0, 1, 1, 1, 1, 1, 1, 0, 0, 2}, random);
}

}  // namespace
