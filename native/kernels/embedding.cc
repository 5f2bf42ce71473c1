// Rows of a table by their indices.
#include "kernels.h"
#include "math.h"

namespace blasnet::BLASNET_SIMD {

// y: rows x width; indices: rows; w: vocabulary x width.
void embeddingForward(float* y, const int32_t* indices, const float* w, int64_t, int64_t vocabulary, int64_t width,
                      int64_t begin, int64_t end) noexcept {
  for (int64_t row = begin; row < end; row++) {
    const int64_t index = indices[row];
    const bool known = index >= 0 && index < vocabulary;
    const float* in = known ? w + index * width : nullptr;
    float* out = y + row * width;
    for (int64_t j = 0; j < width; j++) out[j] = known ? in[j] : math::notANumber;
  }
}

// Every share reads all indices and adds, in the order of the rows, what belongs to its rows of dw: no sum depends on
// the number of threads.
void embeddingBackward(float* dw, const float* dy, const int32_t* indices, int64_t rows, int64_t, int64_t width,
                       int64_t begin, int64_t end) noexcept {
  for (int64_t j = begin * width; j < end * width; j++) dw[j] = 0;
  for (int64_t row = 0; row < rows; row++) {
    const int64_t index = indices[row];
    if (index < begin || index >= end) continue;
    float* sum = dw + index * width;
    const float* in = dy + row * width;
#pragma omp simd
    for (int64_t j = 0; j < width; j++) sum[j] += in[j];
  }
}

}  // namespace blasnet::BLASNET_SIMD
