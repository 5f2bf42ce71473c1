// Programs as lib/backend/native/encode.ts writes them, and memory to run them on.
#pragma once

#include <cstdio>
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

inline Words call(Kernel kernel, int flags, const std::vector<Words>& arguments, double grain = 0, double axis = 0) {
  Words words = {static_cast<double>(kernel), static_cast<double>(flags), grain, axis,
                 static_cast<double>(arguments.size())};
  for (const Words& argument : arguments) words.insert(words.end(), argument.begin(), argument.end());
  return words;
}

inline Words entry(FeedRole role, Element element, double perRow) {
  return {static_cast<double>(role), static_cast<double>(element), perRow};
}

// The loss is the first metric; steps report two. `condition` is one more than the slot of the scalar, or 0. `allRows`:
// rows of the largest batch of all ranks, or 0.
inline Words program(int64_t capacity, int64_t scalars, const std::vector<Words>& calls,
                     const std::vector<Words>& feeds = {}, double condition = 0, double allRows = 0) {
  Words words = {formatVersion,
                 static_cast<double>(calls.size()),
                 static_cast<double>(capacity),
                 static_cast<double>(scalars),
                 1,
                 static_cast<double>(feeds.size()),
                 0,
                 2,
                 condition,
                 allRows};
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

// A layer's weights, in x outputs, trained on 31 shuffled rows in batches of 12. Feeds: features, targets, order.
struct TrainedLayer {
  static constexpr int64_t in = 5, capacity = 12, sampleRows = 31;

  static Words work(double offset, double perRow) { return buffer(Segment::work, offset, perRow * capacity); }
  // A batch of feed `place`.
  static Words gather(int flags, const Words& x, double place, double width, const Words& scale = number(1),
                      const Words& offset = number(0)) {
    return call(Kernel::gatherFloats, flags,
                {x, feed(place), feed(2), rows(), number(width), sourceRows(), scale, offset});
  }
  static Words update(const Words& w, const Words& dw, double weights, double grain) {
    return call(Kernel::sgd, 0, {w, none(), dw, number(weights), scalar(0), number(0), number(0), number(0), number(0)},
                grain);
  }

  TrainedLayer(int64_t outputs, const std::vector<Words>& calls)
      : count(in * outputs), features(sampleRows * in), targets(sampleRows * outputs) {
    Random random(3);
    for (float& value : features) value = random.uniform(-1, 1);
    for (float& value : targets) value = random.uniform(-1, 1);
    for (int64_t i = 0; i < count; i++) memory.floats(Segment::parameter)[i] = random.uniform(-1, 1);
    const Words words = program(
        capacity, 1, calls,
        {entry(FeedRole::source, Element::f32, in), entry(FeedRole::source, Element::f32, static_cast<double>(outputs)),
         entry(FeedRole::order, Element::i32, 1)});
    std::string error;
    CHECK(plan.decode(words.data(), words.size(), memory.segments, error));
    if (!error.empty()) std::printf("  %s\n", error.c_str());
  }

  // Completes a request of requestOf(sampleRows, capacity, ...).
  void complete(RunRequest& request, double rate) {
    request.sampling = Sampling::shuffle;
    request.seed = 5;
    request.feeds = {bound(features), bound(targets), {}};
    scalars.assign(static_cast<size_t>(request.steps()), rate);
    request.scalars = scalars.data();
    request.scalarLength = scalars.size();
    report.assign(static_cast<size_t>(2 * request.steps()), -1);
    request.report = report.data();
    request.reportLength = report.size();
    std::string error;
    CHECK(plan.checkRequest(request, error));
    if (!error.empty()) std::printf("  %s\n", error.c_str());
  }

  std::vector<float> weights() {
    const float* w = memory.floats(Segment::parameter);
    return std::vector<float>(w, w + count);
  }

  int64_t count;
  Memory memory;
  Plan plan;
  std::vector<float> features, targets;
  std::vector<double> scalars, report;
};

}  // namespace blasnet::test
