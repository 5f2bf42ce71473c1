#include "run.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <numeric>

#include "../kernels/abandon.h"
#include "../kernels/blas_buffers.h"
#include "../kernels/share.h"
#include "denormals.h"

namespace blasnet {

namespace {

// A region is the number of steps that take about this long. It bounds how long others wait for the pool, or for a run
// to stop.
constexpr double regionSeconds = 0.004;
constexpr double trialSeconds = 0.0005;
constexpr int64_t maxRegionSteps = 1 << 16;
// Largest batch in bytes that is worth prefetching during the step before: more would not stay in the cache.
constexpr int64_t maxAhead = 1 << 19;

using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

int32_t load(const int32_t* word) { return __atomic_load_n(word, __ATOMIC_RELAXED); }
// A reader that sees the number of finished steps also sees their report.
void store(int32_t* word, int32_t value) { __atomic_store_n(word, value, __ATOMIC_RELEASE); }

}  // namespace

Run::Run(const Plan& plan, const RunRequest& request, const KernelSet& kernels)
    : plan_(plan), request_(request), functions_(kernels.functions) {
  size_t count = 0;
  for (const Instruction& instruction : plan.instructions()) count += instruction.arguments.size();
  operands_.resize(static_cast<size_t>(request.threads));
  for (Operands& operands : operands_) operands.values.resize(count);
}

RunResult Run::execute(Pool& pool, const std::atomic<bool>* abandon, int32_t* control) {
  const BlasBuffers buffers(request_.threads);
  control_ = control;
  abandon_ = abandon;
  barrier_ = &pool.barrier();
  // Not in the constructor, which may run on JavaScript's thread: with many rows this takes a while.
  if (plan_.usesOrder()) {
    // An epoch uses the first rows of a permutation of all rows.
    order_.resize(static_cast<size_t>(request_.sampling == Sampling::shuffle ? request_.rows : request_.drawn));
    std::iota(order_.begin(), order_.end(), 0);
  }
  if (request_.group != nullptr && plan_.startedSums() > 0)
    sums_ = std::make_unique<Sums>(*request_.group, plan_.startedSums());
  const int64_t total = request_.steps();
  plan_.governor().begin();
  const Clock::time_point start = Clock::now();
  RunResult result;
  double perStep = regionSeconds;
  while (finished_ < total) {
    // With a group, the sum of a step says whether a rank stops.
    if (request_.group == nullptr && wantsToStop()) {
      result.status = RunStatus::cancelled;
      break;
    }
    const int threads = plan_.governor().choose(request_.threads);
    const double wanted = (plan_.governor().trying() ? trialSeconds : regionSeconds) / perStep;
    const int64_t length = wanted < 1 ? 1 : wanted > maxRegionSteps ? maxRegionSteps : static_cast<int64_t>(wanted);
    first_ = finished_;
    last_ = total - first_ < length ? total : first_ + length;
    const Clock::time_point begin = Clock::now();
    const bool helped = threads > 1 && together(pool, threads, abandon != nullptr);
    if (!helped) steps(0, 1, nullptr);
    if (nonFinite_ || groupFailed_) {
      result.status = groupFailed_ ? RunStatus::groupFailed : RunStatus::nonFinite;
      if (groupFailed_) result.reason = left_ ? "a rank left it in the middle of a step" : request_.group->error();
      break;
    }
    if (stopped_) {
      result.status = finished_ < total ? RunStatus::cancelled : RunStatus::done;
      break;
    }
    const double seconds = secondsSince(begin) / static_cast<double>(last_ - first_);
    perStep = seconds > 1e-9 ? seconds : 1e-9;
    if (helped || threads == 1) plan_.governor().record(threads, request_.threads, perStep);
  }
  if (request_.group != nullptr && result.status != RunStatus::groupFailed && !gatherShares()) {
    result.status = RunStatus::groupFailed;
    result.reason = request_.group->error();
  }
  result.steps = finished_;
  result.seconds = secondsSince(start);
  return result;
}

// Runs the region on several threads; returns false, with nothing done, if the pool is taken and `patient` is false.
bool Run::together(Pool& pool, int threads, bool patient) {
  const Pool::Turn turn(pool, patient);
  if (turn.held()) pool.run(region, this, threads);
  return turn.held();
}

void Run::region(void* context, int thread, int threads) {
  Run& run = *static_cast<Run*>(context);
  run.steps(thread, threads, run.barrier_);
}

void Run::steps(int thread, int threads, Barrier* barrier) {
  const ZeroDenormals zeroDenormals;
  const Abandonment abandonment(abandon_);
  for (int64_t index = first_; index < last_; index++) {
    if (!step(index, thread, threads, barrier) || stopped_) return;
  }
}

// One step on one thread; returns false if the guard ended the run.
bool Run::step(int64_t index, int thread, int threads, Barrier* barrier) {
  const int64_t perEpoch = request_.stepsPerEpoch();
  const int64_t inEpoch = index % perEpoch;
  if (inEpoch == 0 && request_.sampling != Sampling::inOrder && plan_.usesOrder())
    beginEpoch(index / perEpoch, thread, barrier);
  const BatchPart batch = request_.batch(index);
  // A program's barriers assume a constant batch size, of this rank and of all. With another size, shares lie
  // elsewhere, where other threads may still be working.
  if (barrier != nullptr && index > first_) {
    const BatchPart last = request_.batch(index - 1);
    if (batch.rows != last.rows || batch.of != last.of) barrier->wait(thread);
  }
  Operands& operands = operands_[thread];
  resolve(operands, index, batch);

  Ahead ahead = rowsAhead(index, thread, threads);
  for (const Phase& phase : plan_.phases()) {
    if (phase.barrier) enter(phase, operands, thread, barrier);
    if ((phase.guard && nonFinite_) || (phase.barrier && groupFailed_)) return false;
    const bool timed = thread == 0 && request_.profile != nullptr;
    for (int part = thread; part < request_.threads; part += threads)
      runShare(phase.shared, operands, part, timed, ahead);
  }
  if (thread == 0) finishStep(index);
  return true;
}

// The rows that this thread will gather for the next step of the epoch.
Ahead Run::rowsAhead(int64_t index, int thread, int threads) const {
  const Gathered& gathered = plan_.gathered();
  const int64_t perEpoch = request_.stepsPerEpoch(), next = index % perEpoch + 1;
  if (gathered.features == 0 || request_.sampling == Sampling::inOrder || next == perEpoch) return {};
  const auto [begin, rows, first, of] = request_.batch(index + 1);
  const int64_t rowBytes = gathered.features * gathered.elementBytes;
  if (rows * rowBytes > maxAhead) return {};
  const bool byColumns = gathered.columnGrain > 0;
  const Share mine = byColumns ? Share{0, rows} : share(rows, 1, thread, threads);
  const Share columns =
      byColumns ? share(gathered.features, gathered.columnGrain, thread, threads) : Share{0, gathered.features};
  return {request_.feeds[gathered.feed].block.data,
          request_.rows,
          rowBytes,
          columns.begin * gathered.elementBytes,
          columns.end * gathered.elementBytes,
          order_.data() + begin + mine.begin,
          mine.end - mine.begin,
          static_cast<int64_t>(plan_.instructions().size())};
}

// Work that one thread does for all. It also decides for all: the loss lies in memory that others can write, and
// threads that disagreed would wait for each other forever.
void Run::runSerial(void* context) {
  const auto& [run, phase, operands] = *static_cast<Serial*>(context);
  const bool timed = run.request_.profile != nullptr;
  Ahead nothing;
  const Clock::time_point begin = timed ? Clock::now() : Clock::time_point();
  run.runShare(phase.serial, operands, 0, timed, nothing);
  if (timed) run.serialSeconds_ = secondsSince(begin);
  if (phase.guard) run.nonFinite_ = !std::isfinite(run.plan_.loss());
}

// The barrier before a phase, if there are several threads; thread 0 profiles its wait.
void Run::enter(const Phase& phase, const Operands& operands, int thread, Barrier* barrier) {
  Serial serial = {*this, phase, operands};
  if (barrier == nullptr) return runSerial(&serial);
  if (thread != 0 || request_.profile == nullptr) return barrier->wait(thread, runSerial, &serial);
  const Clock::time_point begin = Clock::now();
  barrier->wait(thread, runSerial, &serial);
  request_.profile[2 * phase.serial.begin + 1] += secondsSince(begin) - serialSeconds_;
}

// Runs share `part` of some instructions.
void Run::runShare(const InstructionRange& range, const Operands& operands, int part, bool timed, Ahead& ahead) {
  const Argument* arguments = operands.values.data() + range.argument;
  for (size_t i = range.begin; i < range.end; i++) {
    const Instruction& instruction = plan_.instructions()[i];
    if (isSkipped(i, operands)) {
      arguments += instruction.arguments.size();
      continue;
    }
    if (timed) {
      const Clock::time_point begin = Clock::now();
      call(i, arguments, operands.batch, part);
      // The thread that computes the sum reports its time.
      if (instruction.kernel != Kernel::startSum) request_.profile[2 * i] += secondsSince(begin);
    } else {
      call(i, arguments, operands.batch, part);
    }
    arguments += instruction.arguments.size();
    ahead.fetchSome();
  }
}

bool Run::isSkipped(size_t index, const Operands& operands) const {
  const Instruction& instruction = plan_.instructions()[index];
  const bool conditional = instruction.conditional && !operands.complete;
  // Every rank takes part in each sum. The last one before all stop is computed, so that all have the same parameters.
  if (sumsOverRanks(instruction)) return conditional && !stopped_;
  // Each thread decides on its own: all still arrive at each barrier of the region's steps.
  return abandoned() || conditional || (instruction.ownRows && operands.batch.rows == 0);
}

// Sums over the ranks, on one thread.
void Run::sumOverRanks(size_t index, const Argument* arguments, const BatchPart& batch) {
  const Kernel kernel = plan_.instructions()[index].kernel;
  if (kernel == Kernel::allReduce) return allReduce(arguments, batch);
  float* values = static_cast<float*>(arguments[0].pointer);
  const int64_t count = arguments[1].integer;
  if (groupFailed_) return;
  if (kernel == Kernel::startSum) {
    if (batch.rows == 0) std::fill_n(values, count, 0.0f);
    return sums_->start(values, count, arguments[2].integer != 0,
                        request_.profile == nullptr ? nullptr : request_.profile + 2 * index);
  }
  if (kernel == Kernel::gatherShares) {
    groupFailed_ = !request_.group->gatherShares(values, count);
    return;
  }
  // Values of weight 0 may be NaN or infinite.
  if (arguments[2].real == 0)
    std::fill_n(values, count, 0.0f);
  else
    functions_[static_cast<int>(kernel)](arguments, 0, 0, 0);
  groupFailed_ = (sums_ != nullptr && !sums_->finish()) || !request_.group->sum(values, count);
}

// A rank without rows adds nothing. The last sum of a step also agrees on whether to stop.
void Run::allReduce(const Argument* arguments, const BatchPart& batch) {
  float* values = static_cast<float*>(arguments[0].pointer);
  double* totals = static_cast<double*>(arguments[1].pointer);
  const int64_t valueCount = values == nullptr ? 0 : arguments[2].integer;
  const int64_t totalCount = totals == nullptr ? 0 : arguments[3].integer;
  const bool last = arguments[4].integer != 0 && totalCount > 0;
  if (batch.rows == 0) {
    std::fill_n(values, valueCount, 0.0f);
    std::fill_n(totals, totalCount, 0.0);
  }
  // The totals of a rank that is aborted in the middle of a step are incomplete.
  if (last) totals[0] = abandoned() ? std::numeric_limits<double>::quiet_NaN() : wantsToStop() ? 1 : 0;
  if (groupFailed_) return;
  groupFailed_ = (sums_ != nullptr && !sums_->finish()) ||
                 !(totalCount == 0 || request_.group->sum(totals, totalCount)) ||
                 !(valueCount == 0 || request_.group->sum(values, valueCount));
  if (!last || groupFailed_) return;
  groupFailed_ = left_ = std::isnan(totals[0]);
  stopped_ = totals[0] > 0;
}

// Gives all ranks each one's share of what the update works on: gradients, moments, averages. Parameters have been
// gathered in each step.
bool Run::gatherShares() {
  const std::vector<Instruction>& instructions = plan_.instructions();
  // Whether an instruction before `end` works on the same buffer, or gathers it.
  const auto isGathered = [&](const void* buffer, size_t end) {
    for (size_t i = 0; i < instructions.size(); i++) {
      const Instruction& other = instructions[i];
      if (other.kernel == Kernel::gatherShares && other.arguments[0].address == buffer) return true;
      if (i >= end || !other.ownShare) continue;
      for (const ArgumentSource& source : other.arguments) {
        if (source.tag == ArgumentTag::buffer && source.address == buffer) return true;
      }
    }
    return false;
  };
  for (size_t at = 0; at < instructions.size(); at++) {
    const Instruction& instruction = instructions[at];
    if (!instruction.ownShare) continue;
    const int64_t count = static_cast<int64_t>(instruction.arguments[instruction.axis].number);
    for (const ArgumentSource& source : instruction.arguments) {
      if (source.tag != ArgumentTag::buffer || isGathered(source.address, at)) continue;
      if (!request_.group->gatherShares(static_cast<float*>(source.address), count)) return false;
    }
  }
  return true;
}

bool Run::wantsToStop() const {
  return (abandon_ != nullptr && abandon_->load(std::memory_order_relaxed)) ||
         (control_ != nullptr && load(control_) != 0);
}

// Runs share `part` of an instruction; without an axis, part 0 is all of it.
void Run::call(size_t index, const Argument* arguments, const BatchPart& batch, int part) {
  const Instruction& instruction = plan_.instructions()[index];
  const int kernel = static_cast<int>(instruction.kernel);
  const int axis = instruction.axis;
  if (sumsOverRanks(instruction)) {
    if (part == 0) sumOverRanks(index, arguments, batch);
    return;
  }
  if (axis < 0) {
    if (part == 0) functions_[kernel](arguments, 0, 0, 0);
    return;
  }
  const int64_t factor = instruction.axisFactor;
  // Shares of a batch are whole rows, so that a share reads its own results in the next kernel.
  const int64_t rows = instruction.allRows ? batch.of : batch.rows;
  const bool divided = instruction.ownShare && request_.group != nullptr;
  const Share own = divided ? request_.group->shareOf(arguments[axis].integer, request_.group->rank())
                            : Share{0, arguments[axis].integer};
  const Share mine = factor > 0 ? share(rows, 1, part, request_.threads)
                                : share(own.end - own.begin, instruction.grain, part, request_.threads);
  const int64_t scale = factor > 0 ? factor : 1;
  if (mine.begin >= mine.end) return;
  const int64_t passed = instruction.overRanks ? batch.first : divided ? own.begin : 0;
  functions_[kernel](arguments, instruction.axisPlace, (passed + mine.begin) * scale, (passed + mine.end) * scale);
}

// Thread 0 draws the epoch's order. The barriers ensure that nobody still reads the last one or reads the new one too
// early.
void Run::beginEpoch(int64_t epoch, int thread, Barrier* barrier) {
  if (barrier != nullptr) barrier->wait(thread);
  if (thread == 0) {
    const bool replacing = request_.sampling == Sampling::withReplacement;
    Argument arguments[6];
    Argument* next = arguments;
    next++->pointer = order_.data();
    next++->integer = static_cast<int64_t>(order_.size());
    if (replacing) next++->integer = request_.rows;
    next++->integer = request_.seed;
    next++->integer = plan_.shuffleStream();
    next->integer = static_cast<uint32_t>(request_.epoch + static_cast<uint64_t>(epoch));
    functions_[static_cast<int>(replacing ? Kernel::drawWithReplacement : Kernel::permutation)](arguments, 0, 0, 0);
  }
  if (barrier != nullptr) barrier->wait(thread);
}

// Fills in the operands of a step: all of them if the number of rows has changed, otherwise those that change each
// step.
void Run::resolve(Operands& operands, int64_t index, const BatchPart& batch) const {
  const BatchPart& last = operands.batch;
  const bool all = last.rows != batch.rows || last.first != batch.first || last.of != batch.of;
  operands.batch = batch;
  operands.complete = plan_.condition() < 0 || request_.scalars[index * plan_.scalarCount() + plan_.condition()] != 0;
  Argument* value = operands.values.data();
  for (const Instruction& instruction : plan_.instructions()) {
    const Signature& signature = signatures[static_cast<int>(instruction.kernel)];
    const Parameter* parameter = signature.parameters;
    for (const ArgumentSource& source : instruction.arguments) {
      switch (source.tag) {
        case ArgumentTag::feed: {
          const FeedEntry& feed = plan_.feeds()[source.feed];
          char* base = feed.role == FeedRole::order ? reinterpret_cast<char*>(const_cast<int32_t*>(order_.data()))
                                                    : static_cast<char*>(request_.feeds[source.feed].block.data);
          const int64_t first = instruction.allRows ? batch.begin - batch.first : batch.begin;
          const bool whole = feed.role == FeedRole::source || feed.role == FeedRole::entries;
          const int64_t passed = whole ? 0 : first * feed.perRow;
          value->pointer = base + static_cast<size_t>(passed) * elementBytes(feed.element);
          break;
        }
        case ArgumentTag::scalar: value->real = request_.scalars[index * plan_.scalarCount() + source.factor]; break;
        case ArgumentTag::step:
          value->integer = static_cast<uint32_t>(request_.step + static_cast<uint64_t>(index));
          break;
        default:
          if (!all) break;
          if (source.tag == ArgumentTag::none) value->pointer = nullptr;
          // Over all ranks, row `first` is this rank's first; the kernel does not touch the others.
          if (source.tag == ArgumentTag::buffer)
            value->pointer = reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(source.address) -
                                                     static_cast<uintptr_t>(batch.first * source.rowBytes));
          if (source.tag == ArgumentTag::rows)
            value->integer = (instruction.overRanks || instruction.allRows ? batch.of : batch.rows) * source.factor;
          if (source.tag == ArgumentTag::share)
            value->real = static_cast<double>(batch.rows) / static_cast<double>(batch.of);
          if (source.tag == ArgumentTag::sourceRows) value->integer = request_.rows;
          if (source.tag == ArgumentTag::length) value->integer = request_.feeds[source.feed].length();
          if (source.tag == ArgumentTag::scale) value->real = request_.feeds[source.feed].scale;
          if (source.tag == ArgumentTag::offset) value->real = request_.feeds[source.feed].offset;
          if (source.tag == ArgumentTag::number) {
            if (parameter->kind == ParameterKind::real)
              value->real = source.number;
            else
              value->integer = static_cast<int64_t>(source.number);
          }
      }
      value++;
      parameter++;
    }
  }
}

void Run::finishStep(int64_t index) {
  const size_t count = plan_.reported();
  if (request_.report != nullptr)
    std::copy_n(plan_.metrics(), count, request_.report + static_cast<size_t>(index) * count);
  finished_ = index + 1;
  if (control_ != nullptr) store(control_ + 1, static_cast<int32_t>(finished_));
}

}  // namespace blasnet
