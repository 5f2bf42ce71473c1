#include "kernel_call.h"

#include <chrono>
#include <vector>

#include "../executor/call.h"
#include "arguments.h"
#include "environment.h"

namespace blasnet {

namespace {

// Reads elements before any address is taken: a getter among them could detach a buffer.
std::vector<Napi::Value> elements(const Napi::Array& list) {
  std::vector<Napi::Value> values;
  for (uint32_t i = 0; i < list.Length(); i++) values.push_back(list.Get(i));
  return values;
}

std::vector<Napi::Value> kernelArguments(Napi::Env env, const Napi::Value& args) {
  if (!args.IsArray() || args.As<Napi::Array>().Length() > static_cast<uint32_t>(maxParameters)) {
    reject(env, "callKernel: expected a kernel and its arguments");
  }
  return elements(args.As<Napi::Array>());
}

// Runs no JavaScript.
KernelCall readCall(Napi::Env env, Napi::Value kernel, const std::vector<Napi::Value>& values) {
  Operand operands[maxParameters];
  for (size_t i = 0; i < values.size(); i++) operands[i] = readOperand(env, values[i]);
  KernelCall call;
  std::string error;
  const double number = readNumber(env, kernel, "kernel");
  if (!call.prepare(*Environment::of(env).kernels, number, operands, values.size(), error)) reject(env, "callKernel: " + error);
  return call;
}

}  // namespace

Napi::Value callKernel(const Napi::CallbackInfo& info) {
  readCall(info.Env(), info[0], kernelArguments(info.Env(), info[1])).run();
  return info.Env().Undefined();
}

Napi::Value repeatKernels(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!info[0].IsArray()) reject(env, "repeatKernels: expected a list of calls");
  const double times = readNumber(env, info[1], "times");
  if (!(times >= 0 && times <= UINT32_MAX)) reject(env, "repeatKernels: times out of range");
  std::vector<Napi::Value> kernels;
  std::vector<std::vector<Napi::Value>> arguments;
  for (const Napi::Value& entry : elements(info[0].As<Napi::Array>())) {
    if (!entry.IsArray()) reject(env, "repeatKernels: expected a kernel and its arguments");
    kernels.push_back(entry.As<Napi::Array>().Get(0u));
    arguments.push_back(kernelArguments(env, entry.As<Napi::Array>().Get(1u)));
  }
  std::vector<KernelCall> calls;
  for (size_t i = 0; i < kernels.size(); i++) calls.push_back(readCall(env, kernels[i], arguments[i]));
  const auto begin = std::chrono::steady_clock::now();
  for (uint32_t i = 0; i < static_cast<uint32_t>(times); i++) {
    for (const KernelCall& call : calls) call.run();
  }
  return Napi::Number::New(env, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
}

}  // namespace blasnet
