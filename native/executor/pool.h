// Threads that run one function together. They spin briefly between two calls and then sleep, so that small steps
// don't pay for a wake-up and an oversubscribed machine is left in peace.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "thread.h"

namespace blasnet {

// A meeting point of a fixed number of threads, for one region at a time.
class Barrier {
 public:
  void reset(int threads) {
    threads_ = threads;
    arrived_.store(0, std::memory_order_relaxed);
  }
  // The last thread to come calls atMeeting(context), if given, before any goes on. `thread` as in Pool::run.
  void wait(int thread, void (*atMeeting)(void*) = nullptr, void* context = nullptr);

 private:
  int threads_ = 1;
  std::atomic<int> arrived_{0};
  std::atomic<uint32_t> phase_{0};
  std::atomic<int> lastCore_{-1};  // where the last thread to come ran
};

class Pool {
 public:
  using Function = void (*)(void* context, int thread, int threads);

  Pool() = default;
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // Holds the pool for one region; callers take turns in the order in which they asked.
  class Turn {
   public:
    explicit Turn(Pool& pool);
    ~Turn();
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    Pool& pool_;
  };

  // Runs function(context, t, threads) for t = 0 … threads−1, the caller being thread 0, and waits for all; threads ≥ 2.
  // Needs a Turn. Starts missing threads first; throws std::system_error when the system refuses them.
  void run(Function function, void* context, int threads);

  Barrier& barrier() { return barrier_; }

 private:
  void work(int thread, uint32_t seen);
  void grow(int threads);

  Barrier barrier_;
  std::vector<Thread> workers_;

  // The region that the workers are to join: raised by one for each, read with acquire.
  std::atomic<uint32_t> generation_{0};
  std::atomic<int> running_{0};
  std::atomic<bool> ending_{false};
  std::atomic<int> callerCore_{-1};  // where the region's caller ran when it began
  Function function_ = nullptr;
  void* context_ = nullptr;
  int threads_ = 1;

  // Tickets drawn, and the one whose turn it is.
  std::atomic<uint32_t> next_{0};
  std::atomic<uint32_t> serving_{0};
};

}  // namespace blasnet
