// A run on a separate thread, in parallel to JavaScript.
#pragma once

#include <napi.h>

#include <atomic>
#include <memory>
#include <utility>

#include "../executor/run.h"
#include "../executor/runner.h"

namespace blasnet {

class Environment;
class PlanObject;

class AsyncRun {
 public:
  // `keep` holds every JavaScript value whose memory the run uses.
  AsyncRun(Napi::Env env, PlanObject& plan, const RunRequest& request, int32_t* control, Napi::Object keep,
           Napi::Function done);
  ~AsyncRun();

  // On a thread that is free.
  void start(Environment& environment, std::unique_ptr<Runner> runner);
  // Ends the run in the middle of a step, when the environment ends.
  void abandon() { abandon_.store(true, std::memory_order_relaxed); }
  void join();
  // The thread of a run that has ended.
  std::unique_ptr<Runner> takeRunner() { return std::move(runner_); }

 private:
  void work();
  void moveFeeds();
  static void finish(Napi::Env env, Napi::Function done, void*, AsyncRun* run);
  // Queues the run itself: a Napi::ThreadSafeFunction would allocate for each call. The allocation may fail, and it
  // leaks if the environment ends before the call.
  using Done = Napi::TypedThreadSafeFunction<void, AsyncRun, finish>;

  PlanObject& plan_;
  RunRequest request_;
  Run run_;
  int32_t* control_;
  Environment* environment_ = nullptr;
  Napi::ObjectReference keep_;
  Done done_;
  std::unique_ptr<Runner> runner_;
  std::atomic<bool> abandon_{false};
  RunResult result_;
  const char* error_ = nullptr;  // null: the run ended as result_ says
};

}  // namespace blasnet
