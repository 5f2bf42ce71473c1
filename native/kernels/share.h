// How work is split among threads.
#pragma once

#include <cstdint>

namespace blasnet {
namespace {

struct Share {
  int64_t begin;
  int64_t end;
};

// Share `part` of `parts` of `units` units, in multiples of `grain`; the shares differ by at most one grain.
// As `share` in lib/kernels/share.ts; test/conformance/divisions.test.ts compares the two.
[[maybe_unused]] Share share(int64_t units, int64_t grain, int64_t part, int64_t parts) {
  const int64_t grains = (units + grain - 1) / grain;
  // Larger shares come first, unless the last grain is a short one.
  const int64_t up = units % grain == 0 ? parts - 1 : 0;
  const auto boundary = [=](int64_t i) {
    const int64_t end = (grains * i + up) / parts * grain;
    return end < units ? end : units;
  };
  return {boundary(part), boundary(part + 1)};
}

// Shares of a constant size in a kernel's `parts` are multiples of this, GRAIN in lib/kernels/signature.ts.
#define BLASNET_GRAIN(units) constexpr int64_t partGrain = units;
#include "signatures.inc"
#undef BLASNET_GRAIN

// The length of equal parts of `total`: at most `most`, and a multiple of four, which suits BLAS.
[[maybe_unused]] int64_t partOf(int64_t total, int64_t most) {
  const int64_t parts = (total + most - 1) / most;
  return ((total + parts - 1) / parts + 3) / 4 * 4;
}

}  // namespace
}  // namespace blasnet
