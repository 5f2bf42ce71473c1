#include "call.h"

#include <cmath>

namespace blasnet {

namespace {

// The largest value of each kind of number; all kinds but reals are integers.
double limit(const Parameter& parameter) {
  switch (parameter.kind) {
    case ParameterKind::size: return INT32_MAX;
    case ParameterKind::word: return UINT32_MAX;
    case ParameterKind::flag: return 1;
    default: return parameter.codes - 1;
  }
}

bool fail(std::string& error, const Parameter& parameter, const char* rule) {
  error = std::string(parameter.name) + ": " + rule;
  return false;
}

bool readNumber(const Parameter& parameter, double number, Argument& argument) {
  if (parameter.kind == ParameterKind::real) {
    argument.real = number;
    return true;
  }
  if (!(number >= 0 && number <= limit(parameter)) || number != std::floor(number)) return false;
  argument.integer = static_cast<int64_t>(number);
  return true;
}

}  // namespace

bool KernelCall::prepare(const KernelSet& kernels, double kernel, const Operand* operands, size_t count,
                         std::string& error) {
  if (!(kernel >= 0 && kernel < kernelCount) || kernel != std::floor(kernel)) {
    error = "unknown kernel";
    return false;
  }
  const Signature& signature = signatures[static_cast<int>(kernel)];
  if (count != static_cast<size_t>(signature.count)) {
    error = "wrong number of arguments";
    return false;
  }
  for (int i = 0; i < signature.count; i++) {
    const Parameter& parameter = signature.parameters[i];
    const Operand& operand = operands[i];
    if (parameter.isBuffer()) {
      arguments_[i].pointer = operand.data;
      if (operand.kind == Operand::Kind::nothing && parameter.optional) continue;
      if (operand.kind != Operand::Kind::buffer) return fail(error, parameter, "expected a typed array");
      if (operand.element != parameter.element) return fail(error, parameter, "wrong type of array");
    } else {
      if (operand.kind != Operand::Kind::number) return fail(error, parameter, "expected a number");
      if (!readNumber(parameter, operand.number, arguments_[i])) return fail(error, parameter, "out of range");
    }
  }
  for (int i = 0; i < signature.count; i++) {
    const Parameter& parameter = signature.parameters[i];
    if (operands[i].kind != Operand::Kind::buffer) continue;
    int64_t needed = 1;
    bool empty = false, overflows = false;
    for (int j = 0; j < parameter.lengthCount; j++) {
      const int64_t size = arguments_[parameter.length[j]].integer;
      empty |= size == 0;
      overflows |= __builtin_mul_overflow(needed, size, &needed);
    }
    if (empty) needed = 0;
    if (overflows && !empty) return fail(error, parameter, "its length overflows");
    if (operands[i].length < static_cast<uint64_t>(needed)) return fail(error, parameter, "too short");
  }
  kernel_ = static_cast<int>(kernel);
  function_ = kernels.functions[kernel_];
  end_ = signature.axes[0] < 0 ? 0 : arguments_[signature.axes[0]].integer;
  return true;
}

bool KernelCall::confine(double axis, double begin, double end, std::string& error) {
  const Signature& signature = signatures[kernel_];
  const auto whole = [](double value, double limit) {
    return value >= 0 && value <= limit && value == std::floor(value);
  };
  if (!whole(axis, maxAxes - 1) || signature.axes[static_cast<int>(axis)] < 0) {
    error = "the kernel has no such axis";
    return false;
  }
  const int64_t units = arguments_[signature.axes[static_cast<int>(axis)]].integer;
  if (!whole(end, static_cast<double>(units)) || !whole(begin, end)) {
    error = "the share leaves its axis";
    return false;
  }
  axis_ = static_cast<int>(axis);
  begin_ = static_cast<int64_t>(begin);
  end_ = static_cast<int64_t>(end);
  return true;
}

}  // namespace blasnet
