#include "plan.h"

#include <cmath>
#include <type_traits>

#include "../kernels/share.h"

namespace blasnet {

namespace {

constexpr int64_t maxSize = INT32_MAX;
constexpr double largestGrain = 16.0 * INT32_MAX;  // sixteen rows of a weight, in elements

bool fail(std::string& error, const char* kernel, const char* parameter, const char* rule) {
  error = std::string("program: ") + kernel + ": " + parameter + ": " + rule;
  return false;
}

// Reads an integer in [0, limit]; false if the number is not one.
bool readInteger(double value, double limit, int64_t& out) {
  if (!(value >= 0 && value <= limit) || value != std::floor(value)) return false;
  out = static_cast<int64_t>(value);
  return true;
}

// False if the product overflows.
bool multiplyChecked(int64_t a, int64_t b, int64_t& out) { return !__builtin_mul_overflow(a, b, &out); }

// The value of a size argument for a batch of `rows` rows out of `sourceRows`; -1 for the length of a feed.
int64_t sizeValue(const ArgumentSource& source, int64_t rows, int64_t sourceRows) {
  switch (source.tag) {
    case ArgumentTag::number: return static_cast<int64_t>(source.number);
    case ArgumentTag::rows: return rows * source.factor;
    case ArgumentTag::length: return -1;
    default: return sourceRows;
  }
}

bool tagFits(const Parameter& parameter, ArgumentTag tag) {
  switch (parameter.kind) {
    case ParameterKind::out:
    case ParameterKind::inout:
    case ParameterKind::in:
      return tag == ArgumentTag::buffer || tag == ArgumentTag::feed || (tag == ArgumentTag::none && parameter.optional);
    case ParameterKind::size:
      return tag == ArgumentTag::number || tag == ArgumentTag::rows || tag == ArgumentTag::sourceRows ||
             tag == ArgumentTag::length;
    case ParameterKind::real:
      return tag == ArgumentTag::number || tag == ArgumentTag::scalar || tag == ArgumentTag::scale ||
             tag == ArgumentTag::offset || tag == ArgumentTag::share;
    case ParameterKind::word: return tag == ArgumentTag::number || tag == ArgumentTag::step;
    default: return tag == ArgumentTag::number;
  }
}

bool numberFits(const Parameter& parameter, double value) {
  int64_t ignored;
  switch (parameter.kind) {
    case ParameterKind::size: return readInteger(value, maxSize, ignored);
    case ParameterKind::word: return readInteger(value, UINT32_MAX, ignored);
    case ParameterKind::flag: return value == 0 || value == 1;
    case ParameterKind::code: return readInteger(value, parameter.codes - 1, ignored);
    default: return std::isfinite(value);
  }
}

bool aligned(const void* address, size_t bytes) { return reinterpret_cast<uintptr_t>(address) % bytes == 0; }

// Elements that a buffer argument needs, or -1 when the product overflows or is not known before a run.
int64_t neededLength(const Instruction& instruction, const Parameter& parameter, int64_t rows, int64_t sourceRows) {
  int64_t needed = 1;
  for (int i = 0; i < parameter.lengthCount; i++) {
    const int64_t size = sizeValue(instruction.arguments[parameter.length[i]], rows, sourceRows);
    if (size < 0 || !multiplyChecked(needed, size, needed)) return -1;
  }
  return needed;
}

// Finds how far the buffers of an instruction over all ranks move for each row of the other ranks before this one's;
// returns false if its axis is not the rows of the batch, the first dimension of each buffer that has it. Without an
// axis, no buffer has rows, and the kernel only gets their number.
bool findRowBytes(Instruction& instruction, int64_t allCapacity) {
  const Signature& signature = signatures[static_cast<int>(instruction.kernel)];
  if (instruction.axis >= 0 && instruction.axisFactor == 0) return false;
  for (int i = 0; i < signature.count; i++) {
    const Parameter& parameter = signature.parameters[i];
    ArgumentSource& source = instruction.arguments[i];
    if (!parameter.isBuffer() || source.tag == ArgumentTag::none || parameter.lengthCount == 0) continue;
    if (source.tag != ArgumentTag::buffer) return false;
    // One that all threads read whole has the rows of all ranks.
    if (parameter.whole && allCapacity == 0) return false;
    if (parameter.whole) continue;
    if (parameter.length[0] != instruction.axis) {
      for (int j = 0; j < parameter.lengthCount; j++) {
        if (instruction.arguments[parameter.length[j]].tag != ArgumentTag::number) return false;
      }
      continue;
    }
    source.rowBytes = instruction.axisFactor * static_cast<int64_t>(elementBytes(parameter.element));
    for (int j = 1; j < parameter.lengthCount; j++) {
      const ArgumentSource& size = instruction.arguments[parameter.length[j]];
      // Its product with the largest batch fits, as the buffer does.
      if (size.tag != ArgumentTag::number) return false;
      source.rowBytes *= static_cast<int64_t>(size.number);
    }
  }
  return true;
}

// Whether it works on the elements of a constant axis, each by itself, so that ranks can divide and gather them.
bool isElementwise(const Instruction& instruction) {
  const Signature& signature = signatures[static_cast<int>(instruction.kernel)];
  if (instruction.axis < 0 || instruction.axisFactor > 0) return false;
  for (int i = 0; i < signature.count; i++) {
    const Parameter& parameter = signature.parameters[i];
    if (!parameter.isBuffer() || instruction.arguments[i].tag == ArgumentTag::none) continue;
    const bool divided = parameter.lengthCount == 1 && parameter.length[0] == instruction.axis;
    if (!divided || parameter.element != Element::f32 || instruction.arguments[i].tag != ArgumentTag::buffer)
      return false;
  }
  return true;
}

}  // namespace

bool RunRequest::decode(const double* numbers, size_t length, std::string& error) {
  if (length != runWord::count + runFeedWord::count * feeds.size()) {
    error = "run: wrong number of numbers";
    return false;
  }
  const auto read = [&](int place, const char* name, int64_t min, double max, auto& out) {
    int64_t value;
    if (!readInteger(numbers[place], max, value) || value < min) {
      error = std::string("run: ") + name + ": out of range";
      return false;
    }
    out = static_cast<std::decay_t<decltype(out)>>(value);
    return true;
  };
  if (!read(runWord::rows, "rows", 0, maxSize, rows) || !read(runWord::drawn, "drawn rows", 0, maxSize, drawn) ||
      !read(runWord::batchSize, "batch size", 0, maxSize, batchSize) ||
      !read(runWord::epochs, "epochs", 0, maxSize, epochs) ||
      !read(runWord::sampling, "sampling", 0, static_cast<int>(Sampling::count) - 1, sampling) ||
      !read(runWord::seed, "seed", 0, UINT32_MAX, seed) || !read(runWord::epoch, "epoch", 0, UINT32_MAX, epoch) ||
      !read(runWord::step, "step", 0, UINT32_MAX, step) || !read(runWord::threads, "threads", 1, maxThreads, threads) ||
      !read(runWord::batches, "batches", 0, maxSize, batches)) {
    return false;
  }
  const double* number = numbers + runWord::count;
  for (Feed& feed : feeds) {
    feed.scale = number[runFeedWord::scale];
    feed.offset = number[runFeedWord::offset];
    number += runFeedWord::count;
  }
  return true;
}

bool Plan::decodeFlags(Instruction& instruction, int64_t flags, std::string& error) const {
  const char* name = signatures[static_cast<int>(instruction.kernel)].name;
  instruction.barrier = (flags & barrierFlag) != 0;
  instruction.guard = (flags & guardFlag) != 0;
  instruction.serial = (flags & serialFlag) != 0;
  instruction.conditional = (flags & conditionalFlag) != 0;
  instruction.overRanks = (flags & overRanksFlag) != 0;
  instruction.ownRows = (flags & ownRowsFlag) != 0;
  instruction.allRows = (flags & allRowsFlag) != 0;
  instruction.ownShare = (flags & ownShareFlag) != 0;
  if (instruction.conditional && (instruction.guard || condition_ < 0)) {
    return fail(error, name, "condition", "there is none, or it is a guard");
  }
  if (instruction.allRows && (instruction.overRanks || allCapacity_ == 0)) {
    return fail(error, name, "ranks", "it can't have the rows of all");
  }
  return true;
}

// Reads the argument for `parameter` of `kernel` from its numbers.
bool Plan::decodeArgument(ArgumentSource& source, const char* kernel, const Parameter& parameter, const double* word,
                          const Block* segments, std::string& error) const {
  int64_t tag;
  if (!readInteger(word[argumentWord::tag], static_cast<int>(ArgumentTag::count) - 1, tag)) {
    return fail(error, kernel, parameter.name, "unknown kind of argument");
  }
  source.tag = static_cast<ArgumentTag>(tag);
  if (!tagFits(parameter, source.tag)) {
    return fail(error, kernel, parameter.name, "an argument of this kind does not fit here");
  }
  switch (source.tag) {
    case ArgumentTag::buffer: {
      int64_t segment, offset, length;
      const size_t size = elementBytes(parameter.element);
      if (!readInteger(word[argumentWord::value], segmentCount - 1, segment) ||
          !readInteger(word[argumentWord::offset], 9e15, offset) ||
          !readInteger(word[argumentWord::length], 9e15, length)) {
        return fail(error, kernel, parameter.name, "malformed buffer");
      }
      const Block& block = segments[segment];
      if (offset % static_cast<int64_t>(size) != 0 || static_cast<uint64_t>(offset) > block.bytes ||
          static_cast<uint64_t>(length) > (block.bytes - offset) / size) {
        return fail(error, kernel, parameter.name, "the buffer leaves its block");
      }
      source.address = static_cast<char*>(block.data) + offset;
      source.bytes = static_cast<size_t>(length) * size;
      return true;
    }
    case ArgumentTag::feed:
    case ArgumentTag::length:
    case ArgumentTag::scale:
    case ArgumentTag::offset: {
      int64_t index;
      if (!readInteger(word[argumentWord::value], maxFeeds, index) || static_cast<size_t>(index) >= feeds_.size()) {
        return fail(error, kernel, parameter.name, "unknown feed");
      }
      source.feed = static_cast<size_t>(index);
      const FeedEntry& feed = feeds_[source.feed];
      if (source.tag == ArgumentTag::length && feed.role != FeedRole::entries) {
        return fail(error, kernel, parameter.name, "this feed has no length of its own");
      }
      if (source.tag == ArgumentTag::feed && (parameter.element != feed.element ||
                                              (parameter.kind != ParameterKind::in && feed.role != FeedRole::output))) {
        return fail(error, kernel, parameter.name, "this feed does not fit here");
      }
      return true;
    }
    case ArgumentTag::number:
      if (!numberFits(parameter, word[argumentWord::value]))
        return fail(error, kernel, parameter.name, "value out of range");
      source.number = word[argumentWord::value];
      return true;
    case ArgumentTag::rows:
      if (readInteger(word[argumentWord::value], maxSize, source.factor) && source.factor > 0) return true;
      return fail(error, kernel, parameter.name, "malformed multiple of rows");
    case ArgumentTag::scalar:
      if (readInteger(word[argumentWord::value], maxSize, source.factor) && source.factor < scalarCount_) return true;
      return fail(error, kernel, parameter.name, "unknown scalar");
    default: return true;
  }
}

// Checks that ranks can divide its work, if they are to; finds how far its buffers move for their rows.
bool Plan::checkRanks(Instruction& instruction, std::string& error) const {
  const char* name = signatures[static_cast<int>(instruction.kernel)].name;
  if (instruction.overRanks && !findRowBytes(instruction, allCapacity_)) {
    return fail(error, name, "ranks", "its rows can't be a share of those of all ranks");
  }
  if (instruction.ownShare && !isElementwise(instruction)) {
    return fail(error, name, "ranks", "they can't divide its work");
  }
  return true;
}

bool Plan::decodeInstruction(const double*& word, const double* end, const Block* segments, std::string& error) {
  if (end - word < instructionWord::count) {
    error = "program: it ends within an instruction";
    return false;
  }
  int64_t kernel, flags, grain, axisPlace, count;
  if (!readInteger(word[instructionWord::kernel], kernelCount - 1, kernel) ||
      !readInteger(word[instructionWord::flags], allFlags, flags)) {
    error = "program: unknown kernel or flag";
    return false;
  }
  const Signature& signature = signatures[kernel];
  if (!readInteger(word[instructionWord::grain], largestGrain, grain))
    return fail(error, signature.name, "grain", "out of range");
  if (!readInteger(word[instructionWord::axis], maxAxes - 1, axisPlace) ||
      (axisPlace > 0 && signature.axes[axisPlace] < 0)) {
    return fail(error, signature.name, "axis", "out of range");
  }
  if (!readInteger(word[instructionWord::arguments], maxParameters, count) || count != signature.count ||
      end - word < instructionWord::count + argumentWord::count * count) {
    return fail(error, signature.name, "arguments", "wrong number");
  }
  word += instructionWord::count;

  Instruction instruction;
  instruction.kernel = static_cast<Kernel>(kernel);
  instruction.sums = instruction.kernel == Kernel::allReduce || instruction.kernel == Kernel::averageRanks ||
                     instruction.kernel == Kernel::startSum || instruction.kernel == Kernel::gatherShares;
  if (!decodeFlags(instruction, flags, error)) return false;
  instruction.axisPlace = static_cast<int>(axisPlace);
  instruction.axis = signature.axes[axisPlace];
  instruction.grain = grain > 0 ? grain : signature.grains[axisPlace];
  for (int i = 0; i < count; i++, word += argumentWord::count) {
    ArgumentSource source;
    if (!decodeArgument(source, signature.name, signature.parameters[i], word, segments, error)) return false;
    instruction.arguments.push_back(source);
  }
  if (instruction.axis >= 0) {
    const ArgumentSource& axis = instruction.arguments[instruction.axis];
    if (axis.tag == ArgumentTag::sourceRows || axis.tag == ArgumentTag::length)
      return fail(error, signature.name, "axis", "it can't be the source's rows or entries");
    instruction.axisFactor = axis.tag == ArgumentTag::rows ? axis.factor : 0;
  }
  if (!checkInstruction(instruction, error) || !checkRanks(instruction, error)) return false;
  instructions_.push_back(std::move(instruction));
  return true;
}

// Checks extents and overlaps for the largest batch: no length shrinks as the rows grow.
bool Plan::checkInstruction(const Instruction& instruction, std::string& error) const {
  const Signature& signature = signatures[static_cast<int>(instruction.kernel)];
  const int64_t capacity = instruction.allRows ? allCapacity_ : capacity_;
  for (int i = 0; i < signature.count; i++) {
    const Parameter& parameter = signature.parameters[i];
    const ArgumentSource& source = instruction.arguments[i];
    if (parameter.kind == ParameterKind::size && source.tag == ArgumentTag::rows) {
      int64_t value;
      if (!multiplyChecked(capacity, source.factor, value) || value > maxSize) {
        return fail(error, signature.name, parameter.name, "too large for this batch size");
      }
    }
  }
  for (int i = 0; i < signature.count; i++) {
    const Parameter& parameter = signature.parameters[i];
    const ArgumentSource& source = instruction.arguments[i];
    if (!parameter.isBuffer() || source.tag == ArgumentTag::none) continue;
    if (source.tag == ArgumentTag::feed) {
      // A feed must not be accessed beyond its rows: those of the batch, or all of the source. The source's row count
      // is known only at run time, so check the maximum, and also a single row, which reveals lengths that don't depend
      // on it.
      const FeedEntry& feed = feeds_[source.feed];
      if (feed.role == FeedRole::entries) {
        // As long as the run's buffer, which is what its size says.
        const ArgumentSource* size = parameter.lengthCount == 1 ? &instruction.arguments[parameter.length[0]] : nullptr;
        if (size == nullptr || size->tag != ArgumentTag::length || size->feed != source.feed)
          return fail(error, signature.name, parameter.name, "its size is not the length of this feed");
        continue;
      }
      const bool all = feed.role == FeedRole::source;
      for (const int64_t rows : {all ? maxSize : capacity, int64_t{1}}) {
        const int64_t used = neededLength(instruction, parameter, all ? capacity : rows, all ? rows : maxSize);
        if (used < 0 || used > rows * feed.perRow) {
          return fail(error, signature.name, parameter.name, "more elements than the feed's rows have");
        }
      }
      continue;
    }
    const bool ofAll = instruction.overRanks && parameter.whole;
    const int64_t needed = neededLength(instruction, parameter, ofAll ? allCapacity_ : capacity, maxSize);
    if (needed < 0 || static_cast<uint64_t>(needed) > source.bytes / elementBytes(parameter.element)) {
      return fail(error, signature.name, parameter.name, "the buffer is too short");
    }
    if (parameter.kind == ParameterKind::in) continue;
    const char* begin = static_cast<const char*>(source.address);
    for (int j = 0; j < signature.count; j++) {
      const ArgumentSource& other = instruction.arguments[j];
      if (i == j || other.tag != ArgumentTag::buffer) continue;
      const char* otherBegin = static_cast<const char*>(other.address);
      const bool overlap = begin < otherBegin + other.bytes && otherBegin < begin + source.bytes;
      if (overlap && !(begin == otherBegin && (parameter.alias >> j & 1) != 0)) {
        return fail(error, signature.name, parameter.name, "it overlaps another argument");
      }
    }
  }
  return true;
}

bool Plan::decode(const double* words, size_t length, const Block* segments, std::string& error) {
  int64_t count, shuffleStream, feedCount, loss, reported, condition;
  if (length < headerWord::count || words[headerWord::version] != formatVersion ||
      !readInteger(words[headerWord::instructions], 1e6, count) ||
      !readInteger(words[headerWord::capacity], maxSize, capacity_) || capacity_ == 0 ||
      !readInteger(words[headerWord::scalars], maxSize, scalarCount_) ||
      !readInteger(words[headerWord::shuffleStream], UINT32_MAX, shuffleStream) ||
      !readInteger(words[headerWord::feeds], maxFeeds, feedCount) ||
      !readInteger(words[headerWord::loss], maxSize, loss) ||
      !readInteger(words[headerWord::reported], maxSize, reported) ||
      !readInteger(words[headerWord::condition], static_cast<double>(scalarCount_), condition) ||
      !readInteger(words[headerWord::allCapacity], maxSize, allCapacity_) ||
      (allCapacity_ > 0 && allCapacity_ < capacity_)) {
    error = "program: malformed header";
    return false;
  }
  condition_ = condition - 1;
  shuffleStream_ = static_cast<uint32_t>(shuffleStream);
  for (int i = 0; i < segmentCount; i++) {
    if (aligned(segments[i].data, sizeof(double))) continue;
    error = "program: a block is not aligned";
    return false;
  }
  const Block& metric = segments[static_cast<int>(Segment::metric)];
  loss_ = static_cast<size_t>(loss);
  reported_ = static_cast<size_t>(reported);
  if (loss_ >= metric.bytes / sizeof(double) || reported_ > metric.bytes / sizeof(double)) {
    error = "program: the metric block is too short";
    return false;
  }
  metrics_ = static_cast<const double*>(metric.data);
  const double* word = words + headerWord::count;
  const double* end = words + length;
  if (!decodeFeeds(word, end, static_cast<size_t>(feedCount), error)) return false;
  for (int64_t i = 0; i < count; i++) {
    if (!decodeInstruction(word, end, segments, error)) return false;
  }
  if (word != end) {
    error = "program: words after the last instruction";
    return false;
  }
  if (usesOrder_) findGathered();
  return formPhases(error);
}

bool Plan::decodeFeeds(const double*& word, const double* end, size_t count, std::string& error) {
  if (end - word < feedWord::count * static_cast<ptrdiff_t>(count)) {
    error = "program: it ends within its feeds";
    return false;
  }
  for (; feeds_.size() < count; word += feedWord::count) {
    int64_t role, element;
    FeedEntry feed;
    const bool known = readInteger(word[feedWord::role], static_cast<int>(FeedRole::count) - 1, role) &&
                       readInteger(word[feedWord::element], static_cast<int>(Element::u8), element) &&
                       readInteger(word[feedWord::perRow], maxSize, feed.perRow);
    if (known) {
      feed.role = static_cast<FeedRole>(role);
      feed.element = static_cast<Element>(element);
    }
    const bool order = feed.role == FeedRole::order;
    if (!known || (order && (feed.element != Element::i32 || feed.perRow != 1))) {
      error = "program: malformed feed";
      return false;
    }
    usesOrder_ = usesOrder_ || order;
    feeds_.push_back(feed);
  }
  return true;
}

// Finds the first source that is a matrix with the dataset's rows.
void Plan::findGathered() {
  for (const Instruction& instruction : instructions_) {
    const Signature& signature = signatures[static_cast<int>(instruction.kernel)];
    for (int i = 0; i < signature.count; i++) {
      const Parameter& parameter = signature.parameters[i];
      const ArgumentSource& source = instruction.arguments[i];
      if (source.tag != ArgumentTag::feed || feeds_[source.feed].role != FeedRole::source || parameter.lengthCount != 2)
        continue;
      const ArgumentSource &rows = instruction.arguments[parameter.length[0]],
                           &columns = instruction.arguments[parameter.length[1]];
      if (rows.tag != ArgumentTag::sourceRows || columns.tag != ArgumentTag::number) continue;
      gathered_.feed = source.feed;
      gathered_.features = static_cast<int64_t>(columns.number);
      gathered_.elementBytes = static_cast<int64_t>(elementBytes(parameter.element));
      gathered_.columnGrain = instruction.kernel == Kernel::gatherBytesParts ? partGrain : 0;
      return;
    }
  }
}

bool Plan::formPhases(std::string& error) {
  size_t argument = 0;
  for (size_t i = 0; i < instructions_.size(); i++) {
    const Instruction& instruction = instructions_[i];
    if (i == 0 || instruction.barrier)
      phases_.push_back({{i, i, argument}, {i, i, argument}, instruction.barrier, false});
    Phase& phase = phases_.back();
    if (instruction.serial) {
      if (!phase.barrier || phase.guard || phase.shared.end > phase.shared.begin || instruction.axis >= 0) {
        error = "program: a serial instruction that has an axis, or does not follow a barrier";
        return false;
      }
      phase.serial.end = i + 1;
    } else {
      if (phase.shared.end == phase.shared.begin) phase.shared = {i, i, argument};
      phase.shared.end = i + 1;
    }
    argument += instruction.arguments.size();
    // One thread must decide for all.
    if (instruction.guard && !instruction.serial) {
      error = "program: a guard that is not serial";
      return false;
    }
    if (instruction.sums && (!instruction.serial || instruction.ownRows)) {
      error = "program: a sum over the ranks that is not serial, or that a rank could miss";
      return false;
    }
    sums_ = sums_ || instruction.sums;
    if (instruction.kernel == Kernel::startSum) startedSums_++;
    phase.guard = phase.guard || instruction.guard;
  }
  return true;
}

// Each part must lie within the order of its epoch and the program's capacity.
bool Plan::checkParts(const RunRequest& request, std::string& error) const {
  bool fits = sums_ && request.batches > 0 && request.parts.size() == static_cast<size_t>(request.batches);
  for (const BatchPart& part : request.parts) {
    fits = fits && part.rows >= 0 && part.rows <= capacity_ && part.begin >= 0 &&
           part.begin + part.rows <= request.drawn && part.first >= 0 && part.of >= 1 && part.of <= maxSize &&
           part.first + part.rows <= part.of;
    // Of the whole batch, this rank's rows are those from `first`.
    fits = fits && (allCapacity_ == 0 || (part.of <= allCapacity_ && part.begin >= part.first &&
                                          part.begin - part.first + part.of <= request.drawn));
  }
  if (!fits) error = "run: the parts of its batches don't fit";
  return fits;
}

bool Plan::checkRequest(const RunRequest& request, std::string& error) const {
  int64_t steps;
  if (request.rows < 1 || request.rows > maxSize || request.drawn < 1 || request.drawn > maxSize ||
      request.batchSize < 1 || (request.group == nullptr && request.batchSize > capacity_) || request.epochs < 0 ||
      request.batches < 0 || request.batches > maxSize ||
      !multiplyChecked(request.stepsPerEpoch(), request.epochs, steps) || steps > (int64_t{1} << 52)) {
    error = "run: rows, batch size or epochs out of range";
    return false;
  }
  if (request.threads < 1 || request.threads > maxThreads) {
    error = "run: threads: out of range";
    return false;
  }
  const bool fits = request.batches > 0 ? request.drawn <= request.rows : request.drawn == request.rows;
  if (request.sampling != Sampling::withReplacement && !fits) {
    error =
        "run: an epoch takes every row once, or, of a given number of batches, at most once, unless they are drawn "
        "with replacement";
    return false;
  }
  const int64_t last = request.drawn - (request.stepsPerEpoch() - 1) * request.batchSize;
  if (request.group != nullptr) {
    if (!checkParts(request, error)) return false;
  } else if (last < 1 || last > capacity_) {
    error = "run: batches: they don't make up the rows of an epoch";
    return false;
  }
  const uint64_t total = static_cast<uint64_t>(steps);
  if (scalarCount_ > 0 && request.scalarLength / static_cast<uint64_t>(scalarCount_) < total) {
    error = "run: too few scalars for its steps";
    return false;
  }
  if (request.report != nullptr && reported_ > 0 && request.reportLength / reported_ < total) {
    error = "run: the report is too short for its steps";
    return false;
  }
  if (request.profile != nullptr && request.profileLength / 2 < instructions_.size()) {
    error = "run: the profile is too short for its instructions";
    return false;
  }
  if (request.feeds.size() != feeds_.size()) {
    error = "run: wrong number of feeds";
    return false;
  }
  for (size_t i = 0; i < feeds_.size(); i++) {
    const FeedEntry& entry = feeds_[i];
    const auto& [block, element, scale, offset] = request.feeds[i];
    if (entry.role == FeedRole::order) continue;
    const size_t bytes = elementBytes(entry.element);
    // The length of entries becomes a size. No other feed's does, which may be longer.
    const bool entries = entry.role == FeedRole::entries;
    const int64_t needed = entries ? 0 : (entry.role == FeedRole::source ? request.rows : request.drawn) * entry.perRow;
    const char* wrong = static_cast<uint64_t>(needed) > block.bytes / bytes ? "too short"
                        : element != entry.element                          ? "of another type"
                        : !aligned(block.data, bytes)                       ? "not aligned"
                        : entries && request.feeds[i].length() > maxSize    ? "too long"
                                                                            : nullptr;
    if (wrong == nullptr) continue;
    error = "run: feed " + std::to_string(i) + ": its buffer is " + wrong;
    return false;
  }
  return true;
}

}  // namespace blasnet
