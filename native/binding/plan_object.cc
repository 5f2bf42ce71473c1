#include "plan_object.h"

#include "arguments.h"
#include "environment.h"
#include "group_object.h"

namespace blasnet {

namespace {

constexpr size_t controlWords = 2;

}  // namespace

Napi::Function PlanObject::define(Napi::Env env) {
  return DefineClass(env, "Plan",
                     {InstanceMethod<&PlanObject::runSync>("runSync"), InstanceMethod<&PlanObject::run>("run")});
}

Napi::Object PlanObject::toObject(Napi::Env env, const RunResult& result) {
  static constexpr const char* names[] = {"done", "cancelled", "nonFinite",
                                          "groupFailed"};  // as `statuses` in lib/backend/backend.ts
  Napi::Object object = Napi::Object::New(env);
  setOwn(object, "status", Napi::String::New(env, names[static_cast<int>(result.status)]));
  setOwn(object, "steps", Napi::Number::New(env, static_cast<double>(result.steps)));
  setOwn(object, "seconds", Napi::Number::New(env, result.seconds));
  if (result.reason != nullptr) setOwn(object, "reason", Napi::String::New(env, result.reason));
  return object;
}

// new Plan(words: Float64Array, segments: typed arrays over shared memory)
PlanObject::PlanObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<PlanObject>(info) {
  const Napi::Env env = info.Env();
  if (info.Length() != 2 || !info[1].IsArray()) reject(env, "Plan: expected words and a list of segments");
  const Napi::Array list = info[1].As<Napi::Array>();
  if (list.Length() != segmentCount) reject(env, "Plan: wrong number of segments");
  Block segments[segmentCount];
  Napi::Array kept = Napi::Array::New(env, segmentCount);
  for (uint32_t i = 0; i < segmentCount; i++) {
    const Napi::Value value = list.Get(i);
    const View view = readView(env, value, "segment");
    if (!view.shared) reject(env, "Plan: segments must lie in shared memory");
    segments[i] = {view.data, view.length * elementBytes(view.type)};
    setOwn(kept, i, value);
  }
  // After the segments: a getter among them could detach the words.
  const View words = readView(env, info[0], "words", napi_float64_array);
  std::string error;
  if (!plan_.decode(static_cast<const double*>(words.data), words.length, segments, error)) reject(env, error);
  // A property, not a reference: the memory is then freed together with the object, not only after its finalizer has
  // run. Frozen, so that nobody can remove anything.
  kept.Freeze();
  info.This().As<Napi::Object>().DefineProperty(Napi::PropertyDescriptor::Value("segments", kept, napi_default));
}

// Four numbers for each batch of an epoch; copied, as JavaScript may change them during the run.
void PlanObject::readParts(Napi::Env env, Napi::Value value, RunRequest& request) {
  const View parts = readView(env, value, "parts", napi_int32_array);
  const int32_t* numbers = static_cast<const int32_t*>(parts.data);
  for (size_t i = 0; i + 4 <= parts.length; i += 4)
    request.parts.push_back({numbers[i], numbers[i + 1], numbers[i + 2], numbers[i + 3]});
}

// (feeds, numbers, scalars, report, …); adds the feeds of an asynchronous run to `keep`, which is null for synchronous
// ones.
RunRequest PlanObject::readRequest(const Napi::CallbackInfo& info, Napi::Array* keep) {
  const Napi::Env env = info.Env();
  const bool asynchronous = keep != nullptr;
  if (info.Length() < 4 || !info[0].IsArray()) reject(env, "run: expected feeds, numbers, scalars and report");
  const auto checkShared = [&](const View& view, const char* name) {
    if (asynchronous && !view.shared)
      reject(env, std::string("run: ") + name + ": an asynchronous run needs shared memory");
  };
  const Napi::Array feeds = info[0].As<Napi::Array>();
  const uint32_t feedCount = static_cast<uint32_t>(plan_.feeds().size());
  if (feeds.Length() != feedCount) reject(env, "run: wrong number of feeds");
  // All feeds before any address is taken: a getter among them could detach the buffer of another.
  std::vector<Napi::Value> values;
  for (uint32_t i = 0; i < feedCount; i++) {
    values.push_back(feeds.Get(i));
    if (asynchronous) setOwn(*keep, i, values[i]);
  }
  if (busy_) reject(env, "run: this program is running already");
  RunRequest request;
  request.feeds.resize(feedCount);
  for (uint32_t i = 0; i < feedCount; i++) {
    const Napi::Value& value = values[i];
    if (value.IsNull() || value.IsUndefined()) continue;
    const View view = readView(env, value, "feed");
    checkShared(view, "feed");
    request.feeds[i].block = {view.data, view.length * elementBytes(view.type)};
    request.feeds[i].element = elementOf(env, view, "feed");
  }
  const View numbers = readView(env, info[1], "numbers", napi_float64_array);
  std::string error;
  if (!request.decode(static_cast<const double*>(numbers.data), numbers.length, error)) reject(env, error);
  const View scalars = readView(env, info[2], "scalars", napi_float64_array);
  if (plan_.scalarCount() > 0) checkShared(scalars, "scalars");
  request.scalars = static_cast<const double*>(scalars.data);
  request.scalarLength = scalars.length;
  if (!info[3].IsNull()) {
    const View report = readView(env, info[3], "report", napi_float64_array);
    checkShared(report, "report");
    request.report = static_cast<double*>(report.data);
    request.reportLength = report.length;
  }
  const Napi::Value profile = info[asynchronous ? 6 : 4];
  if (!profile.IsNull() && !profile.IsUndefined()) {
    const View view = readView(env, profile, "profile", napi_float64_array);
    checkShared(view, "profile");
    request.profile = static_cast<double*>(view.data);
    request.profileLength = view.length;
  }
  if (asynchronous && info.Length() > 7 && !info[7].IsNull() && !info[7].IsUndefined()) {
    request.group = &GroupObject::of(env, info[7]);
    readParts(env, info[8], request);
  }
  if (!plan_.checkRequest(request, error)) reject(env, error);
  return request;
}

Napi::Value PlanObject::runSync(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const RunRequest request = readRequest(info, nullptr);
  Environment& environment = Environment::of(env);
  Run run(plan_, request, *environment.kernels);
  const RunResult result = run.execute(environment.pool, nullptr, nullptr);
  // Creating an object would take as long as a layer of a small network.
  double* numbers = static_cast<double*>(readView(env, info[1], "numbers", napi_float64_array).data);
  numbers[resultWord::steps] = static_cast<double>(result.steps);
  numbers[resultWord::seconds] = result.seconds;
  return Napi::Number::New(env, static_cast<int>(result.status));
}

// (feeds, numbers, scalars, report, control: Int32Array, done: (error, result) => void, profile?, group?, parts?)
Napi::Value PlanObject::run(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  // Keeps alive everything that the run uses, including this plan.
  Napi::Array keep = Napi::Array::New(env);
  const RunRequest request = readRequest(info, &keep);
  if (info.Length() < 6 || !info[5].IsFunction()) reject(env, "run: expected a control array and a callback");
  const View control = readView(env, info[4], "control", napi_int32_array);
  if (!control.shared || control.length < controlWords)
    reject(env, "run: control: expected shared memory of two words");
  const uint32_t kept = static_cast<uint32_t>(plan_.feeds().size());
  setOwn(keep, kept, info.This());
  for (uint32_t i = 1; i < 8; i++) setOwn(keep, kept + i, info[i]);
  const Napi::Function done = info[5].As<Napi::Function>();
  Environment::of(env).start(
      std::make_unique<AsyncRun>(env, *this, request, static_cast<int32_t*>(control.data), keep, done));
  return env.Undefined();
}

}  // namespace blasnet
