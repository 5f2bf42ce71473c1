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

  // Starts a run on a thread of its own.
  void start(std::unique_ptr<AsyncRun> run);
  // Deletes a run that has ended, and keeps its thread for the next one.
  void finish(AsyncRun* run);
  // Ends all runs immediately, in the middle of a step, and their threads. A call of the group that waits for
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
  std::unique_ptr<Runner> idle_;  // the thread of the last run, if it is free
};

}  // namespace blasnet
