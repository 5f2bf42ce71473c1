// A call of a single kernel on whatever its caller hands over, checked against the kernel's signature.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "../kernels/signatures.h"

namespace blasnet {

// A value as it comes from outside: a number, a buffer, or nothing.
struct Operand {
  enum class Kind : uint8_t { nothing, number, buffer };

  Kind kind = Kind::nothing;
  Element element = Element::f32;  // buffer
  double number = 0;
  void* data = nullptr;  // buffer: its address and its length in elements
  size_t length = 0;
};

class KernelCall {
 public:
  // Checks a call of the kernel of that number; on failure returns false with the reason in `error`.
  // After success the kernel stays inside its buffers; storage that overlaps makes its results wrong, not its accesses.
  bool prepare(const KernelSet& kernels, double kernel, const Operand* operands, size_t count, std::string& error);

  // Good as long as the buffers are.
  void run() const { function_(arguments_, 0, units_); }

 private:
  KernelFunction function_ = nullptr;
  Argument arguments_[maxParameters] = {};
  int64_t units_ = 0;
};

}  // namespace blasnet
