// The kernels of this instruction set, wrapped to one function type, in the order of the kernel table. A kernel whose
// parameters differ from its generated declaration doesn't link.
#include <type_traits>
#include <utility>

#include "kernels.h"
#include "signatures.h"

namespace blasnet::BLASNET_SIMD {

extern const KernelFunction functions[];

namespace {

constexpr Signature table[] = {
#define BLASNET_SIGNATURE(name, axis, grain, otherAxis, otherGrain, count, ...) \
  {name, {axis, otherAxis}, {grain, otherGrain}, count, {__VA_ARGS__}},
#include "signatures.inc"
#undef BLASNET_SIGNATURE
};

// The number of arguments that a kernel's parameter of type T takes; a struct takes one for each field.
template <typename T>
constexpr int width = std::is_class_v<T> ? sizeof(T) / sizeof(Argument) : 1;

// Converts arguments to a kernel's parameter type T.
template <typename T>
T read(const Argument* arguments) noexcept {
  if constexpr (std::is_class_v<T>) {
    T fields;
    __builtin_memcpy(&fields, arguments, sizeof fields);
    return fields;
  } else if constexpr (std::is_pointer_v<T>) {
    return static_cast<T>(arguments->pointer);
  } else if constexpr (std::is_floating_point_v<T>) {
    return static_cast<T>(arguments->real);
  } else {
    return static_cast<T>(arguments->integer);
  }
}

template <int number, auto function, typename Type = decltype(function)>
struct Thunk;

template <int number, auto function, typename... P>
struct Thunk<number, function, void (*)(P...) noexcept> {
  static constexpr int count = table[number].count;
  // After the arguments: the index of the axis if there is a choice, and the range.
  static constexpr int extra = table[number].axes[0] < 0 ? 0 : table[number].axes[1] < 0 ? 2 : 3;
  static_assert((width<P> + ...) == count + extra);

  // The index of a parameter's first argument.
  static constexpr int first(int parameter) {
    constexpr int widths[] = {width<P>...};
    int index = 0;
    for (int i = 0; i < parameter; i++) index += widths[i];
    return index;
  }

  template <typename T, int i>
  static T value(const Argument* arguments, int axis, int64_t begin, int64_t end) noexcept {
    if constexpr (i < count) {
      return read<T>(arguments + i);
    } else if constexpr (i == count + extra - 3) {
      return axis;
    } else {
      return i == count + extra - 2 ? begin : end;
    }
  }

  template <int... i>
  static void call(std::integer_sequence<int, i...>, const Argument* arguments, int axis, int64_t begin,
                   int64_t end) noexcept {
    function(value<P, first(i)>(arguments, axis, begin, end)...);
  }

  static void run(const Argument* arguments, int axis, int64_t begin, int64_t end) noexcept {
    call(std::make_integer_sequence<int, sizeof...(P)>(), arguments, axis, begin, end);
  }
};

}  // namespace

const KernelFunction functions[] = {
#define BLASNET_KERNEL(name, ...) Thunk<static_cast<int>(Kernel::name), &name>::run,
#include "signatures.inc"
#undef BLASNET_KERNEL
};

static_assert(sizeof(functions) / sizeof(functions[0]) == kernelCount);

}  // namespace blasnet::BLASNET_SIMD
