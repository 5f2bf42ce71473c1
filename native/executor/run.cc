#include "run.h"

#include <chrono>
#include <cmath>

#include "../kernels/share.h"
#include "denormals.h"

namespace blasnet {

namespace {

// A region is as many steps as take about this long: the time that others wait for the pool, or for a run to stop.
constexpr double regionSeconds = 0.004;
constexpr double trialSeconds = 0.0005;
constexpr int64_t maxRegionSteps = 1 << 16;
// Bytes of a batch up to which it pays to fetch it during the step before: more would not stay in the cache.
constexpr int64_t mostAhead = 1 << 19;

using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

int32_t load(const int32_t* word) { return __atomic_load_n(word, __ATOMIC_RELAXED); }
void store(int32_t* word, int32_t value) { __atomic_store_n(word, value, __ATOMIC_RELAXED); }

}  // namespace

Run::Run(const Plan& plan, const RunRequest& request, const KernelSet& kernels)
    : plan_(plan), request_(request), functions_(kernels.functions) {
  if (plan.usesOrder()) {
    order_.resize(static_cast<size_t>(request.drawn));
    for (size_t i = 0; i < order_.size(); i++) order_[i] = static_cast<int32_t>(i);
  }
  size_t count = 0;
  for (const Instruction& instruction : plan.instructions()) count += instruction.arguments.size();
  operands_.resize(static_cast<size_t>(request.threads));
  for (Operands& operands : operands_) operands.values.resize(count);
}

RunResult Run::execute(Pool& pool, const std::atomic<bool>* stop, int32_t* control) {
  control_ = control;
  barrier_ = &pool.barrier();
  const int64_t total = request_.steps();
  plan_.governor().begin();
  const Clock::time_point start = Clock::now();
  RunResult result;
  double perStep = regionSeconds;
  while (finished_ < total) {
    if ((stop != nullptr && stop->load(std::memory_order_relaxed)) || (control != nullptr && load(control) != 0)) {
      result.status = RunStatus::cancelled;
      break;
    }
    const int threads = plan_.governor().choose(request_.threads);
    const double wanted = (plan_.governor().trying() ? trialSeconds : regionSeconds) / perStep;
    const int64_t length = wanted < 1 ? 1 : wanted > maxRegionSteps ? maxRegionSteps : static_cast<int64_t>(wanted);
    first_ = finished_;
    last_ = total - first_ < length ? total : first_ + length;
    const Clock::time_point begin = Clock::now();
    if (threads == 1) {
      steps(0, 1, nullptr);
    } else {
      const Pool::Turn turn(pool);
      pool.run(region, this, threads);
    }
    if (nonFinite_) {
      result.status = RunStatus::nonFinite;
      break;
    }
    const double seconds = secondsSince(begin) / static_cast<double>(last_ - first_);
    perStep = seconds > 1e-9 ? seconds : 1e-9;
    plan_.governor().record(threads, request_.threads, perStep);
  }
  result.steps = finished_;
  result.seconds = secondsSince(start);
  return result;
}

void Run::region(void* context, int thread, int threads) {
  Run& run = *static_cast<Run*>(context);
  run.steps(thread, threads, run.barrier_);
}

void Run::steps(int thread, int threads, Barrier* barrier) {
  const ZeroDenormals zeroDenormals;
  for (int64_t index = first_; index < last_; index++) {
    if (!step(index, thread, threads, barrier)) return;
  }
}

// One step on one thread; false when the guard ended the run.
bool Run::step(int64_t index, int thread, int threads, Barrier* barrier) {
  const int64_t perEpoch = request_.stepsPerEpoch();
  const int64_t inEpoch = index % perEpoch;
  if (inEpoch == 0 && request_.sampling != Sampling::inOrder && plan_.usesOrder()) beginEpoch(index / perEpoch, thread, barrier);
  const int64_t rows = request_.batchRows(index);
  // A program's barriers hold for batches of one size: shares of another size lie elsewhere, where others may still work.
  if (barrier != nullptr && index > first_ && rows != request_.batchRows(index - 1)) barrier->wait(thread);
  Operands& operands = operands_[thread];
  resolve(operands, index, inEpoch * request_.batchSize, rows);

  Ahead ahead = rowsAhead(index, thread, threads);
  for (const Phase& phase : plan_.phases()) {
    if (phase.barrier) meet(phase, operands, thread, barrier);
    if (phase.guard && nonFinite_) return false;
    const bool timed = thread == 0 && request_.profile != nullptr;
    for (int part = thread; part < request_.threads; part += threads) {
      const size_t count = phase.groups.size(), first = count * static_cast<size_t>(part) / static_cast<size_t>(request_.threads);
      for (size_t i = 0; i < count; i++) runShare(phase.groups[(first + i) % count], operands, part, timed, ahead);
    }
  }
  if (thread == 0) finishStep(index);
  return true;
}

// What this thread is going to collect for the next step of the epoch.
Ahead Run::rowsAhead(int64_t index, int thread, int threads) const {
  const Gathered& gathered = plan_.gathered();
  const int64_t perEpoch = request_.stepsPerEpoch(), next = index % perEpoch + 1;
  if (gathered.features == 0 || request_.sampling == Sampling::inOrder || next == perEpoch) return {};
  const int64_t rows = request_.batchRows(index + 1), rowBytes = gathered.features * gathered.elementBytes;
  if (rows * rowBytes > mostAhead) return {};
  const bool byColumns = gathered.columnGrain > 0;
  const Share mine = byColumns ? Share{0, rows} : share(rows, 1, thread, threads);
  const Share columns = byColumns ? share(gathered.features, gathered.columnGrain, thread, threads) : Share{0, gathered.features};
  return {request_.feeds[static_cast<int>(Feed::features)].data,
          request_.rows,
          rowBytes,
          columns.begin * gathered.elementBytes,
          columns.end * gathered.elementBytes,
          order_.data() + next * request_.batchSize + mine.begin,
          mine.end - mine.begin,
          static_cast<int64_t>(plan_.instructions().size())};
}

// What one thread does for all. It decides for all, too: the loss lies in memory that others can write, and threads that came to
// different answers would wait for each other for ever.
void Run::atMeeting(void* context) {
  const Meeting& meeting = *static_cast<Meeting*>(context);
  const Phase& phase = meeting.phase;
  Run& run = meeting.run;
  const bool timed = run.request_.profile != nullptr;
  Ahead nothing;
  const Clock::time_point begin = timed ? Clock::now() : Clock::time_point();
  run.runShare(phase.meeting, meeting.operands, 0, timed, nothing);
  if (timed) run.meetingSeconds_ = secondsSince(begin);
  if (phase.guard) run.nonFinite_ = !std::isfinite(run.plan_.metrics()[metricMeanLoss]);
}

// The barrier before a phase, if there are several threads; thread 0 tells a profile how long it waited.
void Run::meet(const Phase& phase, const Operands& operands, int thread, Barrier* barrier) {
  Meeting meeting = {*this, phase, operands};
  if (barrier == nullptr) return atMeeting(&meeting);
  if (thread != 0 || request_.profile == nullptr) return barrier->wait(thread, atMeeting, &meeting);
  const Clock::time_point begin = Clock::now();
  barrier->wait(thread, atMeeting, &meeting);
  request_.profile[2 * phase.meeting.begin + 1] += secondsSince(begin) - meetingSeconds_;
}

// Share `part` of some instructions.
void Run::runShare(const Stretch& stretch, const Operands& operands, int part, bool timed, Ahead& ahead) const {
  const Argument* arguments = operands.values.data() + stretch.argument;
  const int64_t rows = operands.rows;
  for (size_t i = stretch.begin; i < stretch.end; i++) {
    const Instruction& instruction = plan_.instructions()[i];
    if (timed) {
      const Clock::time_point begin = Clock::now();
      call(instruction, arguments, rows, part);
      request_.profile[2 * i] += secondsSince(begin);
    } else {
      call(instruction, arguments, rows, part);
    }
    arguments += instruction.arguments.size();
    ahead.fetchSome();
  }
}

// Share `part` of an instruction; of one without axis, part 0 is all.
void Run::call(const Instruction& instruction, const Argument* arguments, int64_t rows, int part) const {
  const int kernel = static_cast<int>(instruction.kernel);
  const int axis = signatures[kernel].axis;
  if (axis < 0) {
    if (part == 0) functions_[kernel](arguments, 0, 0);
    return;
  }
  const int64_t factor = instruction.axisFactor;
  // Shares of a batch are whole rows of it, so that a share meets its own results again in the next kernel.
  const Share mine = factor > 0 ? share(rows, 1, part, request_.threads)
                                : share(arguments[axis].integer, instruction.grain, part, request_.threads);
  const int64_t scale = factor > 0 ? factor : 1;
  if (mine.begin < mine.end) functions_[kernel](arguments, mine.begin * scale, mine.end * scale);
}

// Thread 0 draws the epoch's order; nobody may still read the last one, nobody may read the new one too early.
void Run::beginEpoch(int64_t epoch, int thread, Barrier* barrier) {
  if (barrier != nullptr) barrier->wait(thread);
  if (thread == 0) {
    const bool replacing = request_.sampling == Sampling::withReplacement;
    Argument arguments[6];
    Argument* next = arguments;
    next++->pointer = order_.data();
    next++->integer = request_.drawn;
    if (replacing) next++->integer = request_.rows;
    next++->integer = request_.seed;
    next++->integer = plan_.shuffleStream();
    next->integer = static_cast<uint32_t>(request_.epoch + static_cast<uint64_t>(epoch));
    functions_[static_cast<int>(replacing ? Kernel::drawWithReplacement : Kernel::permutation)](arguments, 0, 0);
  }
  if (barrier != nullptr) barrier->wait(thread);
}

// Fills in the operands of a step: all of them when the number of rows has changed, else those that change each step.
void Run::resolve(Operands& operands, int64_t index, int64_t begin, int64_t rows) const {
  const bool all = operands.rows != rows;
  operands.rows = rows;
  Argument* value = operands.values.data();
  for (const Instruction& instruction : plan_.instructions()) {
    const Signature& signature = signatures[static_cast<int>(instruction.kernel)];
    const Parameter* parameter = signature.parameters;
    for (const ArgumentSource& source : instruction.arguments) {
      switch (source.tag) {
        case ArgumentTag::feed: {
          const size_t bytes = parameter->element == Element::u8 ? 1 : 4;
          char* base = source.feed == Feed::order ? reinterpret_cast<char*>(const_cast<int32_t*>(order_.data()))
                                                  : static_cast<char*>(request_.feeds[static_cast<int>(source.feed)].data);
          value->pointer = base + static_cast<size_t>(begin * source.factor) * bytes;
          break;
        }
        case ArgumentTag::scalar: value->real = request_.scalars[index * plan_.scalarCount() + source.factor]; break;
        case ArgumentTag::step: value->integer = static_cast<uint32_t>(request_.step + static_cast<uint64_t>(index)); break;
        default:
          if (!all) break;
          if (source.tag == ArgumentTag::none) value->pointer = nullptr;
          if (source.tag == ArgumentTag::buffer) value->pointer = source.address;
          if (source.tag == ArgumentTag::rows) value->integer = rows * source.factor;
          if (source.tag == ArgumentTag::sourceRows) value->integer = request_.rows;
          if (source.tag == ArgumentTag::scale) value->real = request_.scale;
          if (source.tag == ArgumentTag::offset) value->real = request_.offset;
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
  if (request_.report != nullptr) {
    request_.report[2 * index] = plan_.metrics()[metricMeanLoss];
    request_.report[2 * index + 1] = plan_.metrics()[metricHitCount];
  }
  finished_ = index + 1;
  if (control_ != nullptr) store(control_ + 1, static_cast<int32_t>(finished_));
}

}  // namespace blasnet
