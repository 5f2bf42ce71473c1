#include "pool.h"

#include "waiting.h"

#if defined(__linux__)
#include <sched.h>
#endif

namespace blasnet {

namespace {

// Spins of a few nanoseconds each before a thread goes to sleep: some tens of microseconds in all.
constexpr int barrierSpins = 4000;
// Between two runs a worker stays awake for about a millisecond: the next epoch usually begins within that, and a thread that
// was asleep may wake on the wrong core.
constexpr int idleSpins = 100000;

inline void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// The core that the calling thread runs on, or -1 where the system does not tell.
int currentCore() {
#if defined(__linux__)
  return sched_getcpu();
#else
  return -1;
#endif
}

// A woken thread often finds itself on the core of the thread that woke it, and the two may stay together for long, each waiting
// for the other. Moves the calling thread off that core, if it may run on another; it is then free to go anywhere again.
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
bool awaitChange(const std::atomic<uint32_t>& value, uint32_t old, int spins) {
  for (int i = 0; i < spins; i++) {
    if (value.load(std::memory_order_acquire) != old) return false;
    relax();
  }
  sleepWhile(value, old);
  return true;
}

}  // namespace

void Barrier::wait(int thread, void (*atMeeting)(void*), void* context) {
  const uint32_t phase = phase_.load(std::memory_order_relaxed);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == threads_) {
    if (atMeeting != nullptr) atMeeting(context);
    arrived_.store(0, std::memory_order_relaxed);
    lastCore_.store(currentCore(), std::memory_order_relaxed);
    phase_.store(phase + 1, std::memory_order_release);
    wakeAll(phase_);
    return;
  }
  // Thread 0 may be JavaScript's, whose affinity is not ours to touch.
  if (awaitChange(phase_, phase, barrierSpins) && thread != 0) leaveCore(lastCore_.load(std::memory_order_relaxed));
}

Pool::~Pool() {
  ending_.store(true, std::memory_order_relaxed);
  generation_.fetch_add(1, std::memory_order_release);
  wakeAll(generation_);
  for (Thread& worker : workers_) worker.join();
}

Pool::Turn::Turn(Pool& pool) : pool_(pool) {
  const uint32_t ticket = pool.next_.fetch_add(1, std::memory_order_relaxed);
  for (;;) {
    const uint32_t serving = pool.serving_.load(std::memory_order_acquire);
    if (serving == ticket) return;
    sleepWhile(pool.serving_, serving);
  }
}

Pool::Turn::~Turn() {
  pool_.serving_.fetch_add(1, std::memory_order_release);
  wakeAll(pool_.serving_);
}

void Pool::grow(int threads) {
  workers_.reserve(threads - 1);
  while (static_cast<int>(workers_.size()) < threads - 1) {
    const int thread = static_cast<int>(workers_.size()) + 1;
    const uint32_t seen = generation_.load(std::memory_order_relaxed);
    workers_.emplace_back([this, thread, seen] { work(thread, seen); });
  }
}

void Pool::run(Function function, void* context, int threads) {
  grow(threads);
  barrier_.reset(threads);
  function_ = function;
  context_ = context;
  threads_ = threads;
  callerCore_.store(currentCore(), std::memory_order_relaxed);
  running_.store(static_cast<int>(workers_.size()), std::memory_order_relaxed);
  generation_.fetch_add(1, std::memory_order_release);
  wakeAll(generation_);
  function(context, 0, threads);
  // The workers have little left to do: they ran the same steps.
  for (int left = running_.load(std::memory_order_acquire); left != 0; left = running_.load(std::memory_order_acquire)) {
    for (int i = 0; i < barrierSpins && running_.load(std::memory_order_acquire) != 0; i++) relax();
    if (running_.load(std::memory_order_acquire) == left) sleepWhile(running_, left);
  }
}

void Pool::work(int thread, uint32_t seen) {
  for (;;) {
    awaitChange(generation_, seen, idleSpins);
    // Each region waits for all workers, so none is ever missed.
    seen = generation_.load(std::memory_order_acquire);
    if (ending_.load(std::memory_order_relaxed)) return;
    if (thread < threads_) {
      leaveCore(callerCore_.load(std::memory_order_relaxed));
      function_(context_, thread, threads_);
    }
    if (running_.fetch_sub(1, std::memory_order_release) == 1) wakeAll(running_);
  }
}

}  // namespace blasnet
