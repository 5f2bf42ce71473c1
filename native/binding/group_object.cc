#include "group_object.h"

#include "arguments.h"
#include "environment.h"

namespace blasnet {

namespace {

// Distinguishes objects of this class from others that were given its prototype.
constexpr napi_type_tag groupTag = {0x2f6c1f5d0a3e4b71, 0x9d4be2a7c81f0536};

}  // namespace

struct GroupObject::Task {
  GroupObject* owner;
  std::function<bool()> work;
  bool good = false;
  Napi::ObjectReference keep;
  Done done;
};

Napi::Function GroupObject::define(Napi::Env env) {
  return DefineClass(env, "Group",
                     {InstanceMethod<&GroupObject::state>("state"), InstanceMethod<&GroupObject::join>("join"),
                      InstanceMethod<&GroupObject::sum>("sum"), InstanceMethod<&GroupObject::broadcast>("broadcast"),
                      InstanceMethod<&GroupObject::barrier>("barrier"), InstanceMethod<&GroupObject::leave>("leave"),
                      InstanceMethod<&GroupObject::close>("close"), InstanceMethod<&GroupObject::abort>("abort")});
}

Group& GroupObject::of(Napi::Env env, Napi::Value value) {
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&groupTag)) reject(env, "group: expected a Group");
  return *Unwrap(value.As<Napi::Object>())->group_;
}

// new Group(library: string, ordered: boolean): opens the library, '' for one that the process has loaded. Has the
// properties `version` and `interface`.
GroupObject::GroupObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<GroupObject>(info) {
  const Napi::Env env = info.Env();
  if (info.Length() != 2 || !info[0].IsString() || !info[1].IsBoolean())
    reject(env, "Group: expected a library and whether sums are ordered");
  std::string error;
  std::unique_ptr<MpiLibrary> library = MpiLibrary::open(info[0].As<Napi::String>(), error);
  if (library == nullptr) reject(env, error);
  Napi::Object self = info.This().As<Napi::Object>();
  self.TypeTag(&groupTag);
  setOwn(self, "version", Napi::String::New(env, library->version()));
  setOwn(self, "interface", Napi::String::New(env, library->interfaceName));
  group_ = std::make_unique<MpiGroup>(std::move(library), info[1].As<Napi::Boolean>());
}

GroupObject::~GroupObject() {
  if (environment_ != nullptr && environment_->group == this) environment_->group = nullptr;
  stopThread();
}

void GroupObject::stopThread() {
  if (!thread_.joinable()) return;
  if (group_ != nullptr) group_->abandon();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ends_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

// On the group's own thread: must not touch JavaScript values.
void GroupObject::work() {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return ends_ || !queue_.empty(); });
    if (queue_.empty()) return;
    Task* task = queue_.front();
    lock.unlock();
    task->good = task->work();
    // If the environment is closing, the call is refused, and no callback is needed. After it the task may have been
    // freed.
    Done done = task->done;
    lock.lock();
    queue_.pop_front();
    changed_.notify_all();
    lock.unlock();
    done.NonBlockingCall(task);
    done.Release();
    lock.lock();
  }
}

void GroupObject::push(Napi::Env env, std::function<bool()> work, Napi::Value keep, Napi::Value done) {
  if (!done.IsFunction()) reject(env, "Group: expected a callback");
  if (!thread_.joinable()) {
    thread_ = Thread([this] { this->work(); });
    environment_ = &Environment::of(env);
    if (environment_->group != nullptr) environment_->group->forgetEnvironment();
    environment_->group = this;
  }
  auto task = std::make_unique<Task>();
  task->owner = this;
  task->work = std::move(work);
  Napi::Array kept = Napi::Array::New(env, 2);
  setOwn(kept, 0, Value());
  setOwn(kept, 1, keep);
  task->keep = Napi::Persistent(kept.As<Napi::Object>());
  task->done = Done::New(env, done.As<Napi::Function>(), "blasnet group", 0, 1);
  tasks_.push_back(std::move(task));
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    queue_.push_back(tasks_.back().get());
  }
  changed_.notify_one();
}

void GroupObject::finish(Napi::Env env, Napi::Function done, void*, Task* task) {
  // The environment is gone, and the group with it.
  if (static_cast<napi_env>(env) == nullptr) return;
  Napi::HandleScope scope(env);
  GroupObject& owner = *task->owner;
  const bool good = task->good;
  const Napi::ObjectReference keep = std::move(task->keep);  // holds the owner until the end of this function
  owner.tasks_.remove_if([task](const std::unique_ptr<Task>& candidate) { return candidate.get() == task; });
  if (good) {
    done.Call({env.Null()});
  } else {
    done.Call({Napi::Error::New(env, owner.group_->error()).Value()});
  }
}

// What join() has learned: { rank, size, hosts }, with the host of each rank.
Napi::Value GroupObject::state(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::vector<std::string>& names = group_->hosts();
  Napi::Array hosts = Napi::Array::New(env, names.size());
  for (uint32_t i = 0; i < names.size(); i++) setOwn(hosts, i, Napi::String::New(env, names[i]));
  Napi::Object result = Napi::Object::New(env);
  setOwn(result, "rank", Napi::Number::New(env, group_->rank()));
  setOwn(result, "size", Napi::Number::New(env, group_->size()));
  setOwn(result, "hosts", hosts);
  return result;
}

// (done): starts MPI.
Napi::Value GroupObject::join(const Napi::CallbackInfo& info) {
  push(
      info.Env(), [this] { return group_->join(); }, info.Env().Undefined(), info[0]);
  return info.Env().Undefined();
}

// (values: Float32Array | Float64Array over shared memory, done)
Napi::Value GroupObject::sum(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const View view = readView(env, info[0], "values");
  if (!view.shared) reject(env, "sum: expected shared memory");
  if (view.type != napi_float32_array && view.type != napi_float64_array) reject(env, "sum: expected floats");
  const auto work = [this, view] {
    const int64_t count = static_cast<int64_t>(view.length);
    if (view.type == napi_float32_array) return group_->sum(static_cast<float*>(view.data), count);
    return group_->sum(static_cast<double*>(view.data), count);
  };
  push(env, work, info[0], info[1]);
  return env.Undefined();
}

// (bytes: Uint8Array over shared memory, root, done)
Napi::Value GroupObject::broadcast(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const View view = readView(env, info[0], "bytes", napi_uint8_array);
  if (!view.shared) reject(env, "broadcast: expected shared memory");
  const double root = readNumber(env, info[1], "root");
  if (!(root >= 0 && root < group_->size())) reject(env, "broadcast: root out of range");
  const auto work = [this, view, rank = static_cast<int>(root)] {
    return group_->broadcast(view.data, static_cast<int64_t>(view.length), rank);
  };
  push(env, work, info[0], info[2]);
  return env.Undefined();
}

Napi::Value GroupObject::barrier(const Napi::CallbackInfo& info) {
  push(
      info.Env(), [this] { return group_->barrier(); }, info.Env().Undefined(), info[0]);
  return info.Env().Undefined();
}

Napi::Value GroupObject::leave(const Napi::CallbackInfo& info) {
  push(
      info.Env(), [this] { return group_->leave(); }, info.Env().Undefined(), info[0]);
  return info.Env().Undefined();
}

// For the exit of the process: ends MPI and blocks until the other ranks do. Returns whether that was possible.
Napi::Value GroupObject::close(const Napi::CallbackInfo& info) {
  bool idle;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    idle = queue_.empty();
  }
  return Napi::Boolean::New(info.Env(), idle && group_->leave());
}

// (code): ends this process and the job.
Napi::Value GroupObject::abort(const Napi::CallbackInfo& info) {
  const double code = readNumber(info.Env(), info[0], "code");
  group_->abort(code >= 1 && code <= 255 ? static_cast<int>(code) : 1);
}

}  // namespace blasnet
