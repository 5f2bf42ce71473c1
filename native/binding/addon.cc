// The addon's entry point: one function that gives an environment its kernels, plans and information.
#include <napi.h>

#include <cmath>

#include "../kernels/products/bfloat16.h"
#include "../kernels/products/blas.h"
#include "arguments.h"
#include "environment.h"
#include "group_object.h"
#include "kernel_call.h"
#include "large_pages.h"
#include "plan_object.h"
#include "stack.h"

namespace blasnet {

namespace {

constexpr double maxBytes = 9007199254740992;  // 2^53
constexpr const char* setNames[] = {"baseline", "avx2", "avx512", "neon"};

Napi::Array strings(Napi::Env env, const std::vector<const char*>& list) {
  Napi::Array array = Napi::Array::New(env, list.size());
  for (uint32_t i = 0; i < list.size(); i++) setOwn(array, i, Napi::String::New(env, list[i]));
  return array;
}

std::vector<const char*> cpuFeatures() {
  std::vector<const char*> list;
#if defined(__x86_64__)
#define BLASNET_FEATURE(name) \
  if (__builtin_cpu_supports(name)) list.push_back(name);
  BLASNET_FEATURE("sse4.2")
  BLASNET_FEATURE("avx")
  BLASNET_FEATURE("fma")
  BLASNET_FEATURE("avx2")
  BLASNET_FEATURE("avx512f")
  BLASNET_FEATURE("avx512dq")
  BLASNET_FEATURE("avx512bw")
  BLASNET_FEATURE("avx512vl")
#undef BLASNET_FEATURE
#elif defined(__aarch64__)
  list.push_back("neon");
#endif
  return list;
}

Napi::Value getInfo(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const char* used = Environment::of(env).kernels->name;
  std::vector<const char*> available;
  for (const char* name : setNames) {
    if (findKernelSet(name) != nullptr) available.push_back(name);
  }
  const bool widest = std::string(used) == bestKernelSet().name;
  Napi::Object simd = Napi::Object::New(env);
  setOwn(simd, "set", Napi::String::New(env, used));
  setOwn(simd, "available", strings(env, available));
  setOwn(simd, "reason",
         Napi::String::New(env, widest ? "the widest set that this CPU runs" : "asked for by BLASNET_SIMD"));

  const BlasInfo facts = blasInfo();
  Napi::Object blas = Napi::Object::New(env);
  setOwn(blas, "name", Napi::String::New(env, facts.name));
  setOwn(blas, "core", Napi::String::New(env, facts.core));
  setOwn(blas, "config", Napi::String::New(env, facts.config));
  setOwn(blas, "threads", Napi::Number::New(env, facts.threads));

  Napi::Object result = Napi::Object::New(env);
  setOwn(result, "cpuFeatures", strings(env, cpuFeatures()));
  setOwn(result, "simd", simd);
  setOwn(result, "blas", blas);
  return result;
}

// What multiplies. Not part of the information that is read when the addon loads: it asks the system for the state of
// AMX, which a process should have only if it uses it.
Napi::Value getBfloat16(const Napi::CallbackInfo& info) { return Napi::String::New(info.Env(), bfloat16Way()); }
Napi::Value getFloat32(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), Environment::of(info.Env()).kernels->float32Way());
}

// V8 does not count shared memory when it decides whether to collect garbage. Without this, memory would only grow in a
// loop that creates and drops networks.
void adjust(napi_env env, int64_t bytes) {
  int64_t ignored;
  napi_adjust_external_memory(env, bytes, &ignored);
}

void forget(napi_env env, void* data, void*) {
  const std::unique_ptr<int64_t> bytes(static_cast<int64_t*>(data));
  adjust(env, -*bytes);
}

// (buffer: SharedArrayBuffer, bytes: number): counts the bytes as external memory during the buffer's lifetime.
Napi::Value count(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!info[0].IsObject()) reject(env, "buffer: expected a SharedArrayBuffer");
  const double size = readNumber(env, info[1], "bytes");
  if (!(size >= 0 && size <= maxBytes)) reject(env, "bytes: out of range");
  auto bytes = std::make_unique<int64_t>(static_cast<int64_t>(size));
  if (napi_add_finalizer(env, info[0], bytes.get(), forget, nullptr, nullptr) == napi_ok) adjust(env, *bytes.release());
  return env.Undefined();
}

// (bytes: number): adds them to V8's external memory; may be negative.
Napi::Value countMore(const Napi::CallbackInfo& info) {
  const double bytes = readNumber(info.Env(), info[0], "bytes");
  if (!(std::abs(bytes) <= maxBytes)) reject(info.Env(), "bytes: out of range");
  adjust(info.Env(), static_cast<int64_t>(bytes));
  return info.Env().Undefined();
}

// (view: Uint8Array over all of a block): returns how many bytes to skip to the best aligned start.
Napi::Value adopt(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const View view = readView(env, info[0], "view", napi_uint8_array);
  adviseLargePages(view.data, view.length);
  const uintptr_t boundary = view.length >= (size_t{4} << 20) ? uintptr_t{2} << 20 : 4096;
  return Napi::Number::New(
      env, static_cast<double>((boundary - reinterpret_cast<uintptr_t>(view.data) % boundary) % boundary));
}

Napi::Value stop(const Napi::CallbackInfo& info) {
  Environment::of(info.Env()).stop();
  return info.Env().Undefined();
}

// (simd: string, hash: string): the hash of the kernel table must match the one that the addon was built with.
Napi::Value initialize(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (info.Length() != 2 || !info[0].IsString() || !info[1].IsString())
    reject(env, "initialize: expected simd and hash");
  if (info[1].As<Napi::String>().Utf8Value() != tableHash) {
    reject(env, "it was built for another version of blasnet; build it again");
  }

  Environment& environment = Environment::of(env);
  const std::string simd = info[0].As<Napi::String>();
  const KernelSet* set = simd.empty() ? &bestKernelSet() : findKernelSet(simd.c_str());
  if (set == nullptr) reject(env, "BLASNET_SIMD: this CPU or this build has no kernel set '" + simd + "'");
  environment.kernels = set;

  Napi::Object addon = Napi::Object::New(env);
  setOwn(addon, "Plan", environment.planConstructor.Value());
  setOwn(addon, "Group", environment.groupConstructor.Value());
  setOwn(addon, "callKernel", Napi::Function::New<callKernel>(env, "callKernel"));
  setOwn(addon, "repeatKernels", Napi::Function::New<repeatKernels>(env, "repeatKernels"));
  setOwn(addon, "count", Napi::Function::New<count>(env, "count"));
  setOwn(addon, "countMore", Napi::Function::New<countMore>(env, "countMore"));
  setOwn(addon, "adopt", Napi::Function::New<adopt>(env, "adopt"));
  setOwn(addon, "info", Napi::Function::New<getInfo>(env, "info"));
  setOwn(addon, "bfloat16", Napi::Function::New<getBfloat16>(env, "bfloat16"));
  setOwn(addon, "float32", Napi::Function::New<getFloat32>(env, "float32"));
  setOwn(addon, "stop", Napi::Function::New<stop>(env, "stop"));
  return addon;
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  if (!growStack()) reject(env, "there is no memory for the stack of this thread");
  useSingleBlasThread();
  auto environment = std::make_unique<Environment>(env);
  environment->planConstructor = Napi::Persistent(PlanObject::define(env));
  environment->groupConstructor = Napi::Persistent(GroupObject::define(env));
  env.SetInstanceData(environment.release());
  setOwn(exports, "initialize", Napi::Function::New<initialize>(env, "initialize"));
  return exports;
}

NODE_API_MODULE(blasnet, init)

}  // namespace

}  // namespace blasnet
