// Threads that run one function together. Between two calls they spin briefly and then sleep. So small steps don't pay
// for a wake-up, and idle threads don't load a busy machine.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "thread.h"

namespace blasnet {

// A barrier for a fixed number of threads, for one region at a time.
class Barrier {
 public:
  void reset(int threads) {
    threads_ = threads;
    arrived_.store(0, std::memory_order_relaxed);
  }
  // The last thread to arrive calls atBarrier(context), if given, before any thread continues. `thread` as in
  // Pool::run.
  void wait(int thread, void (*atBarrier)(void*) = nullptr, void* context = nullptr);

 private:
  int threads_ = 1;
  std::atomic<int> arrived_{0};
  std::atomic<uint32_t> phase_{0};
  std::atomic<int> lastCore_{-1};  // core of the last thread to arrive
};

class Pool {
 public:
  using Function = void (*)(void* context, int thread, int threads);

  Pool() = default;
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // Holds the pool for one region; callers are served in order of arrival.
  class Turn {
   public:
    // Waits for its turn; if `patient` is false, takes it only if no other thread has one or waits for one.
    explicit Turn(Pool& pool, bool patient = true);
    ~Turn();
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

    bool held() const { return held_; }

   private:
    Pool& pool_;
    bool held_ = true;
  };

  // Runs function(context, t, threads) for t = 0 … threads−1, with the caller as thread 0, and waits for all; threads ≥
  // 2. Needs a Turn. Starts missing threads first; throws std::system_error if the system refuses. Other workers stay
  // asleep.
  void run(Function function, void* context, int threads);

  Barrier& barrier() { return barrier_; }

 private:
  struct alignas(64) Worker {
    // Incremented for each region that the worker must join, read with acquire.
    std::atomic<uint32_t> calls{0};
    Thread thread;
  };

  void work(Worker& worker, int thread);
  void grow(int threads);

  Barrier barrier_;
  std::vector<std::unique_ptr<Worker>> workers_;  // threads 1, 2, …

  std::atomic<int> running_{0};  // workers that have not finished the region
  std::atomic<bool> ending_{false};
  std::atomic<int> callerCore_{-1};  // core of the region's caller at its start
  Function function_ = nullptr;
  void* context_ = nullptr;
  int threads_ = 1;

  // Number of tickets drawn, and the ticket whose turn it is.
  std::atomic<uint32_t> next_{0};
  std::atomic<uint32_t> serving_{0};
};

}  // namespace blasnet
