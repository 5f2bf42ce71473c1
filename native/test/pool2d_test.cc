// Pooling and its gradients against plain loops.
#include "images.h"

namespace {

using namespace blasnet;
using namespace blasnet::test;

constexpr float nan = std::numeric_limits<float>::quiet_NaN();
constexpr float inf = std::numeric_limits<float>::infinity();

// The largest value of a window, or its first NaN, and where it is in the image; 0 and -1 for a window outside.
struct Largest {
  float value = 0;
  int64_t position = -1;
};

Largest largest(const Images& s, const Buffer<float>& x, int64_t pixel, int64_t channel) {
  const int64_t imageSize = s.height * s.width * s.channels;
  Largest best;
  s.forEachSeen(pixel, [&](int64_t, int64_t, int64_t position) {
    const float value = x[position + channel];
    if (best.position >= 0 && (std::isnan(best.value) || value <= best.value)) return;
    best = {value, (position + channel) % imageSize};
  });
  return best;
}

void checkMax(const Images& s, const Buffer<float>& x, const Buffer<float>& dy) {
  const int64_t n = s.outPixels() * s.channels, imageSize = s.height * s.width * s.channels;
  Buffer<float> expected(n);
  Buffer<int32_t> positions(n);
  std::vector<double> gradient(static_cast<size_t>(s.inputs()));
  for (int64_t i = 0; i < n; i++) {
    const Largest best = largest(s, x, i / s.channels, i % s.channels);
    expected[i] = best.value;
    positions[i] = static_cast<int32_t>(best.position);
    const int64_t image = i / s.channels / (s.outHeight * s.outWidth);
    if (best.position >= 0) gradient[static_cast<size_t>(image * imageSize + best.position)] += dy[i];
  }
  for (const KernelSet* set : kernelSets()) {
    for (const bool split : {false, true}) {
      const auto run = [split](const Call& call) { split ? call.split() : call.whole(); };
      Buffer<float> y(n), dx(s.inputs());
      Buffer<int32_t> winner(n);
      run(imagesCall(*set, Kernel::maxPool2dForward, std::tuple(&y, &winner, &x), s));
      run(imagesCall(*set, Kernel::maxPool2dBackward, std::tuple(&dx, &dy, &winner), s));
      check(winner.sameBits(positions), __FILE__, __LINE__, "winners, " + s.text());
      for (int64_t i = 0; i < n; i++) CHECK_NEAR(y[i], expected[i], 0, 0, "largest, " + s.text());
      for (int64_t i = 0; i < dx.size(); i++)
        CHECK_NEAR(dx[i], gradient[static_cast<size_t>(i)], 1e-6, 1e-6, "dx, " + s.text());
      CHECK(y.intact() && winner.intact() && dx.intact());
    }
  }
}

void checkAverage(const Images& s, const Buffer<float>& x, const Buffer<float>& dy) {
  const int64_t n = s.outPixels() * s.channels;
  std::vector<double> mean(static_cast<size_t>(n)), gradient(static_cast<size_t>(s.inputs()));
  for (int64_t pixel = 0; pixel < s.outPixels(); pixel++) {
    double count = 0;
    s.forEachSeen(pixel, [&](int64_t, int64_t, int64_t) { count++; });
    s.forEachSeen(pixel, [&](int64_t, int64_t, int64_t position) {
      for (int64_t c = 0; c < s.channels; c++) {
        mean[static_cast<size_t>(pixel * s.channels + c)] += x[position + c] / count;
        gradient[static_cast<size_t>(position + c)] += dy[pixel * s.channels + c] / count;
      }
    });
  }
  for (const KernelSet* set : kernelSets()) {
    for (const bool split : {false, true}) {
      const auto run = [split](const Call& call) { split ? call.split() : call.whole(); };
      Buffer<float> y(n), dx(s.inputs());
      run(imagesCall(*set, Kernel::avgPool2dForward, std::tuple(&y, &x), s));
      run(imagesCall(*set, Kernel::avgPool2dBackward, std::tuple(&dx, &dy), s));
      for (int64_t i = 0; i < n; i++) CHECK_NEAR(y[i], mean[static_cast<size_t>(i)], 1e-6, 1e-6, "mean, " + s.text());
      for (int64_t i = 0; i < dx.size(); i++)
        CHECK_NEAR(dx[i], gradient[static_cast<size_t>(i)], 1e-6, 1e-6, "dx, " + s.text());
      CHECK(y.intact() && dx.intact());
    }
  }
}

void checkPools(const Images& s, Random& random) {
  Buffer<float> x(s.inputs(), random, -1, 1), dy(s.outPixels() * s.channels, random, -1, 1);
  checkAverage(s, x, dy);
  checkMax(s, x, dy);
  for (int64_t i = 0; i < x.size(); i++) x[i] = static_cast<float>(static_cast<int>(2 * x[i]));  // many ties
  checkMax(s, x, dy);
  for (int64_t i = 0; i < x.size(); i++) {
    if (random.word() % 4 == 0) x[i] = random.word() % 2 ? -inf : nan;
  }
  checkMax(s, x, dy);
}

TEST(poolsOfManyShapes) {
  Random random(31);
  for (const Images& images : manyImages(30)) checkPools(images, random);
}

TEST(poolsOfAllChannelCounts) {
  Random random(32);
  for (int64_t channels = 1; channels <= 40; channels++) {
    checkPools({3, 6, 6, channels, 3, 3, 2, 2, 2, 2, 0, 0}, random);
    checkPools({2, 5, 5, channels, 1, 1, 5, 5, 1, 1, 0, 0}, random);
  }
}

TEST(poolsOfStrangeShapes) {
  Random random(33);
  checkPools({0, 4, 4, 2, 2, 2, 2, 2, 2, 2, 0, 0}, random);
  checkPools({2, 4, 4, 0, 2, 2, 2, 2, 2, 2, 0, 0}, random);
  checkPools({2, 0, 4, 3, 2, 2, 2, 2, 2, 2, 0, 0}, random);
  checkPools({2, 4, 4, 3, 2, 2, 0, 2, 2, 2, 0, 0}, random);
  checkPools({2, 4, 4, 3, 2, 2, 2, 2, 0, 0, 0, 0}, random);
  checkPools({2, 4, 4, 3, 3, 3, 2, 2, 2, 2, 50, 50}, random);
  checkPools({2, 4, 4, 3, 3, 3, 2, 2, INT32_MAX, INT32_MAX, 0, 0}, random);
}

// A group of channels that reaches beyond its pixel stays inside the storage, and inside the images of its range:
// others may be in the hands of another thread.
TEST(poolsStayInTheirImages) {
  for (const KernelSet* set : kernelSets()) {
    for (int64_t channels = 1; channels <= 17; channels++) {
      const Images s = {3, 4, 4, channels, 2, 2, 2, 2, 2, 2, 0, 0};
      const int64_t size = 16 * channels, outSize = 4 * channels;
      const std::vector<float> x(static_cast<size_t>(size), 1.0f);  // the second image alone, of exact length
      std::vector<float> y(static_cast<size_t>(outSize));
      std::vector<int32_t> winner(static_cast<size_t>(outSize));
      for (const bool largest : {true, false}) {
        std::vector<Argument> arguments = {{.pointer = y.data() - outSize}};
        if (largest) arguments.push_back({.pointer = winner.data() - outSize});
        arguments.push_back({.pointer = const_cast<float*>(x.data()) - size});
        for (const int64_t value : {s.rows, s.height, s.width, s.channels, s.outHeight, s.outWidth, s.windowHeight,
                                    s.windowWidth, s.strideHeight, s.strideWidth, s.padTop, s.padLeft}) {
          arguments.push_back({.integer = value});
        }
        const Kernel kernel = largest ? Kernel::maxPool2dForward : Kernel::avgPool2dForward;
        set->functions[static_cast<int>(kernel)](arguments.data(), 0, 1, 2);
        for (const float value : y) CHECK(value == 1);
      }
    }
  }
}

TEST(maxPoolBackwardIgnoresWinnersOutside) {
  const Images s = {2, 4, 4, 3, 2, 2, 2, 2, 2, 2, 0, 0};
  const int64_t n = s.outPixels() * s.channels, imageSize = s.height * s.width * s.channels;
  Buffer<float> dy(n), dx(s.inputs());
  Buffer<int32_t> winner(n);
  const int32_t outside[] = {-1, INT32_MIN, static_cast<int32_t>(imageSize), INT32_MAX};
  for (int64_t i = 0; i < n; i++) {
    dy[i] = 1;
    winner[i] = i % 2 == 0 ? outside[i / 2 % 4] : static_cast<int32_t>(imageSize - 1);
  }
  for (const KernelSet* set : kernelSets()) {
    imagesCall(*set, Kernel::maxPool2dBackward, std::tuple(&dx, &dy, &winner), s).whole();
    for (int64_t i = 0; i < dx.size(); i++)
      CHECK(dx[i] == (i % imageSize == imageSize - 1 ? static_cast<float>(n / 4) : 0.0f));
    CHECK(dx.intact());
  }
}

// The mean of many like pixels keeps float's precision.
TEST(avgPoolOfALargeWindow) {
  constexpr int64_t side = 300, channels = 2;
  const Images s = {1, side, side, channels, 1, 1, side, side, 1, 1, 0, 0};
  Buffer<float> x(s.inputs()), y(channels);
  for (int64_t i = 0; i < x.size(); i++) x[i] = 0.1f;
  for (const KernelSet* set : kernelSets()) {
    imagesCall(*set, Kernel::avgPool2dForward, std::tuple(&y, &x), s).whole();
    for (int64_t c = 0; c < channels; c++) CHECK_NEAR(y[c], 0.1f, 3e-6, 0, "mean");
  }
}

}  // namespace
