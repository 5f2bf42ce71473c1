// Products with an x that has all-zero columns, such as pixels along the edges of images. Those columns are skipped,
// unless they are multiplied by infinity or NaN. With BLASNET_SKIP_ZEROS=0 they are multiplied, too.
#pragma once

#include <cstdint>

namespace blasnet::BLASNET_SIMD {

// y <- x w + beta y. x: rows x in; w: in x out; y: rows x out; `ldx`, `ldw`, `ldy`: distances between rows.
void timesWeights(float* y, const float* x, const float* w, int64_t rows, int64_t in, int64_t out, float beta,
                  int64_t ldx, int64_t ldw, int64_t ldy) noexcept;

// dw <- x^T dy. x: rows x in; dy: rows x out; dw: in x out; `ldx`: distance between rows of x.
void transposedTimes(float* dw, const float* x, const float* dy, int64_t rows, int64_t in, int64_t out,
                     int64_t ldx) noexcept;

}  // namespace blasnet::BLASNET_SIMD
