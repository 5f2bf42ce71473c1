// Runs a plan over a dataset: epochs, batches, instructions. The work is split into as many shares as the request has
// threads, regardless of how many threads work on them.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "ahead.h"
#include "plan.h"
#include "pool.h"
#include "sums.h"

namespace blasnet {

enum class RunStatus { done, cancelled, nonFinite, groupFailed };

struct RunResult {
  RunStatus status = RunStatus::done;
  int64_t steps = 0;
  double seconds = 0;
  const char* reason = nullptr;  // of a failed group
};

class Run {
 public:
  // `request` must have passed plan.checkRequest; both must outlive the run, as must everything they point to. Throws
  // std::bad_alloc, as does execute(): the two allocate everything that the run needs.
  Run(const Plan& plan, const RunRequest& request, const KernelSet& kernels);

  // Runs all steps. A nonzero value in the first of the two words at `control` (cancel, finished steps) ends the run
  // between two steps. Setting `abandon` to true ends it immediately, with unusable results. Both may be null. Throws
  // std::system_error if threads are unavailable, std::bad_alloc if BLAS cannot get memory. A run without `abandon`
  // blocks JavaScript, so while another run has the pool, it runs its steps on the calling thread alone.
  RunResult execute(Pool& pool, const std::atomic<bool>* abandon, int32_t* control);

 private:
  // One thread's operands for each instruction, and the batch that they are valid for.
  struct Operands {
    std::vector<Argument> values;
    BatchPart batch = {0, -1, 0, 0};
    bool complete = true;  // whether the step includes conditional instructions
  };

  struct Serial {
    Run& run;
    const Phase& phase;
    const Operands& operands;
  };

  bool together(Pool& pool, int threads, bool patient);
  static void region(void* context, int thread, int threads);
  void steps(int thread, int threads, Barrier* barrier);
  bool step(int64_t index, int thread, int threads, Barrier* barrier);
  void enter(const Phase& phase, const Operands& operands, int thread, Barrier* barrier);
  static void runSerial(void* serial);
  Ahead rowsAhead(int64_t index, int thread, int threads) const;
  void runShare(const InstructionRange& range, const Operands& operands, int part, bool timed, Ahead& ahead);
  bool isSkipped(size_t index, const Operands& operands) const;
  void call(size_t index, const Argument* arguments, const BatchPart& batch, int part);
  bool sumsOverRanks(const Instruction& instruction) const { return instruction.sums && request_.group != nullptr; }
  void sumOverRanks(size_t index, const Argument* arguments, const BatchPart& batch);
  void allReduce(const Argument* arguments, const BatchPart& batch);
  bool gatherShares();
  void beginEpoch(int64_t epoch, int thread, Barrier* barrier);
  void resolve(Operands& operands, int64_t index, const BatchPart& batch) const;
  bool wantsToStop() const;
  void finishStep(int64_t index);

  const Plan& plan_;
  const RunRequest& request_;
  const KernelFunction* functions_;
  std::vector<int32_t> order_;
  std::unique_ptr<Sums> sums_;      // that go on while later instructions run
  std::vector<Operands> operands_;  // by thread
  int64_t first_ = 0;               // steps of the current region
  int64_t last_ = 0;
  int64_t finished_ = 0;  // written by thread 0
  // Written while the other threads wait at a barrier.
  bool nonFinite_ = false;
  bool stopped_ = false;      // a rank wants to stop: all stop after this step
  bool left_ = false;         // a rank left in the middle of a step
  bool groupFailed_ = false;  // the ranks can't be summed over any more
  double serialSeconds_ = 0;  // likewise, for a profile: seconds of the last phase's serial instructions
  int32_t* control_ = nullptr;
  const std::atomic<bool>* abandon_ = nullptr;
  Barrier* barrier_ = nullptr;
};

}  // namespace blasnet
