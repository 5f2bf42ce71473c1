// Products with an x of which whole columns are zero, as are the pixels along the edges of images: those columns are left out.
// What is zero in x then gives zero whatever it meets, an infinity or a NaN included. BLASNET_SKIP_ZEROS=0 multiplies them, too.
#pragma once

#include <cstdint>

namespace blasnet::BLASNET_SIMD {

// y <- x w + beta y. x: rows x in; w: in x out; y: rows x out; each row `ldx`, `ldw`, `ldy` behind the one before.
void timesWeights(float* y, const float* x, const float* w, int64_t rows, int64_t in, int64_t out, float beta, int64_t ldx,
                  int64_t ldw, int64_t ldy) noexcept;

// dw <- x^T dy. x: rows x in, each row `ldx` behind the one before; dy: rows x out; dw: in x out.
void transposedTimes(float* dw, const float* x, const float* dy, int64_t rows, int64_t in, int64_t out, int64_t ldx) noexcept;

}  // namespace blasnet::BLASNET_SIMD
