// The addon's door: one function that gives an environment its kernels, plans and facts.
#include <napi.h>

#ifdef __linux__
#include <sys/mman.h>
#endif

#include "../kernels/gemm.h"
#include "arguments.h"
#include "environment.h"
#include "kernel_call.h"
#include "plan_object.h"

namespace blasnet {

namespace {

constexpr const char* setNames[] = {"baseline", "avx2", "avx512", "neon"};

Napi::Array strings(Napi::Env env, const std::vector<const char*>& list) {
  Napi::Array array = Napi::Array::New(env, list.size());
  for (uint32_t i = 0; i < list.size(); i++) array.Set(i, list[i]);
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
  simd.Set("set", used);
  simd.Set("available", strings(env, available));
  simd.Set("reason", widest ? "the widest set that this CPU runs" : "asked for by BLASNET_SIMD");

  const BlasInfo facts = blasInfo();
  Napi::Object blas = Napi::Object::New(env);
  blas.Set("name", facts.name);
  blas.Set("core", facts.core);
  blas.Set("config", facts.config);
  blas.Set("threads", facts.threads);

  Napi::Object result = Napi::Object::New(env);
  result.Set("cpuFeatures", strings(env, cpuFeatures()));
  result.Set("simd", simd);
  result.Set("blas", blas);
  return result;
}

void forget(napi_env env, void* data, void*) {
  const std::unique_ptr<int64_t> bytes(static_cast<int64_t*>(data));
  int64_t ignored;
  napi_adjust_external_memory(env, -*bytes, &ignored);
}

// Asks for large pages where the system gives them on request: weights of many megabytes need thousands of small ones, more
// than the processor keeps translations for.
void adviseLargePages(void* data, size_t bytes) {
#ifdef __linux__
  constexpr uintptr_t page = 4096;
  const uintptr_t begin = (reinterpret_cast<uintptr_t>(data) + page - 1) / page * page;
  const uintptr_t end = (reinterpret_cast<uintptr_t>(data) + bytes) / page * page;
  if (bytes >= size_t{2} << 20) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
#endif
}

// (buffer: SharedArrayBuffer, view: Uint8Array over all of it). V8 does not count shared memory when it decides whether to
// collect, so a loop that makes and drops networks would only ever grow.
Napi::Value adopt(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!info[0].IsObject()) reject(env, "buffer: expected a SharedArrayBuffer");
  const View view = readView(env, info[1], "view", napi_uint8_array);
  adviseLargePages(view.data, view.length);
  auto bytes = std::make_unique<int64_t>(static_cast<int64_t>(view.length));
  if (napi_add_finalizer(env, info[0], bytes.get(), forget, nullptr, nullptr) == napi_ok) {
    int64_t ignored;
    napi_adjust_external_memory(env, *bytes.release(), &ignored);
  }
  const uintptr_t boundary = view.length >= (size_t{4} << 20) ? uintptr_t{2} << 20 : 64;
  return Napi::Number::New(env, static_cast<double>((boundary - reinterpret_cast<uintptr_t>(view.data) % boundary) % boundary));
}

Napi::Value stop(const Napi::CallbackInfo& info) {
  Environment::of(info.Env()).stop();
  return info.Env().Undefined();
}

// (simd: string, kernelNames: string[]): the names must be those that the addon was built with, in the same order.
Napi::Value initialize(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (info.Length() != 2 || !info[0].IsString() || !info[1].IsArray()) reject(env, "initialize: expected simd and kernelNames");
  const Napi::Array names = info[1].As<Napi::Array>();
  bool same = names.Length() == static_cast<uint32_t>(kernelCount);
  for (uint32_t i = 0; same && i < names.Length(); i++) {
    const Napi::Value name = names.Get(i);
    same = name.IsString() && name.As<Napi::String>().Utf8Value() == signatures[i].name;
  }
  if (!same) reject(env, "it was built for another version of blasnet; build it again");

  Environment& environment = Environment::of(env);
  const std::string simd = info[0].As<Napi::String>();
  const KernelSet* set = simd.empty() ? &bestKernelSet() : findKernelSet(simd.c_str());
  if (set == nullptr) reject(env, "BLASNET_SIMD: this CPU or this build has no kernel set '" + simd + "'");
  environment.kernels = set;

  Napi::Object addon = Napi::Object::New(env);
  addon.Set("Plan", environment.planConstructor.Value());
  addon.Set("callKernel", Napi::Function::New<callKernel>(env, "callKernel"));
  addon.Set("repeatKernels", Napi::Function::New<repeatKernels>(env, "repeatKernels"));
  addon.Set("adopt", Napi::Function::New<adopt>(env, "adopt"));
  addon.Set("info", Napi::Function::New<getInfo>(env, "info"));
  addon.Set("stop", Napi::Function::New<stop>(env, "stop"));
  return addon;
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  useSingleBlasThread();
  auto environment = std::make_unique<Environment>(env);
  environment->planConstructor = Napi::Persistent(PlanObject::define(env));
  env.SetInstanceData(environment.release());
  exports.Set("initialize", Napi::Function::New<initialize>(env, "initialize"));
  return exports;
}

NODE_API_MODULE(blasnet, init)

}  // namespace

}  // namespace blasnet
