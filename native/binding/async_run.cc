#include "async_run.h"

#include "environment.h"
#include "large_pages.h"
#include "plan_object.h"

namespace blasnet {

AsyncRun::AsyncRun(Napi::Env env, PlanObject& plan, const RunRequest& request, int32_t* control, Napi::Object keep,
                   Napi::Function done)
    : plan_(plan),
      request_(request),
      run_(plan.plan(), request_, *Environment::of(env).kernels),
      control_(control),
      keep_(Napi::Persistent(keep)),
      done_(Done::New(env, done, "blasnet run", 0, 1)) {}

AsyncRun::~AsyncRun() {
  join();
  // Otherwise the thread releases it.
  if (environment_ == nullptr) done_.Release();
}

void AsyncRun::start(Environment& environment, std::unique_ptr<Runner> runner) {
  runner_ = std::move(runner);
  environment_ = &environment;
  plan_.setBusy(true);
  runner_->start([](void* run) { static_cast<AsyncRun*>(run)->work(); }, this);
}

void AsyncRun::join() {
  if (runner_ != nullptr) runner_->finish();
}

// Moves the feeds into large pages, a piece at a time, so that the run can be ended meanwhile.
void AsyncRun::moveFeeds() {
  constexpr size_t piece = size_t{64} << 20;
  for (const auto& feed : request_.feeds) {
    for (size_t at = 0; at < feed.block.bytes; at += piece) {
      if (abandon_.load(std::memory_order_relaxed)) return;
      if (control_ != nullptr && __atomic_load_n(control_, __ATOMIC_RELAXED) != 0) return;
      const size_t left = feed.block.bytes - at;
      if (!moveToLargePages(static_cast<char*>(feed.block.data) + at, left < piece ? left : piece)) break;
    }
  }
}

// Runs on the run's own thread: must not throw, and must not touch JavaScript values.
void AsyncRun::work() {
  // No large pages have been requested for datasets in memory that the caller shares.
  moveFeeds();
  try {
    result_ = run_.execute(environment_->pool, &abandon_, control_);
  } catch (const std::bad_alloc&) {
    error_ = "no memory";
  } catch (...) {
    error_ = "no thread";
  }
  // If the environment is closing, the call is refused, and no callback is needed.
  done_.NonBlockingCall(this);
  done_.Release();
}

void AsyncRun::finish(Napi::Env env, Napi::Function done, void*, AsyncRun* run) {
  // The environment is gone, and the run with it.
  if (static_cast<napi_env>(env) == nullptr) return;
  Napi::HandleScope scope(env);
  run->join();
  run->plan_.setBusy(false);
  const char* error = run->error_;
  const RunResult result = run->result_;
  run->environment_->finish(run);  // deletes the run
  if (error == nullptr) {
    done.Call({env.Null(), PlanObject::toObject(env, result)});
  } else {
    done.Call({Napi::Error::New(env, error).Value()});
  }
}

}  // namespace blasnet
