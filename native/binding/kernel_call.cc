#include "kernel_call.h"

#include <chrono>
#include <vector>

#include "../executor/call.h"
#include "../kernels/blas_buffers.h"
#include "arguments.h"
#include "environment.h"

namespace blasnet {

namespace {

// Reads elements before any address is taken: a getter among them could detach a buffer. Reads only `count` elements: a
// getter could also make the list longer.
std::vector<Napi::Value> elements(const Napi::Array& list, uint32_t count) {
  std::vector<Napi::Value> values;
  for (uint32_t i = 0; i < count; i++) values.push_back(list.Get(i));
  return values;
}

std::vector<Napi::Value> kernelArguments(Napi::Env env, const Napi::Value& args) {
  const uint32_t count = args.IsArray() ? args.As<Napi::Array>().Length() : UINT32_MAX;
  if (count > static_cast<uint32_t>(maxParameters)) reject(env, "callKernel: expected a kernel and its arguments");
  return elements(args.As<Napi::Array>(), count);
}

// Runs no JavaScript. `values`: at most maxParameters.
KernelCall readCall(Napi::Env env, Napi::Value kernel, const std::vector<Napi::Value>& values) {
  Operand operands[maxParameters];
  for (size_t i = 0; i < values.size(); i++) operands[i] = readOperand(env, values[i]);
  KernelCall call;
  std::string error;
  const double number = readNumber(env, kernel, "kernel");
  if (!call.prepare(*Environment::of(env).kernels, number, operands, values.size(), error))
    reject(env, "callKernel: " + error);
  return call;
}

}  // namespace

Napi::Value callKernel(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  KernelCall call = readCall(env, info[0], kernelArguments(env, info[1]));
  if (info.Length() > 2) {
    const double axis = readNumber(env, info[2], "axis"), begin = readNumber(env, info[3], "begin");
    std::string error;
    if (!call.confine(axis, begin, readNumber(env, info[4], "end"), error)) reject(env, "callKernel: " + error);
  }
  const BlasBuffers buffers(1);
  call.run();
  return env.Undefined();
}

Napi::Value repeatKernels(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!info[0].IsArray()) reject(env, "repeatKernels: expected a list of calls");
  const double times = readNumber(env, info[1], "times");
  if (!(times >= 0 && times <= UINT32_MAX)) reject(env, "repeatKernels: times out of range");
  std::vector<Napi::Value> kernels;
  std::vector<std::vector<Napi::Value>> arguments;
  const Napi::Array list = info[0].As<Napi::Array>();
  const uint32_t count = list.Length();
  for (uint32_t i = 0; i < count; i++) {
    const Napi::Value entry = list.Get(i);
    if (!entry.IsArray()) reject(env, "repeatKernels: expected a kernel and its arguments");
    kernels.push_back(entry.As<Napi::Array>().Get(0u));
    arguments.push_back(kernelArguments(env, entry.As<Napi::Array>().Get(1u)));
  }
  std::vector<KernelCall> calls;
  for (size_t i = 0; i < kernels.size(); i++) calls.push_back(readCall(env, kernels[i], arguments[i]));
  const BlasBuffers buffers(1);
  const auto begin = std::chrono::steady_clock::now();
  for (uint32_t i = 0; i < static_cast<uint32_t>(times); i++) {
    for (const KernelCall& call : calls) call.run();
  }
  return Napi::Number::New(env, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
}

}  // namespace blasnet
