// The kernels of this instruction set behind one function type, in the order of the kernel table. A kernel whose
// parameters disagree with its row of the table doesn't compile.
#include <utility>

#include "kernels.h"
#include "signatures.h"

namespace blasnet::BLASNET_SIMD {

extern const KernelFunction functions[];

namespace {

constexpr Signature table[] = {
#define BLASNET_SIGNATURE(name, axis, grain, count, ...) {name, axis, grain, count, {__VA_ARGS__}},
#include "signatures.inc"
#undef BLASNET_SIGNATURE
};

// Reads an argument for a kernel's parameter of type T, and tells which rows of the table T may stand for.
template <typename T>
struct Reader;

template <typename T, Element element, bool input>
struct PointerReader {
  static T* read(const Argument& argument) noexcept { return static_cast<T*>(argument.pointer); }
  static constexpr bool fits(const Parameter& parameter) {
    return parameter.isBuffer() && parameter.element == element && (parameter.kind == ParameterKind::in) == input;
  }
};

template <typename T, ParameterKind kind>
struct IntegerReader {
  static T read(const Argument& argument) noexcept { return static_cast<T>(argument.integer); }
  static constexpr bool fits(const Parameter& parameter) { return parameter.kind == kind; }
};

template <typename T>
struct RealReader {
  static T read(const Argument& argument) noexcept { return static_cast<T>(argument.real); }
  static constexpr bool fits(const Parameter& parameter) { return parameter.kind == ParameterKind::real; }
};

template <>
struct Reader<float*> : PointerReader<float, Element::f32, false> {};
template <>
struct Reader<double*> : PointerReader<double, Element::f64, false> {};
template <>
struct Reader<int32_t*> : PointerReader<int32_t, Element::i32, false> {};
template <>
struct Reader<const float*> : PointerReader<const float, Element::f32, true> {};
template <>
struct Reader<const double*> : PointerReader<const double, Element::f64, true> {};
template <>
struct Reader<const int32_t*> : PointerReader<const int32_t, Element::i32, true> {};
template <>
struct Reader<const uint8_t*> : PointerReader<const uint8_t, Element::u8, true> {};
template <>
struct Reader<int64_t> : IntegerReader<int64_t, ParameterKind::size> {};
template <>
struct Reader<uint32_t> : IntegerReader<uint32_t, ParameterKind::word> {};
template <>
struct Reader<int32_t> : IntegerReader<int32_t, ParameterKind::code> {};
template <>
struct Reader<bool> : IntegerReader<bool, ParameterKind::flag> {};
template <>
struct Reader<float> : RealReader<float> {};
template <>
struct Reader<double> : RealReader<double> {};

template <int number, auto function, typename Type = decltype(function)>
struct Thunk;

template <int number, auto function, typename... P>
struct Thunk<number, function, void (*)(P...) noexcept> {
  static constexpr int count = table[number].count;
  static constexpr bool ranged = table[number].axis >= 0;
  static_assert(sizeof...(P) == count + (ranged ? 2 : 0), "the kernel has not as many parameters as its row of the table");

  // Parameter i: an argument, or one end of the range after the last.
  template <typename T, int i>
  static T value(const Argument* arguments, int64_t begin, int64_t end) noexcept {
    if constexpr (i < count) {
      static_assert(Reader<T>::fits(table[number].parameters[i]), "a parameter's type disagrees with the table");
      return Reader<T>::read(arguments[i]);
    } else {
      return i == count ? begin : end;
    }
  }

  template <int... i>
  static void call(std::integer_sequence<int, i...>, const Argument* arguments, int64_t begin, int64_t end) noexcept {
    function(value<P, i>(arguments, begin, end)...);
  }

  static void run(const Argument* arguments, int64_t begin, int64_t end) noexcept {
    call(std::make_integer_sequence<int, sizeof...(P)>(), arguments, begin, end);
  }
};

}  // namespace

const KernelFunction functions[] = {
#define BLASNET_KERNEL(name) Thunk<static_cast<int>(Kernel::name), &name>::run,
#include "signatures.inc"
#undef BLASNET_KERNEL
};

static_assert(sizeof(functions) / sizeof(functions[0]) == kernelCount);

}  // namespace blasnet::BLASNET_SIMD
