// Programs as lib/backend/native/encode.ts writes them, and memory to run them on.
#pragma once

#include <string>
#include <vector>

#include "../executor/plan.h"
#include "test.h"

namespace blasnet::test {

using Words = std::vector<double>;

inline Words word(ArgumentTag tag, double a = 0, double b = 0, double c = 0) {
  return {static_cast<double>(tag), a, b, c};
}
inline Words none() { return word(ArgumentTag::none); }
inline Words buffer(Segment segment, double offset, double elements) {
  return word(ArgumentTag::buffer, static_cast<double>(segment), offset, elements);
}
inline Words feed(double place) { return word(ArgumentTag::feed, place); }
inline Words number(double value) { return word(ArgumentTag::number, value); }
inline Words rows(double times = 1) { return word(ArgumentTag::rows, times); }
inline Words scalar(double slot) { return word(ArgumentTag::scalar, slot); }
inline Words sourceRows() { return word(ArgumentTag::sourceRows); }

constexpr int barrierFlag = 1, guardFlag = 2, serialFlag = 4, conditionalFlag = 8;

inline Words call(Kernel kernel, int flags, const std::vector<Words>& arguments, double grain = 0, double axis = 0) {
  Words words = {static_cast<double>(kernel), static_cast<double>(flags), grain, axis,
                 static_cast<double>(arguments.size())};
  for (const Words& argument : arguments) words.insert(words.end(), argument.begin(), argument.end());
  return words;
}

inline Words entry(FeedRole role, Element element, double perRow) {
  return {static_cast<double>(role), static_cast<double>(element), perRow};
}

// The loss is the first metric; steps report two. `condition` is one more than the slot of the scalar, or 0.
inline Words program(int64_t capacity, int64_t scalars, const std::vector<Words>& calls,
                     const std::vector<Words>& feeds = {}, double condition = 0) {
  Words words = {7,
                 static_cast<double>(calls.size()),
                 static_cast<double>(capacity),
                 static_cast<double>(scalars),
                 1,
                 static_cast<double>(feeds.size()),
                 0,
                 2,
                 condition};
  for (const Words& each : feeds) words.insert(words.end(), each.begin(), each.end());
  for (const Words& each : calls) words.insert(words.end(), each.begin(), each.end());
  return words;
}

struct Memory {
  Memory() {
    for (size_t i = 0; i < segmentCount; i++) segments[i] = {blocks[i].data(), blocks[i].size() * sizeof(double)};
  }
  float* floats(Segment segment) { return reinterpret_cast<float*>(blocks[static_cast<size_t>(segment)].data()); }

  std::vector<std::vector<double>> blocks =
      std::vector<std::vector<double>>(segmentCount, std::vector<double>(1 << 13));
  Block segments[segmentCount];
};

inline Feed bound(std::vector<float>& values) { return {{values.data(), values.size() * sizeof(float)}, Element::f32}; }

inline Words reluCall(const Words& y, const Words& x, const Words& n) { return call(Kernel::relu, 0, {y, x, n}); }
inline RunRequest requestOf(int64_t rows, int64_t batchSize, int64_t epochs, int threads) {
  RunRequest request;
  request.rows = rows;
  request.drawn = rows;
  request.batchSize = batchSize;
  request.epochs = epochs;
  request.threads = threads;
  return request;
}

}  // namespace blasnet::test
