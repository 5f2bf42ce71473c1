#include "pool.h"

#include "spinning.h"
#include "waiting.h"

#if defined(__linux__)
#include <sched.h>
#endif

namespace blasnet {

namespace {

// How long a thread spins at a barrier before it goes to sleep.
constexpr double barrierSeconds = 80e-6;
// Between two runs a worker spins for a while: the next epoch usually begins within that time, and a thread that was
// asleep may wake on the wrong core.
constexpr double idleSeconds = 2e-3;

// The calling thread's core, or -1 if the system does not report it.
int currentCore() {
#if defined(__linux__)
  return sched_getcpu();
#else
  return -1;
#endif
}

// A woken thread often starts on the core of the thread that woke it. The two may stay together for long, each waiting
// for the other. Moves the calling thread off that core if it may run on another; afterwards it may run anywhere again.
void leaveCore(int core) {
#if defined(__linux__)
  if (core < 0 || core >= CPU_SETSIZE || core != currentCore()) return;
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) < 2) return;
  cpu_set_t others = allowed;
  CPU_CLR(core, &others);
  if (sched_setaffinity(0, sizeof others, &others) == 0) sched_setaffinity(0, sizeof allowed, &allowed);
#else
  (void)core;
#endif
}

// Returns once `value` differs from `old`: spins, then sleeps. True if it slept.
bool awaitChange(const std::atomic<uint32_t>& value, uint32_t old, double seconds) {
  for (int64_t i = spinsIn(seconds); i > 0; i--) {
    if (value.load(std::memory_order_acquire) != old) return false;
    relax();
  }
  sleepWhile(value, old);
  return true;
}

}  // namespace

void Barrier::wait(int thread, void (*atBarrier)(void*), void* context) {
  const uint32_t phase = phase_.load(std::memory_order_relaxed);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == threads_) {
    if (atBarrier != nullptr) atBarrier(context);
    arrived_.store(0, std::memory_order_relaxed);
    lastCore_.store(currentCore(), std::memory_order_relaxed);
    phase_.store(phase + 1, std::memory_order_release);
    wakeAll(phase_);
    return;
  }
  // Thread 0 may be JavaScript's, so its affinity must not be changed.
  if (awaitChange(phase_, phase, barrierSeconds) && thread != 0) leaveCore(lastCore_.load(std::memory_order_relaxed));
}

Pool::~Pool() {
  ending_.store(true, std::memory_order_relaxed);
  for (const auto& worker : workers_) {
    worker->calls.fetch_add(1, std::memory_order_release);
    wakeAll(worker->calls);
  }
  for (const auto& worker : workers_) worker->thread.join();
}

Pool::Turn::Turn(Pool& pool, bool patient) : pool_(pool) {
  if (!patient) {
    uint32_t serving = pool.serving_.load(std::memory_order_acquire);
    held_ =
        pool.next_.compare_exchange_strong(serving, serving + 1, std::memory_order_acquire, std::memory_order_relaxed);
    return;
  }
  const uint32_t ticket = pool.next_.fetch_add(1, std::memory_order_relaxed);
  for (;;) {
    const uint32_t serving = pool.serving_.load(std::memory_order_acquire);
    if (serving == ticket) return;
    sleepWhile(pool.serving_, serving);
  }
}

Pool::Turn::~Turn() {
  if (!held_) return;
  pool_.serving_.fetch_add(1, std::memory_order_release);
  wakeAll(pool_.serving_);
}

void Pool::grow(int threads) {
  workers_.reserve(threads - 1);
  while (static_cast<int>(workers_.size()) < threads - 1) {
    const int thread = static_cast<int>(workers_.size()) + 1;
    auto worker = std::make_unique<Worker>();
    worker->thread = Thread([this, &worker = *worker, thread] { work(worker, thread); });
    workers_.push_back(std::move(worker));
  }
}

void Pool::run(Function function, void* context, int threads) {
  grow(threads);
  barrier_.reset(threads);
  function_ = function;
  context_ = context;
  threads_ = threads;
  callerCore_.store(currentCore(), std::memory_order_relaxed);
  running_.store(threads - 1, std::memory_order_relaxed);
  for (int thread = 1; thread < threads; thread++) {
    std::atomic<uint32_t>& calls = workers_[static_cast<size_t>(thread - 1)]->calls;
    calls.fetch_add(1, std::memory_order_release);
    wakeAll(calls);
  }
  function(context, 0, threads);
  // The workers are almost done: they ran the same steps.
  for (int left = running_.load(std::memory_order_acquire); left != 0;
       left = running_.load(std::memory_order_acquire)) {
    for (int64_t i = spinsIn(barrierSeconds); i > 0 && running_.load(std::memory_order_acquire) != 0; i--) relax();
    if (running_.load(std::memory_order_acquire) == left) sleepWhile(running_, left);
  }
}

void Pool::work(Worker& worker, int thread) {
  // Each region waits for all workers that it calls, so no call is missed.
  for (uint32_t calls = 1;; calls++) {
    awaitChange(worker.calls, calls - 1, idleSeconds);
    if (ending_.load(std::memory_order_relaxed)) return;
    leaveCore(callerCore_.load(std::memory_order_relaxed));
    function_(context_, thread, threads_);
    if (running_.fetch_sub(1, std::memory_order_release) == 1) wakeAll(running_);
  }
}

}  // namespace blasnet
