// The kernel table in C++: names, arguments and the axis along which threads share the work.
// The entries are generated from lib/program/signatures.ts into signatures.inc by scripts/generate-signatures.mjs.
#pragma once

#include <cstdint>

namespace blasnet {

enum class ParameterKind : uint8_t { out, inout, in, size, real, word, flag, code };
enum class Element : uint8_t { f32, f64, i32, u8 };

constexpr int maxParameters = 24;
constexpr int maxDimensions = 4;

struct Parameter {
  const char* name;
  ParameterKind kind;
  Element element;               // buffers only
  bool optional;                 // buffers only: may be null
  bool whole;                    // buffers only: every thread reads all of it
  int8_t below;                  // i32 inputs: index of the size parameter that bounds the elements, or -1
  int8_t lengthCount;            // buffers only: the length is the product of this many size parameters
  int8_t length[maxDimensions];  // their indices in the signature
  uint32_t alias;                // outputs: bit i set when the storage may be that of parameter i

  constexpr bool isBuffer() const { return kind <= ParameterKind::in; }
};

struct Signature {
  const char* name;
  int8_t axis;   // index of the size parameter that is split, or -1
  int8_t grain;  // shares of a constant axis are runs of so many units
  int8_t count;
  Parameter parameters[maxParameters];
};

enum class Kernel : int32_t {
#define BLASNET_KERNEL(name) name,
#include "signatures.inc"
#undef BLASNET_KERNEL
  count
};

constexpr int kernelCount = static_cast<int>(Kernel::count);
extern const Signature signatures[kernelCount];

// An argument of a kernel call: a pointer for buffers, an integer for sizes, words, flags and codes, a real for floats.
union Argument {
  void* pointer;
  int64_t integer;
  double real;
};

// Runs a kernel for the units [begin, end) of its axis; a kernel without axis ignores the range.
using KernelFunction = void (*)(const Argument* arguments, int64_t begin, int64_t end) noexcept;

// The kernels compiled for one instruction set, indexed by Kernel.
struct KernelSet {
  const char* name;
  const KernelFunction* functions;
};

// The set of that name ("baseline", "avx2", "avx512", "neon"), or null when this build lacks it or this CPU can't run it.
const KernelSet* findKernelSet(const char* name) noexcept;

// The widest set that this CPU runs.
const KernelSet& bestKernelSet() noexcept;

}  // namespace blasnet
