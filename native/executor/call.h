// A call of a single kernel on arbitrary operands, checked against the kernel's signature.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "../kernels/signatures.h"

namespace blasnet {

// An unchecked value from the caller: a number, a buffer, or nothing.
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
  // Checks a call of the kernel with that number; on failure returns false with the reason in `error`. After success
  // the kernel stays inside its buffers. Overlapping storage makes the results wrong, but not the accesses.
  bool prepare(const KernelSet& kernels, double kernel, const Operand* operands, size_t count, std::string& error);

  // Limits the call to the units [begin, end) of one of the kernel's axes, given by its index.
  bool confine(double axis, double begin, double end, std::string& error);

  // Valid as long as the buffers are.
  void run() const { function_(arguments_, axis_, begin_, end_); }

 private:
  KernelFunction function_ = nullptr;
  Argument arguments_[maxParameters] = {};
  int kernel_ = 0;
  int axis_ = 0;
  int64_t begin_ = 0, end_ = 0;
};

}  // namespace blasnet
