// A program as the executor runs it: a table of kernel calls over blocks of memory, checked once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "../kernels/signatures.h"
#include "governor.h"

namespace blasnet {

// A block of memory that belongs to JavaScript: address and size in bytes.
struct Block {
  void* data = nullptr;
  size_t bytes = 0;
};

// What each run brings along, in the order of `feeds` in lib/program/instructions.ts.
enum class Feed : int32_t { features, labels, targets, order, output, inputGradient, count };
constexpr int feedCount = static_cast<int>(Feed::count);

// Blocks in the order of `segments` in lib/backend/native/encode.ts.
enum class Segment : int32_t { parameter, gradient, state, moment, work, metric, count };
constexpr int segmentCount = static_cast<int>(Segment::count);

constexpr int maxThreads = 256;

// Positions in the metric block (float64), as `metrics` in lib/program/instructions.ts.
constexpr int metricMeanLoss = 0;
constexpr int metricHitCount = 1;
constexpr int metricLength = 8;

enum class ArgumentTag : int32_t { none, buffer, feed, number, rows, sourceRows, scale, offset, scalar, step, count };

// Where an argument's value comes from.
struct ArgumentSource {
  ArgumentTag tag = ArgumentTag::none;
  void* address = nullptr;  // buffer
  size_t bytes = 0;         // buffer: its extent
  Feed feed = Feed::features;
  int64_t factor = 0;  // feed: elements a row of the batch (0: all of it); rows: the multiplier; scalar: the slot
  double number = 0;   // number
};

struct Instruction {
  Kernel kernel{};
  bool barrier = false;
  bool guard = false;
  bool turn = false;
  int64_t grain = 1;       // shares of a constant axis are runs of so many units
  int64_t axisFactor = 0;  // the axis is this many times the rows of the batch; 0: it is constant
  std::vector<ArgumentSource> arguments;
};

// The instructions [begin, end).
struct Stretch {
  size_t begin;
  size_t end;
  size_t argument;  // of instruction `begin`, among the arguments of all instructions
};

// Instructions that a thread works through for one share after the other: no share needs what another one has written. The first
// of them, as far as they have no axis, are run by one thread while the others wait.
struct Phase {
  Stretch meeting;
  std::vector<Stretch> groups;  // which have nothing to do with each other: each thread begins with another one
  bool barrier;                 // all threads meet before it
  bool guard;                   // the run ends behind the meeting when the mean loss is not finite
};

// The dataset's features, where a program collects them row by row in the order of the epoch.
struct Gathered {
  int64_t features = 0;  // of a row; 0: it does not
  int64_t elementBytes = 0;
  int64_t columnGrain = 0;  // shared out by columns in runs of so many; 0: by rows
};

// Where the rows of an epoch come from; in the order of `samplings` in lib/backend/backend.ts.
enum class Sampling : int32_t { inOrder, shuffle, withReplacement, count };

// A run over a dataset; field by field as RunRequest in lib/backend/backend.ts.
struct RunRequest {
  int64_t rows = 0;
  int64_t drawn = 0;  // rows that an epoch takes
  int64_t batchSize = 0;
  int64_t epochs = 0;
  Sampling sampling = Sampling::inOrder;
  uint32_t seed = 0;
  uint32_t epoch = 0;
  uint32_t step = 0;
  double scale = 1;
  double offset = 0;
  int threads = 1;
  Block feeds[feedCount];
  const double* scalars = nullptr;
  size_t scalarLength = 0;
  double* report = nullptr;
  size_t reportLength = 0;
  double* profile = nullptr;  // seconds of each instruction and of the waiting before it, added up
  size_t profileLength = 0;

  // Reads the numbers from `rows` to `threads`, in that order; on failure returns false with the reason in `error`.
  bool decode(const double* numbers, size_t length, std::string& error);

  int64_t stepsPerEpoch() const { return (drawn + batchSize - 1) / batchSize; }
  int64_t steps() const { return stepsPerEpoch() * epochs; }
  // Rows of the batch of step `index`: the last of an epoch may be short.
  int64_t batchRows(int64_t index) const {
    const int64_t left = drawn - index % stepsPerEpoch() * batchSize;
    return left < batchSize ? left : batchSize;
  }
};

class Plan {
 public:
  // Decodes and checks a program; on failure returns false with the reason in `error`.
  // After success no instruction can leave its blocks, whatever batch of up to `capacity` rows is run.
  bool decode(const double* words, size_t length, const Block* segments, std::string& error);

  // Checks that what a run brings is large enough and aligned; on failure returns false with the reason in `error`.
  bool checkRequest(const RunRequest& request, std::string& error) const;

  const std::vector<Instruction>& instructions() const { return instructions_; }
  const std::vector<Phase>& phases() const { return phases_; }
  // Remembers from run to run how the machine takes to this program.
  Governor& governor() const { return governor_; }
  int64_t capacity() const { return capacity_; }
  int64_t scalarCount() const { return scalarCount_; }
  uint32_t shuffleStream() const { return shuffleStream_; }
  bool usesOrder() const { return usesOrder_; }
  const Gathered& gathered() const { return gathered_; }
  const double* metrics() const { return metrics_; }

 private:
  bool decodeInstruction(const double*& word, const double* end, const Block* segments, std::string& error);
  bool checkInstruction(const Instruction& instruction, std::string& error) const;

  bool findPhases(std::string& error);
  void findGathered();

  std::vector<Instruction> instructions_;
  std::vector<Phase> phases_;
  mutable Governor governor_;
  int64_t capacity_ = 0;
  int64_t scalarCount_ = 0;
  uint32_t shuffleStream_ = 0;
  bool usesOrder_ = false;
  Gathered gathered_;
  const double* metrics_ = nullptr;
};

}  // namespace blasnet
