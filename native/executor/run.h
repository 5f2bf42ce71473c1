// Runs a plan over a dataset: epochs, batches, instructions. The work is split into as many shares as the request has
// threads, whatever number of threads works on them.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "ahead.h"
#include "plan.h"
#include "pool.h"

namespace blasnet {

enum class RunStatus { done, cancelled, nonFinite };

struct RunResult {
  RunStatus status = RunStatus::done;
  int64_t steps = 0;
  double seconds = 0;
};

class Run {
 public:
  // `request` must have passed plan.checkRequest; both must outlive the run, as must all that they point to.
  // Allocates all that the run needs; throws std::bad_alloc.
  Run(const Plan& plan, const RunRequest& request, const KernelSet& kernels);

  // Makes all steps. `stop` set to true, or the first of the two words at `control` (cancel, finished steps) set to other
  // than 0, ends the run between two steps; both may be null. Throws std::system_error when threads can't be had.
  RunResult execute(Pool& pool, const std::atomic<bool>* stop, int32_t* control);

 private:
  // One thread's operands for each instruction, and the rows they were made for.
  struct Operands {
    std::vector<Argument> values;
    int64_t rows = -1;
  };

  struct Meeting {
    Run& run;
    const Phase& phase;
    const Operands& operands;
  };

  static void region(void* context, int thread, int threads);
  void steps(int thread, int threads, Barrier* barrier);
  bool step(int64_t index, int thread, int threads, Barrier* barrier);
  void meet(const Phase& phase, const Operands& operands, int thread, Barrier* barrier);
  static void atMeeting(void* meeting);
  Ahead rowsAhead(int64_t index, int thread, int threads) const;
  void runShare(const Stretch& stretch, const Operands& operands, int part, bool timed, Ahead& ahead) const;
  void call(const Instruction& instruction, const Argument* arguments, int64_t rows, int part) const;
  void beginEpoch(int64_t epoch, int thread, Barrier* barrier);
  void resolve(Operands& operands, int64_t index, int64_t begin, int64_t rows) const;
  void finishStep(int64_t index);

  const Plan& plan_;
  const RunRequest& request_;
  const KernelFunction* functions_;
  std::vector<int32_t> order_;
  std::vector<Operands> operands_;  // by thread
  int64_t first_ = 0;               // steps of the region that is on
  int64_t last_ = 0;
  int64_t finished_ = 0;       // written by thread 0
  bool nonFinite_ = false;     // written where threads meet
  double meetingSeconds_ = 0;  // the same, for a profile: what the last meeting's instructions took
  int32_t* control_ = nullptr;
  Barrier* barrier_ = nullptr;
};

}  // namespace blasnet
