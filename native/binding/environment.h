// What one JavaScript environment (the main thread or a worker) owns: its threads and its runs.
#pragma once

#include <napi.h>

#include <list>
#include <memory>

#include "../executor/pool.h"
#include "async_run.h"

namespace blasnet {

class Environment {
 public:
  explicit Environment(Napi::Env env);
  ~Environment();
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  static Environment& of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

  // Starts a run on a thread of its own.
  void start(std::unique_ptr<AsyncRun> run);
  // Forgets a run that has ended, after waiting for its thread.
  void finish(AsyncRun* run);
  // Stops all runs and waits for their threads.
  void stop();

  Pool pool;
  const KernelSet* kernels;
  Napi::FunctionReference planConstructor;

 private:
  static void cleanup(void* environment);

  napi_env env_;
  bool hooked_ = true;
  std::list<std::unique_ptr<AsyncRun>> runs_;
};

}  // namespace blasnet
