// The kernel table in C++: names, arguments and the axes along which threads split the work. The entries in
// signatures.inc are generated from lib/kernels by scripts/generate-signatures.mjs.
#pragma once

#include <cstddef>
#include <cstdint>

namespace blasnet {

enum class ParameterKind : uint8_t { out, inout, in, size, real, word, flag, code };
enum class Element : uint8_t { f32, f64, i32, u8 };

constexpr size_t elementBytes(Element element) { return element == Element::f64 ? 8 : element == Element::u8 ? 1 : 4; }

constexpr int maxParameters = 24;
constexpr int maxDimensions = 6;
constexpr int maxAxes = 2;

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
  int8_t codes;                  // codes only: how many there are

  constexpr bool isBuffer() const { return kind <= ParameterKind::in; }
};

struct Signature {
  const char* name;
  int8_t axes[maxAxes];    // indices of the size parameters along which threads can share the work, -1 for none
  int8_t grains[maxAxes];  // shares of a constant axis are runs of so many units
  int8_t count;
  Parameter parameters[maxParameters];
};

enum class Kernel : int32_t {
#define BLASNET_KERNEL(name, ...) name,
#include "signatures.inc"
#undef BLASNET_KERNEL
  count
};

// Activations that a kernel can apply to its result, by code.
enum Activation : int32_t {
#define BLASNET_ACTIVATION(name) name##Code,
#include "signatures.inc"
#undef BLASNET_ACTIVATION
  activationCount
};

// What the operands of a product are rounded to.
enum class Precision : int32_t {
#define BLASNET_PRECISION(name) name,
#include "signatures.inc"
#undef BLASNET_PRECISION
};

enum class BinaryOperation : int32_t {
#define BLASNET_BINARY(name) name,
#include "signatures.inc"
#undef BLASNET_BINARY
};

enum class UnaryOperation : int32_t {
#define BLASNET_UNARY(name) name,
#include "signatures.inc"
#undef BLASNET_UNARY
};

enum class Reduction : int32_t {
#define BLASNET_REDUCTION(name) name,
#include "signatures.inc"
#undef BLASNET_REDUCTION
};

// tableHash: a hash of the whole table.
#define BLASNET_TABLE_HASH
#include "signatures.inc"
#undef BLASNET_TABLE_HASH

constexpr int kernelCount = static_cast<int>(Kernel::count);
extern const Signature signatures[kernelCount];

// An argument of a kernel call: a pointer for buffers, an integer for sizes, words, flags and codes, a real for floats.
union Argument {
  void* pointer;
  int64_t integer;
  double real;
};

// Runs a kernel for the units [begin, end) of one of its axes, given by index; a kernel without axes ignores both.
using KernelFunction = void (*)(const Argument* arguments, int axis, int64_t begin, int64_t end) noexcept;

// The kernels compiled for one instruction set, indexed by Kernel.
struct KernelSet {
  const char* name;
  const KernelFunction* functions;
  // What multiplies wide matrices of float32: "amx", with three parts of bfloat16 for a number, or "fma". Asks the
  // system for AMX's state if that is used.
  const char* (*float32Way)() noexcept;
};

// The set of that name ("baseline", "avx2", "avx512", "neon"), or null if this build lacks it or this CPU can't run it.
const KernelSet* findKernelSet(const char* name) noexcept;

// The widest set this CPU can run.
const KernelSet& bestKernelSet() noexcept;

}  // namespace blasnet
