// The JavaScript class Plan: a checked program with the memory that it uses.
#pragma once

#include <napi.h>

#include "../executor/run.h"

namespace blasnet {

class PlanObject : public Napi::ObjectWrap<PlanObject> {
 public:
  static Napi::Function define(Napi::Env env);
  static Napi::Object toObject(Napi::Env env, const RunResult& result);

  explicit PlanObject(const Napi::CallbackInfo& info);

  const Plan& plan() const { return plan_; }
  void setBusy(bool busy) { busy_ = busy; }

 private:
  Napi::Value runSync(const Napi::CallbackInfo& info);
  Napi::Value run(const Napi::CallbackInfo& info);
  static void readParts(Napi::Env env, Napi::Value value, RunRequest& request);
  RunRequest readRequest(const Napi::CallbackInfo& info, Napi::Array* keep);

  Plan plan_;  // its memory is kept alive by the JavaScript object's property `segments`
  bool busy_ = false;
};

}  // namespace blasnet
