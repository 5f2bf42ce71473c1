// A thread that runs one task after another and sleeps in between: creating one, and the memory that kernels keep for
// each thread, takes longer than an epoch of a small network.
#pragma once

#include <atomic>
#include <cstdint>

#include "thread.h"
#include "waiting.h"

namespace blasnet {

class Runner {
 public:
  using Task = void (*)(void* context);

  // Throws std::system_error if the system refuses the thread.
  Runner() : thread_([this] { work(); }) {}
  // Only between two tasks.
  ~Runner() {
    change(ending);
    thread_.join();
  }
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  // Runs task(context), which must not throw, on the thread. Only between two tasks.
  void start(Task task, void* context) {
    task_ = task;
    context_ = context;
    change(running);
  }
  // Waits for the end of the task, if there is one.
  void finish() const { sleepWhile(state_, running); }

 private:
  static constexpr uint32_t idle = 0, running = 1, ending = 2;

  void change(uint32_t state) {
    state_.store(state, std::memory_order_release);
    wakeAll(state_);
  }

  void work() {
    for (;;) {
      sleepWhile(state_, idle);
      if (state_.load(std::memory_order_relaxed) == ending) return;
      task_(context_);
      change(idle);
    }
  }

  std::atomic<uint32_t> state_{idle};
  Task task_ = nullptr;
  void* context_ = nullptr;
  Thread thread_;  // last: it uses the others
};

}  // namespace blasnet
