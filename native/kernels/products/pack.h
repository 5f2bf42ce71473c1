// Copies of a block of a matrix, row by row or transposed.
#pragma once

#include <cstdint>
#include <cstring>

namespace blasnet {
namespace {

typedef float Four __attribute__((vector_size(16)));

#if defined(__clang__)
#define BLASNET_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
typedef int32_t FourIndices __attribute__((vector_size(16)));
#define BLASNET_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, FourIndices{__VA_ARGS__})
#endif

[[maybe_unused]] Four loadFour(const float* x) {
  Four v;
  std::memcpy(&v, x, sizeof v);
  return v;
}

[[maybe_unused]] void storeFour(float* y, Four v) { std::memcpy(y, &v, sizeof v); }

// y: 4 rows, `width` apart; x: 4 rows, `stride` apart.
[[maybe_unused]] void transposeFour(float* y, int64_t width, const float* x, int64_t stride) {
  const Four x0 = loadFour(x), x1 = loadFour(x + stride), x2 = loadFour(x + 2 * stride), x3 = loadFour(x + 3 * stride);
  const Four low01 = BLASNET_SHUFFLE(x0, x1, 0, 4, 1, 5), high01 = BLASNET_SHUFFLE(x0, x1, 2, 6, 3, 7);
  const Four low23 = BLASNET_SHUFFLE(x2, x3, 0, 4, 1, 5), high23 = BLASNET_SHUFFLE(x2, x3, 2, 6, 3, 7);
  storeFour(y, BLASNET_SHUFFLE(low01, low23, 0, 1, 4, 5));
  storeFour(y + width, BLASNET_SHUFFLE(low01, low23, 2, 3, 6, 7));
  storeFour(y + 2 * width, BLASNET_SHUFFLE(high01, high23, 0, 1, 4, 5));
  storeFour(y + 3 * width, BLASNET_SHUFFLE(high01, high23, 2, 3, 6, 7));
}

// packed: depth x columns; b: depth x columns, or columns x depth where it is transposed.
[[maybe_unused]] void pack(float* packed, const float* b, int64_t ldb, bool transB, int64_t depth, int64_t columns) {
  if (!transB) {
    for (int64_t l = 0; l < depth; l++)
      std::memcpy(packed + l * columns, b + l * ldb, static_cast<size_t>(columns) * sizeof(float));
    return;
  }
  const int64_t fullDepth = depth / 4 * 4, fullColumns = columns / 4 * 4;
  for (int64_t j = 0; j < fullColumns; j += 4) {
    for (int64_t l = 0; l < fullDepth; l += 4) transposeFour(packed + l * columns + j, columns, b + j * ldb + l, ldb);
  }
  for (int64_t j = 0; j < columns; j++) {
    for (int64_t l = j < fullColumns ? fullDepth : 0; l < depth; l++) packed[l * columns + j] = b[j * ldb + l];
  }
}

#undef BLASNET_SHUFFLE

}  // namespace
}  // namespace blasnet
