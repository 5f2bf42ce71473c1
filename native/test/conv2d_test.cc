// Convolution and its gradients against plain loops in double.
#include "images.h"

namespace {

using namespace blasnet;
using namespace blasnet::test;

// What the kernels should give, for one set of operands.
struct Case2d {
  Images s;
  int64_t filters;
  Buffer<float> x, w, b, dy;
  std::vector<double> y, dx, dw;

  Case2d(const Images& images, int64_t filterCount, Random& random)
      : s(images),
        filters(filterCount),
        x(s.inputs(), random, -1, 1),
        w(s.patch() * filters, random, -1, 1),
        b(filters, random, -1, 1),
        dy(s.outPixels() * filters, random, -1, 1),
        y(static_cast<size_t>(s.outPixels() * filters)),
        dx(static_cast<size_t>(s.inputs())),
        dw(static_cast<size_t>(s.patch() * filters)) {
    compute();
  }

  void compute() {
    for (std::vector<double>* result : {&y, &dx, &dw}) std::fill(result->begin(), result->end(), 0);
    for (int64_t pixel = 0; pixel < s.outPixels(); pixel++) {
      const float* gradient = dy.data() + pixel * filters;
      s.forEachSeen(pixel, [&](int64_t ky, int64_t kx, int64_t position) {
        for (int64_t c = 0; c < s.channels; c++) {
          const int64_t weights = ((ky * s.windowWidth + kx) * s.channels + c) * filters;
          const double value = x[position + c];
          double back = 0;
          for (int64_t f = 0; f < filters; f++) {
            y[static_cast<size_t>(pixel * filters + f)] += value * w[weights + f];
            dw[static_cast<size_t>(weights + f)] += value * gradient[f];
            back += static_cast<double>(w[weights + f]) * gradient[f];
          }
          dx[static_cast<size_t>(position + c)] += back;
        }
      });
    }
  }

  Call forward(const KernelSet& set, const Buffer<float>& out, bool biased, int code) const {
    return imagesCall(set, Kernel::conv2dForward, std::tuple(&out, &x, &w, biased ? &b : nullptr), s,
                      std::tuple(filters, code, 0.2f, 0));
  }
  Call backwardInput(const KernelSet& set, const Buffer<float>& out) const {
    return imagesCall(set, Kernel::conv2dBackwardInput, std::tuple(&out, &dy, &w), s, std::tuple(filters, 0));
  }
  Call backwardParts(const KernelSet& set, const Buffer<float>& weights, const Buffer<float>* biases,
                     int64_t parts) const {
    return imagesCall(set, Kernel::conv2dBackwardWeight, std::tuple(&weights, biases, &x, &dy), s,
                      std::tuple(filters, s.patch(), parts, 0));
  }
  Call backwardWeight(const KernelSet& set, const Buffer<float>& out) const {
    return backwardParts(set, out, nullptr, 1).along(1);
  }
};

void checkAll(const Buffer<float>& actual, const std::vector<double>& expected, const char* what, const Images& s) {
  for (int64_t i = 0; i < actual.size(); i++) {
    CHECK_NEAR(actual[i], expected[static_cast<size_t>(i)], 1e-5, 2e-5,
               what + (" at " + std::to_string(i) + ", " + s.text()));
  }
  CHECK(actual.intact());
}

void checkCase(const Case2d& c) {
  std::vector<double> biased = c.y;
  for (size_t i = 0; i < biased.size(); i++) biased[i] += c.b[static_cast<int64_t>(i) % c.filters];
  for (const KernelSet* set : kernelSets()) {
    for (const bool split : {false, true}) {
      const auto run = [split](const Call& call) { split ? call.split() : call.whole(); };
      Buffer<float> y(c.dy.size()), withBias(c.dy.size()), dx(c.x.size()), dw(c.w.size());
      run(c.forward(*set, y, false, 0));
      run(c.forward(*set, withBias, true, 0));
      run(c.backwardInput(*set, dx));
      run(c.backwardWeight(*set, dw));
      checkAll(y, c.y, split ? "y in parts" : "y", c.s);
      checkAll(withBias, biased, split ? "y with bias in parts" : "y with bias", c.s);
      checkAll(dx, c.dx, split ? "dx in parts" : "dx", c.s);
      checkAll(dw, c.dw, split ? "dw in parts" : "dw", c.s);
    }
  }
}

// The shares of the images together give the whole.
void checkParts(const Case2d& c, int64_t parts) {
  for (const KernelSet* set : kernelSets()) {
    Buffer<float> weights(parts * c.w.size()), biases(parts * c.filters), dw(c.w.size()), db(c.filters),
        expected(c.filters);
    c.backwardParts(*set, weights, &biases, parts).split();
    Call(*set, Kernel::sumParts, dw, weights, dw.size(), parts).split();
    Call(*set, Kernel::sumParts, db, biases, db.size(), parts).whole();
    Call(*set, Kernel::denseBackwardBias, expected, c.dy, c.s.outPixels(), c.filters).whole();
    checkAll(dw, c.dw, "dw of the parts", c.s);
    for (int64_t f = 0; f < c.filters; f++) CHECK_NEAR(db[f], expected[f], 1e-5, 2e-5, c.s.text());
    CHECK(weights.intact() && biases.intact() && db.intact());
    Buffer<float> again(weights.size());
    c.backwardParts(*set, again, nullptr, parts).whole();
    CHECK(again.sameBits(weights));
    // Split by weights, each share has the bias.
    c.backwardParts(*set, dw, &db, 1).along(1).split();
    checkAll(dw, c.dw, "dw by weights", c.s);
    CHECK(dw.size() == 0 || db.sameBits(expected));
  }
}

TEST(conv2dByImages) {
  Random random(31);
  for (const int64_t parts : {1, 2, 3, 7}) {
    checkParts(Case2d({5, 9, 18, 1, 9, 18, 3, 3, 1, 1, 1, 1}, 2, random), parts);
    checkParts(Case2d({3, 8, 9, 4, 6, 7, 3, 3, 1, 1, 0, 0}, 20, random), parts);
    checkParts(Case2d({0, 8, 9, 4, 6, 7, 3, 3, 1, 1, 0, 0}, 6, random), parts);
  }
  checkParts(Case2d({0, 1 << 30, 1 << 30, 1 << 30, 1 << 30, 1 << 30, 0, 0, 1, 1, 0, 0}, 3, random), 2);
}

TEST(conv2dOfManyShapes) {
  Random random(21);
  const int64_t filters[] = {1, 5, 6, 16, 33};
  for (const Images& images : manyImages(20)) checkCase(Case2d(images, filters[random.word() % 5], random));
}

// Enough pixels for several blocks, patches that are cut in pieces, and the shapes where the patches are the input
// itself.
TEST(conv2dOfLargerShapes) {
  Random random(22);
  checkCase(Case2d({7, 28, 28, 1, 28, 28, 5, 5, 1, 1, 2, 2}, 6, random));
  checkCase(Case2d({5, 28, 28, 1, 13, 13, 3, 3, 2, 2, 0, 0}, 16, random));
  checkCase(Case2d({6, 14, 14, 6, 10, 10, 5, 5, 1, 1, 0, 0}, 16, random));
  checkCase(Case2d({2, 13, 13, 40, 13, 13, 3, 3, 1, 1, 1, 1}, 33, random));
  checkCase(Case2d({24, 10, 10, 1, 6, 6, 5, 5, 1, 1, 0, 0}, 40, random));
  checkCase(Case2d({2, 9, 9, 30, 9, 9, 3, 3, 1, 1, 1, 1}, 130, random));
  checkCase(Case2d({2, 9, 10, 40, 9, 10, 3, 3, 1, 1, 1, 1}, 64, random));
  checkCase(Case2d({2, 16, 26, 3, 16, 26, 3, 3, 1, 1, 1, 1}, 50, random));
  checkCase(Case2d({1, 37, 37, 3, 8, 8, 11, 11, 4, 4, 2, 2}, 24, random));
  checkCase(Case2d({3, 9, 8, 17, 9, 8, 1, 1, 1, 1, 0, 0}, 12, random));
  checkCase(Case2d({4, 5, 6, 16, 1, 1, 5, 6, 3, 2, 0, 0}, 20, random));
  checkCase(Case2d({2, 6, 6, 3, 3, 3, 1, 1, 2, 2, 0, 0}, 4, random));
  // Several bands of rows an image, and rows shorter than what a vector of filters reaches beyond.
  checkCase(Case2d({2, 30, 40, 8, 30, 40, 3, 3, 1, 1, 1, 1}, 8, random));
  checkCase(Case2d({3, 25, 60, 4, 12, 30, 5, 3, 2, 2, 2, 1}, 6, random));
  checkCase(Case2d({1, 5, 9, 1, 7, 11, 5, 2, 1, 1, 3, 0}, 1, random));
  checkCase(Case2d({2, 13, 17, 4, 5, 10, 1, 4, 3, 2, 0, 3}, 1, random));
  checkCase(Case2d({2, 3, 9, 1, 1, 8, 2, 4, 4096, 1, 3, 1}, 1, random));
  // Images that windows see a part of only.
  checkCase(Case2d({2, 30, 40, 1, 20, 18, 3, 3, 1, 1, 1, 1}, 2, random));
  checkCase(Case2d({2, 12, 14, 5, 6, 7, 3, 3, 1, 1, 1, 1}, 4, random));
}

// Whole and half tiles of Winograd's algorithm, padding and none on each side, windows beyond the end, blocks of
// several images and of a part of one, and rows of tiles that are as long as a block, and longer.
std::vector<std::pair<Images, int64_t>> winogradCases() {
  std::vector<std::pair<Images, int64_t>> all = {
      {{3, 14, 14, 32, 14, 14, 3, 3, 1, 1, 1, 1}, 32}, {{9, 7, 7, 64, 7, 7, 3, 3, 1, 1, 1, 1}, 64},
      {{2, 28, 28, 16, 28, 28, 3, 3, 1, 1, 1, 1}, 16}, {{2, 9, 8, 48, 7, 6, 3, 3, 1, 1, 0, 0}, 80},
      {{2, 6, 5, 128, 8, 7, 3, 3, 1, 1, 2, 2}, 64},    {{1, 4, 6, 64, 5, 4, 3, 3, 1, 1, 1, 0}, 128},
      {{2, 3, 4, 16, 6, 9, 3, 3, 1, 1, 0, 2}, 48},     {{40, 3, 3, 16, 3, 3, 3, 3, 1, 1, 1, 1}, 16},
      {{2, 8, 8, 32, 5, 3, 3, 3, 1, 1, 1, 1}, 16}};
  if (!slowRun()) all.push_back({{2, 14, 14, 112, 14, 14, 3, 3, 1, 1, 1, 1}, 96});
  for (const int64_t width : {47, 48, 49, 111, 112, 113}) {
    all.push_back({{2, 5, width, 16, 5, width, 3, 3, 1, 1, 1, 1}, 16});
  }
  return all;
}

TEST_ALONE(conv2dByWinograd) {
  Random random(32);
  for (const auto& [s, filters] : winogradCases()) checkCase(Case2d(s, filters, random));
  checkParts(Case2d({5, 9, 8, 32, 9, 8, 3, 3, 1, 1, 1, 1}, 48, random), 3);
}

// An image has the same bits in every batch and share.
TEST(conv2dByWinogradOfSingleImages) {
  Random random(33);
  for (const auto& [s, filters] : winogradCases()) {
    const Case2d c(s, filters, random);
    for (const KernelSet* set : kernelSets()) {
      Buffer<float> whole(c.dy.size()), single(c.dy.size());
      c.forward(*set, whole, true, 1).whole();
      for (int64_t image = 0; image < s.rows; image++) c.forward(*set, single, true, 1).range(image, image + 1);
      CHECK(single.sameBits(whole));
    }
  }
}

// The errors that docs/numerics.md states: the largest one, in roundings of the sum of the products' magnitudes.
TEST_ALONE(conv2dByWinogradIsAccurate) {
  Random random(34);
  for (const auto& [s, filters] : winogradCases()) {
    const Case2d c(s, filters, random);
    Case2d sizes = c;
    for (Buffer<float>* operand : {&sizes.x, &sizes.w, &sizes.dy}) {
      for (int64_t i = 0; i < operand->size(); i++) (*operand)[i] = std::fabs((*operand)[i]);
    }
    sizes.compute();
    const auto worst = [](const Buffer<float>& actual, const std::vector<double>& expected,
                          const std::vector<double>& magnitudes) {
      double most = 0;
      for (size_t i = 0; i < expected.size(); i++) {
        const double error = std::fabs(actual[static_cast<int64_t>(i)] - expected[i]);
        if (magnitudes[i] > 0) most = std::max(most, error / magnitudes[i]);
      }
      return most * 0x1p24;
    };
    for (const KernelSet* set : kernelSets()) {
      Buffer<float> y(c.dy.size()), dw(c.w.size());
      c.forward(*set, y, false, 0).whole();
      c.backwardWeight(*set, dw).whole();
      CHECK(worst(y, c.y, sizes.y) < 6);
      CHECK(worst(dw, c.dw, sizes.dw) < 8);
    }
  }
}

// A pixel that is no number reaches all outputs that see it, and none whose tile does not.
TEST(conv2dByWinogradKeepsNaN) {
  const Images s = {2, 10, 9, 16, 10, 9, 3, 3, 1, 1, 1, 1};
  constexpr int64_t filters = 32, channel = 5;
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    for (int64_t pixel = s.width * s.height; pixel < 2 * s.width * s.height; pixel += 7) {
      Random random(35);
      Case2d c(s, filters, random);
      c.x[pixel * s.channels + channel] = bad;
      std::vector<bool> sees(static_cast<size_t>(s.outPixels())), near = sees;
      for (int64_t out = 0; out < s.outPixels(); out++) {
        const auto visit = [&](int64_t, int64_t, int64_t at) {
          if (at == pixel * s.channels) sees[static_cast<size_t>(out)] = true;
        };
        s.forEachSeen(out, visit);
        if (!sees[static_cast<size_t>(out)]) continue;
        const int64_t oy = out / s.outWidth % s.outHeight / 2 * 2, ox = out % s.outWidth / 2 * 2;
        for (int64_t i = 0; i < 4; i++) {
          if (oy + i / 2 >= s.outHeight || ox + i % 2 >= s.outWidth) continue;
          near[static_cast<size_t>((s.outHeight + oy + i / 2) * s.outWidth + ox + i % 2)] = true;
        }
      }
      for (const KernelSet* set : kernelSets()) {
        Buffer<float> y(c.dy.size()), dw(c.w.size());
        c.forward(*set, y, true, 0).whole();
        c.backwardWeight(*set, dw).whole();
        for (int64_t i = 0; i < y.size(); i++) {
          const auto out = static_cast<size_t>(i / filters);
          if (sees[out]) CHECK(!std::isfinite(y[i]));
          if (!near[out]) CHECK(std::isfinite(y[i]));
        }
        for (int64_t i = 0; i < dw.size(); i++) {
          if (i / filters % s.channels != channel) CHECK(std::isfinite(dw[i]));
        }
        s.forEachSeen(pixel, [&](int64_t ky, int64_t kx, int64_t) {  // the windows around it see it at all places
          for (int64_t f = 0; f < filters; f++) {
            CHECK(!std::isfinite(dw[((ky * 3 + kx) * s.channels + channel) * filters + f]));
          }
        });
      }
    }
  }
}

// One channel and few filters, whose rows of pixels fill one vector, some, or a part of the last one.
TEST(conv2dOfFewFilters) {
  Random random(27);
  for (int64_t filters = 1; filters <= 9; filters++) {
    for (const int64_t width : {7, 8, 15, 16, 17, 28, 32, 33, 50}) {
      const int64_t window = 1 + random.word() % 5, pad = random.word() % 3, stride = 1 + random.word() % 3;
      const int64_t height = 9 + random.word() % 3;
      checkCase(Case2d({3, height, width, 1, outputSize(height, window, stride, pad, random),
                        width + 2 * pad - window + 1, window, window, stride, 1, pad, pad},
                       filters, random));
    }
  }
}

// Windows whose rows fill one to four vectors of any instruction set, and a part of the last one, of one row and of
// many.
TEST(conv2dOfShortWindows) {
  Random random(28);
  for (int64_t row = 1; row <= 66; row += 1 + random.word() % 4) {
    const int64_t width = 1 + random.word() % 5, channels = (row + width - 1) / width, height = 1 + random.word() % 8;
    const int64_t stride = 1 + random.word() % 3, padTop = random.word() % 3, padLeft = random.word() % 3;
    checkCase(Case2d({2, 10, 11, channels, outputSize(10, height, stride, padTop, random),
                      outputSize(11, width, stride, padLeft, random), height, width, stride, stride, padTop, padLeft},
                     1 + random.word() % 20, random));
  }
}

// Sizes of zero, and sizes that no layer would request: all pixels are padding, strides and windows of zero, windows
// whose far ends are out of reach of 32 bits.
TEST(conv2dOfStrangeShapes) {
  Random random(23);
  checkCase(Case2d({0, 4, 4, 2, 4, 4, 3, 3, 1, 1, 1, 1}, 3, random));
  checkCase(Case2d({2, 0, 4, 2, 1, 4, 3, 3, 1, 1, 1, 1}, 3, random));
  checkCase(Case2d({2, 4, 4, 0, 4, 4, 3, 3, 1, 1, 1, 1}, 3, random));
  checkCase(Case2d({2, 4, 4, 2, 0, 4, 3, 3, 1, 1, 1, 1}, 3, random));
  checkCase(Case2d({2, 4, 4, 2, 4, 4, 0, 3, 1, 1, 1, 1}, 3, random));
  checkCase(Case2d({2, 4, 4, 1, 4, 4, 3, 0, 1, 1, 1, 1}, 3, random));
  for (const int64_t channels : {1, 2, 16}) {
    checkCase(Case2d({2, 4, 4, channels, 3, 3, 2, 2, 0, 0, 0, 0}, 3, random));
    checkCase(Case2d({2, 4, 4, channels, 3, 3, 2, 2, 1, 1, 9, 9}, 3, random));
    checkCase(Case2d({2, 4, 4, channels, 3, 3, 2, 2, INT32_MAX, INT32_MAX, 0, 0}, 3, random));
    checkCase(Case2d({2, 4, 4, channels, 3, 3, 2, 2, 1, 1, INT32_MAX, INT32_MAX}, 3, random));
    checkCase(Case2d({1, 1, 1, channels, 2, 2, 2, 70, 1, 1, 1, 69}, 3, random));
    checkCase(Case2d({2, 4, 4, channels, 3, 3, 2, 2, 1, 1, 0, 9}, 3, random));
    checkCase(Case2d({2, 4, 4, channels, 3, 20, 2, 2, 1, 1, 0, INT32_MAX}, 2, random));
  }
}

TEST(conv2dAppliesActivations) {
  Random random(24);
  const std::pair<Images, int64_t> cases[] = {{{3, 9, 9, 2, 9, 9, 3, 3, 1, 1, 1, 1}, 7},
                                              {{3, 9, 9, 2, 9, 9, 1, 1, 1, 1, 0, 0}, 7},
                                              {{3, 20, 21, 1, 20, 21, 3, 3, 1, 1, 1, 1}, 2}};
  for (const auto& [s, filters] : cases) {
    const Case2d c(s, filters, random);
    for (const KernelSet* set : kernelSets()) {
      for (int code = 0; code < activationCount; code++) {
        const int64_t n = c.dy.size();
        Buffer<float> y(n), expected(n);
        c.forward(*set, y, true, code).whole();
        c.forward(*set, expected, true, 0).whole();
        if (code == 2 || code == 3) {
          Call(*set, activationKernels[code], expected, expected, n, 0.2f).whole();
        } else {
          Call(*set, activationKernels[code], expected, expected, n).whole();
        }
        for (int64_t i = 0; i < n; i++) CHECK_NEAR(y[i], expected[i], 1e-6, 1e-7, format("activation %d", code));
      }
    }
  }
}

// A patch larger than the weight, as a caller of the kernel could claim: rows of dw beyond it are some finite numbers
// or zeros, and nothing outside the image is read.
TEST(conv2dBackwardWeightOfTooLargeAPatch) {
  Random random(25);
  for (const Images& s : {Images{2, 3, 3, 2, 3, 3, 3, 3, 1, 1, 1, 1}, Images{2, 3, 3, 1, 3, 3, 1, 1, 1, 1, 0, 0}}) {
    const Case2d c(s, 4, random);
    for (const KernelSet* set : kernelSets()) {
      const int64_t patch = 3 * s.patch() + 1;
      Buffer<float> dw(patch * c.filters);
      const Buffer<float>* none = nullptr;
      imagesCall(*set, Kernel::conv2dBackwardWeight, std::tuple(&dw, none, &c.x, &c.dy), s,
                 std::tuple(c.filters, patch, 1, 0))
          .along(1)
          .whole();
      for (int64_t i = 0; i < dw.size(); i++) CHECK(std::isfinite(dw[i]));
      CHECK(dw.intact());
    }
  }
}

// A NaN reaches the outputs that see it and no other.
TEST(conv2dKeepsNaN) {
  const std::pair<Images, int64_t> cases[] = {{{1, 5, 5, 2, 5, 5, 3, 3, 1, 1, 1, 1}, 3},
                                              {{1, 6, 21, 1, 6, 21, 3, 3, 1, 1, 1, 1}, 2}};
  for (const auto& [s, filters] : cases) {
    Random random(26);
    Case2d c(s, filters, random);
    c.x[(2 * s.width + 1) * s.channels] = std::numeric_limits<float>::quiet_NaN();
    for (const KernelSet* set : kernelSets()) {
      for (int code = 0; code < activationCount; code++) {
        Buffer<float> y(c.dy.size());
        c.forward(*set, y, true, code).whole();
        for (int64_t i = 0; i < y.size(); i++) {
          const int64_t oy = i / filters / s.outWidth, ox = i / filters % s.outWidth;
          CHECK(std::isnan(y[i]) == (oy >= 1 && oy <= 3 && ox <= 2));
        }
      }
    }
  }
}

// Weights that are multiplied by an infinite pixel once are infinite, not NaN.
TEST(conv2dBackwardWeightOfInfinity) {
  Random random(30);
  for (const int64_t width : {9, 17, 18, 28}) {
    Case2d c({1, 9, width, 1, 9, width, 3, 3, 1, 1, 1, 1}, 2, random);
    for (int64_t i = 0; i < c.dy.size(); i++) c.dy[i] = c.dy[i] == 0 ? 1 : c.dy[i];
    for (int64_t column = 3; column < width - 3; column++) {
      const float before = c.x[4 * width + column];
      c.x[4 * width + column] = std::numeric_limits<float>::infinity();
      for (const KernelSet* set : kernelSets()) {
        Buffer<float> dw(c.w.size());
        c.backwardWeight(*set, dw).whole();
        for (int64_t i = 0; i < dw.size(); i++) CHECK(std::isinf(dw[i]));
      }
      c.x[4 * width + column] = before;
    }
  }
}

// An infinite gradient reaches the inputs of its window and the weights multiplied by them, and no other.
TEST(conv2dKeepsInfinity) {
  const double infinity = std::numeric_limits<double>::infinity();
  for (const auto& [s, filters] : {std::pair(Images{2, 6, 7, 5, 6, 7, 3, 3, 1, 1, 1, 1}, 4),
                                   std::pair(Images{2, 9, 20, 1, 9, 20, 3, 3, 1, 1, 1, 1}, 2)}) {
    Random random(29);
    Case2d c(s, filters, random);
    const int64_t pixel = s.outWidth + 2;
    c.dy[pixel * filters + 1] = static_cast<float>(infinity);
    std::vector<bool> met(c.dx.size());
    s.forEachSeen(pixel, [&](int64_t, int64_t, int64_t position) {
      for (int64_t i = 0; i < s.channels; i++) met[static_cast<size_t>(position + i)] = true;
    });
    for (const KernelSet* set : kernelSets()) {
      Buffer<float> dx(c.x.size()), dw(c.w.size());
      c.backwardInput(*set, dx).whole();
      c.backwardWeight(*set, dw).whole();
      for (int64_t i = 0; i < dx.size(); i++) CHECK(std::isfinite(dx[i]) != met[static_cast<size_t>(i)]);
      for (int64_t i = 0; i < dw.size(); i++) CHECK(std::isfinite(dw[i]) == (i % filters != 1));
    }
  }
}

}  // namespace
