// The JavaScript class Group: a group of processes, and the thread that makes JavaScript's calls of it.
#pragma once

#include <napi.h>

#include <condition_variable>
#include <functional>
#include <list>
#include <memory>
#include <mutex>

#include "../executor/thread.h"
#include "../host/mpi_group.h"

namespace blasnet {

class Environment;

class GroupObject : public Napi::ObjectWrap<GroupObject> {
 public:
  static Napi::Function define(Napi::Env env);
  // The group that a JavaScript value wraps; throws if it is none. It lives as long as that value.
  static Group& of(Napi::Env env, Napi::Value value);

  explicit GroupObject(const Napi::CallbackInfo& info);
  ~GroupObject() override;

  void abandon() { group_->abandon(); }
  // The environment ends before this object does.
  void forgetEnvironment() { environment_ = nullptr; }

 private:
  // A call, until JavaScript has been told that it ended.
  struct Task;
  static void finish(Napi::Env env, Napi::Function done, void*, Task* task);
  using Done = Napi::TypedThreadSafeFunction<void, Task, finish>;

  Napi::Value state(const Napi::CallbackInfo& info);
  Napi::Value join(const Napi::CallbackInfo& info);
  Napi::Value sum(const Napi::CallbackInfo& info);
  Napi::Value broadcast(const Napi::CallbackInfo& info);
  Napi::Value barrier(const Napi::CallbackInfo& info);
  Napi::Value leave(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);
  Napi::Value abort(const Napi::CallbackInfo& info);

  // Queues a call. `keep` is the value whose memory it uses.
  void push(Napi::Env env, std::function<bool()> work, Napi::Value keep, Napi::Value done);
  void work();
  void stopThread();

  Environment* environment_ = nullptr;  // where this is the group that is joined
  std::unique_ptr<MpiGroup> group_;
  std::list<std::unique_ptr<Task>> tasks_;  // from push() to finish()
  std::list<Task*> queue_;                  // those that the thread has not ended
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ends_ = false;
  Thread thread_;
};

}  // namespace blasnet
