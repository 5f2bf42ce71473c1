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
    case ParameterKind::size: return INT32_MAX;
    case ParameterKind::word: return UINT32_MAX;
    case ParameterKind::flag: return 1;
    default: return 7;
  }
}

// A checked call: good as long as its buffers are.
struct Call {
  KernelFunction function;
  Argument arguments[maxParameters];
  int64_t units;

  void run() const { function(arguments, 0, units); }
};

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
Call readCall(Napi::Env env, Napi::Value kernel, const std::vector<Napi::Value>& values) {
  const double index = readNumber(env, kernel, "kernel");
  if (!(index >= 0 && index < kernelCount) || index != std::floor(index)) reject(env, "callKernel: unknown kernel");
  const Signature& signature = signatures[static_cast<int>(index)];
  if (values.size() != static_cast<size_t>(signature.count)) reject(env, "callKernel: wrong number of arguments");

  Call call{};
  size_t lengths[maxParameters] = {};
  for (int i = 0; i < signature.count; i++) {
    const Parameter& parameter = signature.parameters[i];
    const Napi::Value& value = values[static_cast<size_t>(i)];
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
    if (!parameter.isBuffer() || values[static_cast<size_t>(i)].IsNull()) continue;
    int64_t needed = 1;
    bool empty = false;
    bool overflows = false;
    for (int j = 0; j < parameter.lengthCount; j++) {
      const int64_t size = call.arguments[parameter.length[j]].integer;
      empty |= size == 0;
      overflows |= __builtin_mul_overflow(needed, size, &needed);
    }
    if (empty) needed = 0;
    if (overflows && !empty) reject(env, std::string(parameter.name) + ": its length overflows");
    if (lengths[i] < static_cast<uint64_t>(needed)) reject(env, std::string(parameter.name) + ": too short");
  }
  call.units = signature.axis < 0 ? 0 : call.arguments[signature.axis].integer;
  call.function = Environment::of(env).kernels->functions[static_cast<int>(index)];
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
  std::vector<Call> calls;
  for (size_t i = 0; i < kernels.size(); i++) calls.push_back(readCall(env, kernels[i], arguments[i]));
  const auto begin = std::chrono::steady_clock::now();
  for (uint32_t i = 0; i < static_cast<uint32_t>(times); i++) {
    for (const Call& call : calls) call.run();
  }
  return Napi::Number::New(env, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
}

}  // namespace blasnet
