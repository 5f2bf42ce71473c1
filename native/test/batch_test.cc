// The gathers and the permutation.
#include "../kernels/share.h"
#include "test.h"

namespace {

using namespace blasnet;
using namespace blasnet::test;

constexpr float inf = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

Buffer<int32_t> randomOrder(Random& random, int64_t rows, int64_t sourceRows) {
  Buffer<int32_t> order(rows);
  for (int64_t i = 0; i < rows; i++) order[i] = static_cast<int32_t>(random.word() % static_cast<uint32_t>(sourceRows));
  return order;
}

// Every set gives the same bits: those of the exact result rounded once to double and once to float.
template <typename T>
void gathers(Kernel kernel, double low, double high) {
  Random random(9);
  for (const KernelSet* set : kernelSets()) {
    for (const int64_t features : sizes) {
      for (const float offset : {0.0f, -0.1307f}) {
        const int64_t rows = 13, sourceRows = 29;
        const float scale = 1.0f / 255;
        Buffer<T> source(sourceRows * features, random, low, high);
        const Buffer<int32_t> order = randomOrder(random, rows, sourceRows);
        Buffer<float> x(rows * features), inParts(rows * features);
        Call(*set, kernel, x, source, order, rows, features, sourceRows, scale, offset).whole();
        for (int64_t i = 0; i < rows; i++) {
          for (int64_t j = 0; j < features; j++) {
            const double value = static_cast<double>(source[order[i] * features + j]);
            CHECK(x[i * features + j] ==
                  static_cast<float>(value * static_cast<double>(scale) + static_cast<double>(offset)));
          }
        }
        Call(*set, kernel, inParts, source, order, rows, features, sourceRows, scale, offset).split();
        CHECK(x.sameBits(inParts) && x.intact() && inParts.intact());
      }
    }
  }
}

TEST(gatherBytes) { gathers<uint8_t>(Kernel::gatherBytes, 0, 256); }
TEST(gatherFloats) { gathers<float>(Kernel::gatherFloats, -300, 300); }

TEST(gatherBytesParts) {
  Random random(11);
  for (const KernelSet* set : kernelSets()) {
    for (const int64_t features : {1, 47, 784}) {
      for (const int64_t parts : {1, 2, 3}) {
        const int64_t rows = 13, sourceRows = 29;
        Buffer<uint8_t> source(sourceRows * features, random, 0, 256);
        const Buffer<int32_t> order = randomOrder(random, rows, sourceRows);
        Buffer<float> x(rows * features), inParts(rows * features);
        Call(*set, Kernel::gatherBytesParts, x, source, order, rows, features, sourceRows, parts, 1.0f, 0.0f).whole();
        for (int64_t part = 0; part < parts; part++) {
          const Share mine = share(features, 16, part, parts);
          for (int64_t i = 0; i < rows; i++) {
            for (int64_t j = mine.begin; j < mine.end; j++) {
              const int64_t place = mine.begin * rows + i * (mine.end - mine.begin) + j - mine.begin;
              CHECK(x[place] == static_cast<float>(source[order[i] * features + j]));
            }
          }
        }
        Call(*set, Kernel::gatherBytesParts, inParts, source, order, rows, features, sourceRows, parts, 1.0f, 0.0f)
            .split();
        CHECK(x.sameBits(inParts) && x.intact() && inParts.intact());
      }
    }
  }
}

TEST(gathersMarkBadRows) {
  for (const KernelSet* set : kernelSets()) {
    for (const int64_t features : {1, 16, 37}) {
      const int64_t rows = 6, sourceRows = 4;
      Buffer<float> source(sourceRows * features), x(rows * features);
      Buffer<uint8_t> bytes(sourceRows * features);
      Buffer<int32_t> order(rows), labels(sourceRows), gathered(rows);
      for (int64_t i = 0; i < sourceRows * features; i++) source[i] = 1;
      for (int64_t i = 0; i < sourceRows; i++) labels[i] = static_cast<int32_t>(10 + i);
      source[1 * features + features - 1] = inf;
      source[2 * features] = nan;
      const int32_t indices[] = {0, 1, 2, 3, -1, 4};
      for (int64_t i = 0; i < rows; i++) order[i] = indices[i];
      Call(*set, Kernel::gatherFloats, x, source, order, rows, features, sourceRows, 2.0f, 0.0f).whole();
      for (int64_t i = 0; i < rows; i++) {
        for (int64_t j = 0; j < features; j++)
          CHECK(i == 0 || i == 3 ? x[i * features + j] == 2 : std::isnan(x[i * features + j]));
      }
      Call(*set, Kernel::gatherBytes, x, bytes, order, rows, features, sourceRows, 1.0f, 0.0f).whole();
      for (int64_t j = 0; j < features; j++)
        CHECK(x[j] == 0x5a && std::isnan(x[4 * features + j]) && std::isnan(x[5 * features + j]));
      Call(*set, Kernel::gatherLabels, gathered, labels, order, rows, sourceRows).split();
      const int32_t expected[] = {10, 11, 12, 13, -1, -1};
      CHECK(std::memcmp(gathered.data(), expected, sizeof expected) == 0 && gathered.intact());
    }
  }
}

TEST(permutation) {
  for (const int64_t n : {0, 1, 2, 3, 10, 31, 32, 33, 34, 100, 1000, 60000}) {
    Buffer<int32_t> first(n);
    for (const KernelSet* set : kernelSets()) {
      Buffer<int32_t> order(n), other(n);
      Call(*set, Kernel::permutation, order, n, 1u, 2u, 3u).whole();
      std::vector<bool> seen(static_cast<size_t>(n));
      for (int64_t i = 0; i < n; i++) {
        CHECK(order[i] >= 0 && order[i] < n && !seen[static_cast<size_t>(order[i])]);
        seen[static_cast<size_t>(order[i])] = true;
      }
      CHECK(order.intact());
      if (set == kernelSets()[0]) first = order;
      CHECK(order.sameBits(first));
      Call(*set, Kernel::permutation, other, n, 1u, 2u, 4u).whole();
      if (n >= 31) CHECK(!order.sameBits(other));
    }
  }
}

// Each draw from all rows of the source, in the order of the random words.
TEST(drawWithReplacement) {
  for (const int64_t n : {0, 1, 2, 31, 32, 33, 50, 1000}) {
    for (const int64_t sourceRows : {1, 10, 60000}) {
      Buffer<int32_t> first(n);
      for (const KernelSet* set : kernelSets()) {
        Buffer<int32_t> order(n);
        Call(*set, Kernel::drawWithReplacement, order, n, sourceRows, 1u, 2u, 3u).whole();
        for (int64_t i = 0; i < n; i++) CHECK(order[i] >= 0 && order[i] < sourceRows);
        if (set == kernelSets()[0]) first = order;
        CHECK(order.intact() && order.sameBits(first));
      }
    }
  }
}

// Against values computed by another implementation of the definition in docs/numerics.md.
TEST(permutationKnownAnswer) {
  constexpr int32_t expected[] = {36, 39, 5,  12, 1,  3, 24, 16, 11, 27, 7,  20, 18, 0,  33, 30, 32, 15, 4,  23,
                                  37, 21, 35, 10, 13, 6, 25, 9,  8,  22, 29, 34, 2,  14, 38, 31, 26, 28, 17, 19};
  constexpr int64_t n = sizeof expected / sizeof expected[0];
  for (const KernelSet* set : kernelSets()) {
    Buffer<int32_t> order(n);
    Call(*set, Kernel::permutation, order, n, 1u, 2u, 3u).whole();
    CHECK(std::memcmp(order.data(), expected, sizeof expected) == 0);
  }
}

}  // namespace
