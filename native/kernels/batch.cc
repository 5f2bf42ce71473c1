// Gathers the rows of a batch, and computes their order.
#include "finite.h"
#include "kernels.h"
#include "share.h"
#include "threefry.h"

namespace blasnet::BLASNET_SIMD {
namespace {

BLASNET_INLINE bool isRow(int32_t index, int64_t sourceRows) { return index >= 0 && index < sourceRows; }

BLASNET_INLINE void fillNaN(float* x, int64_t n) {
#pragma omp simd
  for (int64_t j = 0; j < n; j++) x[j] = math::notANumber;
}

// The rows of a batch are scattered over the source, where hardware prefetching fails: prefetch them some rows ahead.
constexpr int64_t rowsAhead = 4;

template <typename T>
BLASNET_INLINE void prefetch(const T* row, int64_t n) {
  constexpr int64_t line = 64 / sizeof(T);
  constexpr int64_t longest = 64 * line;  // of a longer row the hardware sees the pattern
  const int64_t last = n < longest ? n : longest;
  for (int64_t j = 0; j < last; j += line) __builtin_prefetch(row + j);
}

// In double, the product of two floats is exact, so the result does not depend on whether the compiler fuses it with
// the addition. Without an offset there is nothing to fuse.
template <typename Real, typename T>
BLASNET_INLINE void convertRow(float* x, const T* source, int64_t features, float scale, float offset) {
#pragma omp simd
  for (int64_t j = 0; j < features; j++) {
    x[j] = static_cast<float>(static_cast<Real>(source[j]) * static_cast<Real>(scale) + static_cast<Real>(offset));
  }
}

BLASNET_INLINE bool allFinite(const uint8_t*, int64_t) { return true; }

// The first n elements of rows [begin, end) of x, whose rows are `ldx` apart. source: sourceRows x features.
template <typename T>
BLASNET_INLINE void gather(float* x, int64_t ldx, const T* source, const int32_t* order, int64_t n, int64_t features,
                           int64_t sourceRows, float scale, float offset, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; row++) {
    // Each index is read only once: another thread may write to shared memory between check and use.
    const int32_t index = order[row], later = row + rowsAhead < end ? order[row + rowsAhead] : -1;
    if (isRow(later, sourceRows)) prefetch(source + later * features, n);
    float* out = x + row * ldx;
    const T* in = isRow(index, sourceRows) ? source + index * features : nullptr;
    if (in == nullptr || !allFinite(in, n)) {
      fillNaN(out, n);
    } else if (offset == 0) {
      convertRow<float>(out, in, n, scale, offset);
    } else {
      convertRow<double>(out, in, n, scale, offset);
    }
  }
}

// The random words of an epoch: word q is half q & 1 of the counter (q >> 1, epoch).
class Words {
 public:
  BLASNET_INLINE Words(uint32_t seed, uint32_t stream, uint32_t epoch) : seed_(seed), stream_(stream), epoch_(epoch) {}

  // The next word scaled to 0 ... bound - 1.
  BLASNET_INLINE int64_t below(int64_t bound) {
    constexpr int64_t batch = 2 * threefryLanes;
    const int64_t within = next_ % batch;
    if (within == 0) threefry(even_, odd_, static_cast<uint32_t>(next_ / 2), epoch_, seed_, stream_);
    next_++;
    const uint32_t word = within % 2 == 0 ? even_[within / 2] : odd_[within / 2];
    return static_cast<int64_t>((static_cast<uint64_t>(word) * static_cast<uint64_t>(bound)) >> 32);
  }

 private:
  const uint32_t seed_, stream_, epoch_;
  int64_t next_ = 0;
  uint32_t even_[threefryLanes], odd_[threefryLanes];
};

}  // namespace

void gatherBytes(float* x, const uint8_t* source, const int32_t* order, int64_t, int64_t features, int64_t sourceRows,
                 float scale, float offset, int64_t begin, int64_t end) noexcept {
  gather(x, features, source, order, features, features, sourceRows, scale, offset, begin, end);
}

// x: for each share of the features, rows x its features.
void gatherBytesParts(float* x, const uint8_t* source, const int32_t* order, int64_t rows, int64_t features,
                      int64_t sourceRows, int64_t parts, float scale, float offset, int64_t begin,
                      int64_t end) noexcept {
  for (int64_t part = begin; part < end; part++) {
    const Share mine = share(features, partGrain, part, parts);
    const int64_t width = mine.end - mine.begin;
    gather(x + mine.begin * rows, width, source + mine.begin, order, width, features, sourceRows, scale, offset, 0,
           rows);
  }
}

void gatherFloats(float* x, const float* source, const int32_t* order, int64_t, int64_t features, int64_t sourceRows,
                  float scale, float offset, int64_t begin, int64_t end) noexcept {
  gather(x, features, source, order, features, features, sourceRows, scale, offset, begin, end);
}

// Row i is zero but for x[i][indices[k]] = values[k], k from starts[order[i]] to ends[order[i]]. Indices are read only
// once each.
void gatherSparse(float* x, const int32_t* starts, const int32_t* ends, const int32_t* indices, const float* values,
                  const int32_t* order, int64_t, int64_t features, int64_t sourceRows, int64_t indexCount,
                  int64_t valueCount, int64_t begin, int64_t end) noexcept {
  const int64_t count = indexCount < valueCount ? indexCount : valueCount;
  for (int64_t row = begin; row < end; row++) {
    float* out = x + row * features;
    const int32_t index = order[row];
    const bool known = isRow(index, sourceRows);
    const int64_t first = known ? starts[index] : 0, last = known ? ends[index] : 0;
    bool whole = known && first >= 0 && first <= last && last <= count && allFinite(values + first, last - first);
    for (int64_t j = 0; j < features; j++) out[j] = 0;
    for (int64_t k = first; whole && k < last; k++) {
      const int32_t place = indices[k];
      whole = isRow(place, features);
      if (whole) out[place] = values[k] + 0.0f;  // as a dense row: no negative zero
    }
    if (!whole) fillNaN(out, features);
  }
}

void gatherIndices(int32_t* x, const int32_t* source, const int32_t* order, int64_t, int64_t features,
                   int64_t sourceRows, int64_t begin, int64_t end) noexcept {
  for (int64_t row = begin; row < end; row++) {
    const int32_t index = order[row];
    const bool known = isRow(index, sourceRows);
    const int32_t* in = known ? source + index * features : nullptr;
    for (int64_t j = 0; j < features; j++) x[row * features + j] = known ? in[j] : -1;
  }
}

void gatherLabels(int32_t* labels, const int32_t* source, const int32_t* order, int64_t, int64_t sourceRows,
                  int64_t begin, int64_t end) noexcept {
  for (int64_t row = begin; row < end; row++) {
    const int32_t index = order[row];
    labels[row] = isRow(index, sourceRows) ? source[index] : -1;
  }
}

// y: rows x classes.
void oneHot(float* y, const int32_t* labels, int64_t, int64_t classes, int64_t begin, int64_t end) noexcept {
  for (int64_t row = begin; row < end; row++) {
    float* out = y + row * classes;
    const int64_t label = labels[row];
    const bool known = label >= 0 && label < classes;
    for (int64_t j = 0; j < classes; j++) out[j] = known ? 0.0f : math::notANumber;
    if (known) out[label] = 1.0f;
  }
}

// Fisher-Yates shuffle of 0 ... n - 1.
void permutation(int32_t* order, int64_t n, uint32_t seed, uint32_t stream, uint32_t epoch) noexcept {
  for (int64_t i = 0; i < n; i++) order[i] = static_cast<int32_t>(i);
  Words words(seed, stream, epoch);
  for (int64_t i = n - 1; i > 0; i--) {
    const int64_t j = words.below(i + 1);
    const int32_t swapped = order[i];
    order[i] = order[j];
    order[j] = swapped;
  }
}

void drawWithReplacement(int32_t* order, int64_t n, int64_t sourceRows, uint32_t seed, uint32_t stream,
                         uint32_t epoch) noexcept {
  Words words(seed, stream, epoch);
  for (int64_t i = 0; i < n; i++) order[i] = static_cast<int32_t>(words.below(sourceRows));
}

}  // namespace blasnet::BLASNET_SIMD
