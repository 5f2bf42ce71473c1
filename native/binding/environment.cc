#include "environment.h"

#include "group_object.h"

namespace blasnet {

Environment::Environment(Napi::Env env) : kernels(&bestKernelSet()), env_(env) {
  napi_add_env_cleanup_hook(env, cleanup, this);
}

Environment::~Environment() {
  if (hooked_) napi_remove_env_cleanup_hook(env_, cleanup, this);
  stop();
  if (group != nullptr) group->forgetEnvironment();
}

// Runs before the environment destroys what the runs use. A hook that has run no longer exists and must not be removed
// again.
void Environment::cleanup(void* environment) {
  static_cast<Environment*>(environment)->hooked_ = false;
  static_cast<Environment*>(environment)->stop();
}

void Environment::start(std::unique_ptr<AsyncRun> run) {
  std::unique_ptr<Runner> runner = idle_ != nullptr ? std::move(idle_) : std::make_unique<Runner>();
  runs_.push_back(std::move(run));
  runs_.back()->start(*this, std::move(runner));
}

void Environment::finish(AsyncRun* run) {
  idle_ = run->takeRunner();
  runs_.remove_if([run](const std::unique_ptr<AsyncRun>& candidate) { return candidate.get() == run; });
}

void Environment::stop() {
  if (group != nullptr) group->abandon();
  for (const std::unique_ptr<AsyncRun>& run : runs_) run->abandon();
  for (const std::unique_ptr<AsyncRun>& run : runs_) {
    run->join();
    run->takeRunner().reset();
  }
  idle_.reset();
}

}  // namespace blasnet
