#include "async_run.h"

#include "environment.h"
#include "plan_object.h"

namespace blasnet {

AsyncRun::AsyncRun(Napi::Env env, PlanObject& plan, const RunRequest& request, int32_t* control, Napi::Object keep,
                   Napi::Function done)
    : plan_(plan),
      request_(request),
      run_(plan.plan(), request_, *Environment::of(env).kernels),
      control_(control),
      keep_(Napi::Persistent(keep)),
      done_(Done::New(env, done, "blasnet run", 0, 1)) {
  plan.setBusy(true);
}

AsyncRun::~AsyncRun() { join(); }

void AsyncRun::start(Environment& environment) {
  environment_ = &environment;
  try {
    thread_ = std::thread([this] { work(); });
  } catch (...) {
    plan_.setBusy(false);
    done_.Release();
    throw;
  }
}

void AsyncRun::join() {
  if (thread_.joinable()) thread_.join();
}

// On the run's own thread: nothing may be thrown out of here, and no JavaScript value be touched.
void AsyncRun::work() {
  try {
    result_ = run_.execute(environment_->pool, &stop_, control_);
  } catch (const std::exception& exception) {
    error_ = std::string("run: ") + exception.what();
  } catch (...) {
    error_ = "run: it failed for an unknown reason";
  }
  // When the environment is closing, the call is refused and nobody is left to hear of the end.
  done_.NonBlockingCall(this);
  done_.Release();
}

void AsyncRun::finish(Napi::Env env, Napi::Function done, void*, AsyncRun* run) {
  // The environment is gone, and the run with it.
  if (static_cast<napi_env>(env) == nullptr) return;
  Napi::HandleScope scope(env);
  run->join();
  run->plan_.setBusy(false);
  const std::string error = run->error_;
  const RunResult result = run->result_;
  run->environment_->finish(run);  // deletes the run
  if (error.empty()) {
    done.Call({env.Null(), PlanObject::toObject(env, result)});
  } else {
    done.Call({Napi::Error::New(env, error).Value()});
  }
}

}  // namespace blasnet
