// What one JavaScript environment (the main thread or a worker) owns: its threads and its runs.
#pragma once

#include <napi.h>

#include <list>
#include <memory>

#include "../executor/pool.h"
#include "async_run.h"

namespace blasnet {

class GroupObject;

class Environment {
 public:
  explicit Environment(Napi::Env env);
  ~Environment();
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  static Environment& of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

  // Starts a run on a new thread.
  void start(std::unique_ptr<AsyncRun> run);
  // Waits for the thread of a run that has ended, then deletes the run.
  void finish(AsyncRun* run);
  // Ends all runs immediately, in the middle of a step, and waits for their threads. A call of the group that waits for
  // other processes fails.
  void stop();

  Pool pool;
  const KernelSet* kernels;
  Napi::FunctionReference planConstructor;
  Napi::FunctionReference groupConstructor;
  GroupObject* group = nullptr;  // the one that is joined

 private:
  static void cleanup(void* environment);

  napi_env env_;
  bool hooked_ = true;
  std::list<std::unique_ptr<AsyncRun>> runs_;
};

}  // namespace blasnet
