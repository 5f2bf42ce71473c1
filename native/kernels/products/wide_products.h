// Products of a few rows with weights, as stored or transposed.
#pragma once

#include <cstdint>

namespace blasnet::BLASNET_SIMD {

// y <- x op(w) + beta y. x: rows x in; op(w): in x out, where w is in x out, or out x in if transposed; y: rows x out.
// `ldx`, `ldw`, `ldy`: distances between rows.
void times(float* y, const float* x, const float* w, bool transposed, int64_t rows, int64_t in, int64_t out, float beta,
           int64_t ldx, int64_t ldw, int64_t ldy) noexcept;

}  // namespace blasnet::BLASNET_SIMD
