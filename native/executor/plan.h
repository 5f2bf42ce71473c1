// A program in executable form: a table of kernel calls over blocks of memory, checked once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "../host/group.h"
#include "../kernels/signatures.h"
#include "format.h"
#include "governor.h"

namespace blasnet {

// A block of memory owned by JavaScript: address and size in bytes.
struct Block {
  void* data = nullptr;
  size_t bytes = 0;
};

// An entry in a program's feed table.
struct FeedEntry {
  FeedRole role = FeedRole::batch;
  Element element = Element::f32;
  int64_t perRow = 0;  // elements of each row
};

// The data that a run supplies for a feed.
struct Feed {
  Block block;
  Element element = Element::f32;
  double scale = 1;
  double offset = 0;

  int64_t length() const { return static_cast<int64_t>(block.bytes / elementBytes(element)); }
};

constexpr int maxFeeds = 1024;

constexpr int segmentCount = static_cast<int>(Segment::count);

// Where an argument's value comes from.
struct ArgumentSource {
  ArgumentTag tag = ArgumentTag::none;
  void* address = nullptr;  // buffer
  size_t bytes = 0;         // buffer: its extent
  size_t feed = 0;          // feed, scale, offset, length: index in the feed table
  int64_t factor = 0;       // rows: the multiplier; scalar: the slot
  double number = 0;        // number
  int64_t rowBytes = 0;     // buffers of instructions over all ranks: bytes of a row of the batch
};

struct Instruction {
  Kernel kernel{};
  bool barrier = false;
  bool guard = false;
  bool serial = false;
  bool conditional = false;  // skipped in steps in which the scalar `Plan::condition` is 0
  bool overRanks = false;    // gets the rows of all ranks, of which this rank's are a range
  bool ownRows = false;      // skipped by a rank that has no rows of a batch
  bool allRows = false;      // works on the whole batch of all ranks
  bool ownShare = false;     // each rank does its share of a constant axis
  bool sums = false;         // over the ranks, or what they gather
  int axisPlace = 0;         // index of the axis among the kernel's
  int axis = -1;             // index of the argument along which threads split the work; -1: one thread does it all
  int64_t grain = 1;         // shares of a constant axis are multiples of this many units
  int64_t axisFactor = 0;    // the axis is this many times the rows of the batch; 0: it is constant
  std::vector<ArgumentSource> arguments;
};

// The instructions [begin, end).
struct InstructionRange {
  size_t begin;
  size_t end;
  size_t argument;  // of instruction `begin`, among the arguments of all instructions
};

// Instructions without barriers in between: a thread runs all of them for one share after the other, because no share
// needs what another one wrote. Before them, one thread runs the serial ones while the others wait at the barrier.
struct Phase {
  InstructionRange serial;
  InstructionRange shared;
  bool barrier;  // all threads wait for each other before it
  bool guard;    // the run ends after the serial instructions if the mean loss is not finite
};

// The dataset's features, if a program gathers them row by row in the epoch's order.
struct Gathered {
  size_t feed = 0;
  int64_t features = 0;  // per row; 0: no gather
  int64_t elementBytes = 0;
  int64_t columnGrain = 0;  // split by columns in multiples of this many; 0: by rows
};

// A rank's part of a batch: its rows are order[begin, begin + rows); they are the rows from `first` of all ranks' `of`.
struct BatchPart {
  int64_t begin = 0;
  int64_t rows = 0;
  int64_t first = 0;
  int64_t of = 0;
};

// A run over a dataset; the same fields as RunRequest in lib/backend/backend.ts.
struct RunRequest {
  int64_t rows = 0;
  int64_t drawn = 0;  // rows per epoch
  int64_t batchSize = 0;
  int64_t epochs = 0;
  int64_t batches = 0;  // per epoch; 0: enough for all its rows
  Sampling sampling = Sampling::inOrder;
  uint32_t seed = 0;
  uint32_t epoch = 0;
  uint32_t step = 0;
  int threads = 1;
  std::vector<Feed> feeds;  // in the order of the program's feed table
  const double* scalars = nullptr;
  size_t scalarLength = 0;
  double* report = nullptr;
  size_t reportLength = 0;
  double* profile = nullptr;  // accumulated seconds of each instruction and of the wait before it
  size_t profileLength = 0;
  // The processes that train together, not owned; null for a single one. With them: the part of each batch of an epoch.
  Group* group = nullptr;
  std::vector<BatchPart> parts;

  // Reads the numbers of runWord, then those of runFeedWord for each feed; on failure returns false with the reason in
  // `error`.
  bool decode(const double* numbers, size_t length, std::string& error);

  int64_t stepsPerEpoch() const { return batches > 0 ? batches : (drawn + batchSize - 1) / batchSize; }
  int64_t steps() const { return stepsPerEpoch() * epochs; }
  // The batch of step `index`. The last of an epoch takes the remaining rows, which may be more or fewer.
  BatchPart batch(int64_t index) const {
    const int64_t perEpoch = stepsPerEpoch(), inEpoch = index % perEpoch;
    if (group != nullptr) return parts[static_cast<size_t>(inEpoch)];
    const int64_t begin = inEpoch * batchSize, rows = inEpoch == perEpoch - 1 ? drawn - begin : batchSize;
    return {begin, rows, 0, rows};
  }
};

class Plan {
 public:
  // Decodes and checks a program; on failure returns false with the reason in `error`. After success no instruction can
  // access memory outside its blocks, for any batch of up to `capacity` rows.
  bool decode(const double* words, size_t length, const Block* segments, std::string& error);

  // Checks that a run's buffers are large enough and aligned; on failure returns false with the reason in `error`.
  bool checkRequest(const RunRequest& request, std::string& error) const;

  const std::vector<Instruction>& instructions() const { return instructions_; }
  const std::vector<Phase>& phases() const { return phases_; }
  // Kept across runs, because it learns how this program performs on this machine.
  Governor& governor() const { return governor_; }
  int64_t capacity() const { return capacity_; }
  int64_t scalarCount() const { return scalarCount_; }
  // Position among the scalars of a step; -1: no instruction is conditional.
  int64_t condition() const { return condition_; }
  uint32_t shuffleStream() const { return shuffleStream_; }
  const std::vector<FeedEntry>& feeds() const { return feeds_; }
  bool usesOrder() const { return usesOrder_; }
  const Gathered& gathered() const { return gathered_; }
  const double* metrics() const { return metrics_; }
  double loss() const { return metrics_[loss_]; }
  // Sums over the ranks of a step that go on while later instructions run.
  size_t startedSums() const { return startedSums_; }
  size_t reported() const { return reported_; }  // number of metrics, from the first, reported after each step

 private:
  bool decodeFeeds(const double*& word, const double* end, size_t count, std::string& error);
  bool decodeInstruction(const double*& word, const double* end, const Block* segments, std::string& error);
  bool decodeFlags(Instruction& instruction, int64_t flags, std::string& error) const;
  bool decodeArgument(ArgumentSource& source, const char* kernel, const Parameter& parameter, const double* word,
                      const Block* segments, std::string& error) const;
  bool checkRanks(Instruction& instruction, std::string& error) const;
  bool checkInstruction(const Instruction& instruction, std::string& error) const;
  bool checkParts(const RunRequest& request, std::string& error) const;

  bool formPhases(std::string& error);
  void findGathered();

  std::vector<Instruction> instructions_;
  std::vector<Phase> phases_;
  mutable Governor governor_;
  int64_t capacity_ = 0;
  int64_t allCapacity_ = 0;
  int64_t scalarCount_ = 0;
  int64_t condition_ = -1;
  uint32_t shuffleStream_ = 0;
  size_t loss_ = 0;
  size_t reported_ = 0;
  bool sums_ = false;
  size_t startedSums_ = 0;
  std::vector<FeedEntry> feeds_;
  bool usesOrder_ = false;
  Gathered gathered_;
  const double* metrics_ = nullptr;
};

}  // namespace blasnet
