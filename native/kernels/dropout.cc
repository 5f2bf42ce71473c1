// Inverted dropout and noise. The random words depend only on an element's index, so any split of a range gives the
// same numbers.
#include "kernels.h"
#include "threefry.h"

namespace blasnet::BLASNET_SIMD {
namespace {

constexpr int64_t block = 2 * threefryLanes;

struct Key {
  uint32_t seed, stream, step;
};

// For the blocks of elements that overlap [begin, end): calls numbers(values, first words, second words), which gives
// the block's values, and then write(i, value) for its elements i of the range.
template <typename Numbers, typename Write>
BLASNET_INLINE void forEachBlock(Key key, int64_t begin, int64_t end, Numbers numbers, Write write) {
  for (int64_t first = begin - begin % block; first < end; first += block) {
    uint32_t words[block];
    threefry(words, words + threefryLanes, static_cast<uint32_t>(first / 2), key.step, key.seed, key.stream);
    float values[block];
    numbers(values, words, words + threefryLanes);

    if (first >= begin && first + block <= end) {
#pragma omp simd
      for (int64_t j = 0; j < block; j++) write(first + j, values[j]);
    } else {
      for (int64_t j = 0; j < block; j++) {
        if (first + j >= begin && first + j < end) write(first + j, values[j]);
      }
    }
  }
}

template <typename Write>
BLASNET_INLINE void forEachFactor(uint32_t threshold, float scale, Key key, int64_t begin, int64_t end, Write write) {
  const auto factors = [=](float* values, const uint32_t* words, const uint32_t*) {
#pragma omp simd
    for (int64_t j = 0; j < block; j++) values[j] = words[j] < threshold ? 0.0f : scale;
  };
  forEachBlock(key, begin, end, factors, write);
}

}  // namespace

// y may be x.
void dropoutForward(float* y, float* mask, const float* x, int64_t, uint32_t threshold, float scale, uint32_t seed,
                    uint32_t stream, uint32_t step, int64_t begin, int64_t end) noexcept {
  forEachFactor(threshold, scale, {seed, stream, step}, begin, end, [=](int64_t i, float factor) {
    mask[i] = factor;
    y[i] = x[i] * factor;
  });
}

void dropoutMask(float* mask, int64_t, uint32_t threshold, float scale, uint32_t seed, uint32_t stream, uint32_t step,
                 int64_t begin, int64_t end) noexcept {
  forEachFactor(threshold, scale, {seed, stream, step}, begin, end, [=](int64_t i, float factor) { mask[i] = factor; });
}

// y, x: rows x pixels x channels, y may be x; factors: rows x channels.
void multiplyChannels(float* y, const float* x, const float* factors, int64_t, int64_t pixels, int64_t channels,
                      int64_t begin, int64_t end) noexcept {
  if (channels == 0) return;
  for (int64_t row = begin; row < end; row++) {
    const float* own = factors + row * channels;
    for (int64_t pixel = row * pixels; pixel < (row + 1) * pixels; pixel++) {
      const float* in = x + pixel * channels;
      float* out = y + pixel * channels;
#pragma omp simd
      for (int64_t c = 0; c < channels; c++) out[c] = in[c] * own[c];
    }
  }
}

// y may be x. (Box and Muller 1958)
void gaussianNoise(float* y, const float* x, int64_t, float deviation, uint32_t seed, uint32_t stream, uint32_t step,
                   int64_t begin, int64_t end) noexcept {
  const auto noise = [=](float* values, const uint32_t* first, const uint32_t* second) {
#pragma omp simd
    for (int64_t j = 0; j < threefryLanes; j++) {
      // As many bits as a float holds exactly; signed, as there are instructions for it.
      const float uniform = (static_cast<float>(static_cast<int32_t>(first[j] >> 9)) + 0.5f) * 0x1p-23f;
      const float radius = deviation * math::squareRoot(-2.0f * math::log(uniform));
      const math::SineCosine angle = math::sineCosine(second[j] >> 6);
      values[j] = radius * angle.cosine;
      values[threefryLanes + j] = radius * angle.sine;
    }
  };
  forEachBlock({seed, stream, step}, begin, end, noise, [=](int64_t i, float value) { y[i] = x[i] + value; });
}

}  // namespace blasnet::BLASNET_SIMD
