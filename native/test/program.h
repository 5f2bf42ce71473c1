// Programs as lib/backend/native/encode.ts writes them, and memory to run them on.
#pragma once

#include <string>
#include <vector>

#include "../executor/plan.h"
#include "test.h"

namespace blasnet::test {

using Words = std::vector<double>;

inline Words word(ArgumentTag tag, double a = 0, double b = 0, double c = 0) { return {static_cast<double>(tag), a, b, c}; }
inline Words none() { return word(ArgumentTag::none); }
inline Words buffer(Segment segment, double offset, double elements) {
  return word(ArgumentTag::buffer, static_cast<double>(segment), offset, elements);
}
inline Words feed(Feed feed, double perRow) { return word(ArgumentTag::feed, static_cast<double>(feed), perRow); }
inline Words number(double value) { return word(ArgumentTag::number, value); }
inline Words rows(double times = 1) { return word(ArgumentTag::rows, times); }
inline Words scalar(double slot) { return word(ArgumentTag::scalar, slot); }
inline Words sourceRows() { return word(ArgumentTag::sourceRows); }

constexpr int barrierFlag = 1, guardFlag = 2, turnFlag = 4;

inline Words call(Kernel kernel, int flags, const std::vector<Words>& arguments, double grain = 0) {
  Words words = {static_cast<double>(kernel), static_cast<double>(flags), grain, static_cast<double>(arguments.size())};
  for (const Words& argument : arguments) words.insert(words.end(), argument.begin(), argument.end());
  return words;
}

inline Words program(int64_t capacity, int64_t scalars, const std::vector<Words>& calls) {
  Words words = {2, static_cast<double>(calls.size()), static_cast<double>(capacity), static_cast<double>(scalars), 1};
  for (const Words& each : calls) words.insert(words.end(), each.begin(), each.end());
  return words;
}

struct Memory {
  Memory() {
    for (size_t i = 0; i < segmentCount; i++) segments[i] = {blocks[i].data(), blocks[i].size() * sizeof(double)};
  }
  float* floats(Segment segment) { return reinterpret_cast<float*>(blocks[static_cast<size_t>(segment)].data()); }

  std::vector<std::vector<double>> blocks = std::vector<std::vector<double>>(segmentCount, std::vector<double>(1 << 13));
  Block segments[segmentCount];
};

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
