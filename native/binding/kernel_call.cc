#include "kernel_call.h"

#include <chrono>
#include <cmath>
#include <vector>

#include "arguments.h"
#include "environment.h"

namespace blasnet {

namespace {

// The largest value of each kind of number, all but reals being whole.
double limit(ParameterKind kind) {
  switch (kind) {
    case ParameterKind::size:
      return INT32_MAX;
    case ParameterKind::word:
      return UINT32_MAX;
    case ParameterKind::flag:
      return 1;
    default:
      return 7;
  }
}

// A checked call: good as long as its buffers are.
struct Call {
  KernelFunction function;
  Argument arguments[maxParameters];
  int64_t units;

  void run() const { function(arguments, 0, units); }
};

Call readCall(Napi::Env env, Napi::Value kernel, Napi::Value args) {
  if (!args.IsArray()) reject(env, "callKernel: expected a kernel and its arguments");
  const double index = readNumber(env, kernel, "kernel");
  if (!(index >= 0 && index < kernelCount) || index != std::floor(index)) reject(env, "callKernel: unknown kernel");
  const Signature& signature = signatures[static_cast<int>(index)];
  const Napi::Array list = args.As<Napi::Array>();
  if (list.Length() != static_cast<uint32_t>(signature.count)) reject(env, "callKernel: wrong number of arguments");

  Call call{};
  size_t lengths[maxParameters] = {};
  for (int i = 0; i < signature.count; i++) {
    const Parameter& parameter = signature.parameters[i];
    const Napi::Value value = list.Get(static_cast<uint32_t>(i));
    Argument& argument = call.arguments[i];
    if (parameter.isBuffer()) {
      if (value.IsNull() && parameter.optional) continue;
      const View view = readView(env, value, parameter.name);
      if (!matches(parameter.element, view.type)) reject(env, std::string(parameter.name) + ": wrong type of array");
      argument.pointer = view.data;
      lengths[i] = view.length;
      continue;
    }
    const double number = readNumber(env, value, parameter.name);
    if (parameter.kind == ParameterKind::real) {
      argument.real = number;
    } else if (number >= 0 && number <= limit(parameter.kind) && number == std::floor(number)) {
      argument.integer = static_cast<int64_t>(number);
    } else {
      reject(env, std::string(parameter.name) + ": out of range");
    }
  }
  for (int i = 0; i < signature.count; i++) {
    const Parameter& parameter = signature.parameters[i];
    if (!parameter.isBuffer() || list.Get(static_cast<uint32_t>(i)).IsNull()) continue;
    uint64_t needed = 1;
    for (int j = 0; j < parameter.lengthCount; j++) {
      // Two sizes below 2^31 can't overflow 64 bits.
      needed *= static_cast<uint64_t>(call.arguments[parameter.length[j]].integer);
    }
    if (lengths[i] < needed) reject(env, std::string(parameter.name) + ": too short");
  }
  call.units = signature.axis < 0 ? 0 : call.arguments[signature.axis].integer;
  call.function = Environment::of(env).kernels->functions[static_cast<int>(index)];
  return call;
}

}  // namespace

Napi::Value callKernel(const Napi::CallbackInfo& info) {
  readCall(info.Env(), info[0], info[1]).run();
  return info.Env().Undefined();
}

Napi::Value repeatKernels(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!info[0].IsArray()) reject(env, "repeatKernels: expected a list of calls");
  const double times = readNumber(env, info[1], "times");
  if (!(times >= 0 && times <= UINT32_MAX)) reject(env, "repeatKernels: times out of range");
  const Napi::Array list = info[0].As<Napi::Array>();
  std::vector<Call> calls;
  for (uint32_t i = 0; i < list.Length(); i++) {
    const Napi::Value entry = list.Get(i);
    if (!entry.IsArray()) reject(env, "repeatKernels: expected a kernel and its arguments");
    calls.push_back(readCall(env, entry.As<Napi::Array>().Get(0u), entry.As<Napi::Array>().Get(1u)));
  }
  const auto begin = std::chrono::steady_clock::now();
  for (uint32_t i = 0; i < static_cast<uint32_t>(times); i++) {
    for (const Call& call : calls) call.run();
  }
  return Napi::Number::New(env, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
}

}  // namespace blasnet
