// Threefry against its published vectors, and dropout against Threefry.
#define BLASNET_SIMD testing
#include "../kernels/threefry.h"

#include <numbers>

#include "test.h"

namespace {

using namespace blasnet;
using namespace blasnet::test;

struct Words {
  uint32_t first, second;
};

// Written from the paper, for one counter.
Words reference(uint32_t counter0, uint32_t counter1, uint32_t key0, uint32_t key1) {
  constexpr uint32_t rotations[2][4] = {{13, 15, 26, 6}, {17, 29, 16, 24}};
  const uint32_t keys[3] = {key0, key1, 0x1bd11bda ^ key0 ^ key1};
  uint32_t a = counter0 + key0, b = counter1 + key1;
  for (uint32_t round = 0; round < 20; round++) {
    const uint32_t bits = rotations[round / 4 % 2][round % 4];
    a += b;
    b = ((b << bits) | (b >> (32 - bits))) ^ a;
    if (round % 4 == 3) {
      const uint32_t injection = round / 4 + 1;
      a += keys[injection % 3];
      b += keys[(injection + 1) % 3] + injection;
    }
  }
  return {a, b};
}

TEST(threefryKnownAnswers) {
  struct {
    uint32_t counter[2], key[2], words[2];
  } const vectors[] = {
      {{0, 0}, {0, 0}, {0x6b200159, 0x99ba4efe}},
      {{0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}, {0x1cb996fc, 0xbb002be7}},
      {{0x243f6a88, 0x85a308d3}, {0x13198a2e, 0x03707344}, {0xc4923a9c, 0x483df7a0}},
  };
  for (const auto& v : vectors) {
    uint32_t first[testing::threefryLanes], second[testing::threefryLanes];
    testing::threefry(first, second, v.counter[0], v.counter[1], v.key[0], v.key[1]);
    CHECK(first[0] == v.words[0] && second[0] == v.words[1]);
    for (uint32_t lane = 0; lane < testing::threefryLanes; lane++) {
      const Words words = reference(v.counter[0] + lane, v.counter[1], v.key[0], v.key[1]);
      CHECK(first[lane] == words.first && second[lane] == words.second);
    }
  }
}

TEST(dropout) {
  Random random(8);
  const uint32_t seed = 12345, stream = 7, step = 3, threshold = 858993459;  // p = 0.2
  const float scale = 1.25f;
  for (const KernelSet* set : kernelSets()) {
    for (const int64_t n : sizes) {
      Buffer<float> x(n, random, -1, 1), y(n), mask(n), yParts(n), maskParts(n);
      Call(*set, Kernel::dropoutForward, y, mask, x, n, threshold, scale, seed, stream, step).whole();
      for (int64_t i = 0; i < n; i++) {
        const Words words = reference(static_cast<uint32_t>((i >> 5) * 16 + (i & 15)), step, seed, stream);
        const float expected = ((i & 16) == 0 ? words.first : words.second) < threshold ? 0.0f : scale;
        CHECK(mask[i] == expected && y[i] == x[i] * expected);
      }
      Call(*set, Kernel::dropoutForward, yParts, maskParts, x, n, threshold, scale, seed, stream, step).split();
      CHECK(y.sameBits(yParts) && mask.sameBits(maskParts));
      CHECK(y.intact() && mask.intact() && yParts.intact() && maskParts.intact());
      Call(*set, Kernel::dropoutForward, x, mask, x, n, threshold, scale, seed, stream, step).whole();
      CHECK(x.sameBits(y));
    }
  }
}

TEST(dropoutMask) {
  Random random(9);
  for (const KernelSet* set : kernelSets()) {
    for (const int64_t n : sizes) {
      Buffer<float> x(n, random, -1, 1), y(n), mask(n), alone(n), parts(n);
      Call(*set, Kernel::dropoutForward, y, mask, x, n, 858993459u, 1.25f, 12345u, 7u, 3u).whole();
      Call(*set, Kernel::dropoutMask, alone, n, 858993459u, 1.25f, 12345u, 7u, 3u).whole();
      Call(*set, Kernel::dropoutMask, parts, n, 858993459u, 1.25f, 12345u, 7u, 3u).split();
      CHECK(alone.sameBits(mask) && parts.sameBits(mask) && alone.intact() && parts.intact());
    }
  }
}

TEST(multiplyChannels) {
  Random random(10);
  for (const KernelSet* set : kernelSets()) {
    for (const int64_t channels : {0, 1, 3, 16, 17, 130}) {
      for (const int64_t pixels : {0, 1, 9}) {
        constexpr int64_t rows = 7;
        const int64_t n = rows * pixels * channels;
        Buffer<float> x(n, random, -1, 1), factors(rows * channels, random, -1, 1), y(n), parts(n);
        Call(*set, Kernel::multiplyChannels, y, x, factors, rows, pixels, channels).whole();
        Call(*set, Kernel::multiplyChannels, parts, x, factors, rows, pixels, channels).split();
        for (int64_t i = 0; i < n; i++)
          CHECK(y[i] == x[i] * factors[i / (pixels * channels) * channels + i % channels]);
        CHECK(y.sameBits(parts) && y.intact() && parts.intact());
        Call(*set, Kernel::multiplyChannels, x, x, factors, rows, pixels, channels).split();
        CHECK(x.sameBits(y));
      }
    }
  }
}

TEST(gaussianNoise) {
  Random random(11);
  const uint32_t seed = 12345, stream = 7, step = 3;
  const float deviation = 0.75f;
  for (const KernelSet* set : kernelSets()) {
    for (const int64_t n : sizes) {
      Buffer<float> x(n, random, -1, 1), y(n), parts(n);
      Call(*set, Kernel::gaussianNoise, y, x, n, deviation, seed, stream, step).whole();
      for (int64_t i = 0; i < n; i++) {
        const Words words = reference(static_cast<uint32_t>((i >> 5) * 16 + (i & 15)), step, seed, stream);
        const double radius = std::sqrt(-2 * std::log(((words.first >> 9) + 0.5) * 0x1p-23));
        const double angle = 2 * std::numbers::pi * (words.second >> 6) * 0x1p-26;
        const double normal = radius * ((i & 16) == 0 ? std::cos(angle) : std::sin(angle));
        CHECK_NEAR(y[i], x[i] + deviation * normal, 5e-7, 1e-6, "noise");
      }
      Call(*set, Kernel::gaussianNoise, parts, x, n, deviation, seed, stream, step).split();
      CHECK(y.sameBits(parts) && y.intact() && parts.intact());
      Call(*set, Kernel::gaussianNoise, x, x, n, deviation, seed, stream, step).whole();
      CHECK(x.sameBits(y));
    }
  }
}

TEST(dropoutRate) {
  constexpr int64_t n = 100000;
  Buffer<float> x(n), y(n), mask(n);
  for (int64_t i = 0; i < n; i++) x[i] = 1;
  for (const KernelSet* set : kernelSets()) {
    for (const double p : {0.0, 0.1, 0.5, 0.9}) {
      Call(*set, Kernel::dropoutForward, y, mask, x, n, static_cast<uint32_t>(p * 0x1p32), 1 / (1 - p), 1, 2, 3)
          .whole();
      double dropped = 0;
      for (int64_t i = 0; i < n; i++) dropped += mask[i] == 0;
      CHECK_NEAR(dropped / n, p, 0, 5 * std::sqrt(p * (1 - p) / n), "share of dropped elements");
    }
  }
}

}  // namespace
