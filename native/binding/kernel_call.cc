#include "kernel_call.h"

#include <cmath>

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

}  // namespace

Napi::Value callKernel(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (info.Length() != 2 || !info[1].IsArray()) reject(env, "callKernel: expected a kernel and its arguments");
  const double index = readNumber(env, info[0], "kernel");
  if (!(index >= 0 && index < kernelCount) || index != std::floor(index)) reject(env, "callKernel: unknown kernel");
  const Signature& signature = signatures[static_cast<int>(index)];
  const Napi::Array list = info[1].As<Napi::Array>();
  if (list.Length() != static_cast<uint32_t>(signature.count)) reject(env, "callKernel: wrong number of arguments");

  Argument arguments[maxParameters];
  size_t lengths[maxParameters] = {};
  for (int i = 0; i < signature.count; i++) {
    const Parameter& parameter = signature.parameters[i];
    const Napi::Value value = list.Get(static_cast<uint32_t>(i));
    if (parameter.isBuffer()) {
      if (value.IsNull() && parameter.optional) {
        arguments[i].pointer = nullptr;
        continue;
      }
      const View view = readView(env, value, parameter.name);
      if (!matches(parameter.element, view.type)) reject(env, std::string(parameter.name) + ": wrong type of array");
      arguments[i].pointer = view.data;
      lengths[i] = view.length;
      continue;
    }
    const double number = readNumber(env, value, parameter.name);
    if (parameter.kind == ParameterKind::real) {
      arguments[i].real = number;
    } else if (number >= 0 && number <= limit(parameter.kind) && number == std::floor(number)) {
      arguments[i].integer = static_cast<int64_t>(number);
    } else {
      reject(env, std::string(parameter.name) + ": out of range");
    }
  }
  for (int i = 0; i < signature.count; i++) {
    const Parameter& parameter = signature.parameters[i];
    if (!parameter.isBuffer() || (parameter.optional && arguments[i].pointer == nullptr && lengths[i] == 0)) continue;
    uint64_t needed = 1;
    for (int j = 0; j < parameter.lengthCount; j++) {
      // Two sizes below 2^31 can't overflow 64 bits.
      needed *= static_cast<uint64_t>(arguments[parameter.length[j]].integer);
    }
    if (lengths[i] < needed) reject(env, std::string(parameter.name) + ": too short");
  }
  const int64_t units = signature.axis < 0 ? 0 : arguments[signature.axis].integer;
  Environment::of(env).kernels->functions[static_cast<int>(index)](arguments, 0, units);
  return env.Undefined();
}

}  // namespace blasnet
