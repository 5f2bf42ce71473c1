// How work is shared out among threads.
#pragma once

#include <cstdint>

namespace blasnet {
namespace {

struct Share {
  int64_t begin;
  int64_t end;
};

// Share `part` of `parts` in `units` units: as equal as runs of whole `grain`s can be.
[[maybe_unused]] Share share(int64_t units, int64_t grain, int64_t part, int64_t parts) {
  const auto boundary = [=](int64_t i) {
    const int64_t nearest = (units * i + parts * grain / 2) / (parts * grain) * grain;
    return i < parts && nearest < units ? nearest : units;
  };
  return {boundary(part), boundary(part + 1)};
}

// The length of equal parts of `total`, of at most `most` each and a multiple of four, which BLAS likes.
[[maybe_unused]] int64_t partOf(int64_t total, int64_t most) {
  const int64_t parts = (total + most - 1) / most;
  return ((total + parts - 1) / parts + 3) / 4 * 4;
}

}  // namespace
}  // namespace blasnet
