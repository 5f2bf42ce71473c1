// Layer, group and instance normalisation. A unit is a position of a row: pixels x groups x width values, of which each
// group is normalised. Vectors run along channels: with one pixel along the width of a group, otherwise along
// neighbouring channels of as many groups as fit, with the sums of all pixels per channel.
#include "kernels.h"
#include "reduce.h"
#include "share.h"

namespace blasnet::BLASNET_SIMD {
namespace {

struct Units {
  int64_t positions, pixels, groups, width;

  BLASNET_INLINE int64_t channels() const { return groups * width; }
  BLASNET_INLINE int64_t size() const { return pixels * channels(); }
  BLASNET_INLINE bool empty() const { return size() == 0; }
  // Values of a group.
  BLASNET_INLINE double count() const { return static_cast<double>(pixels * width); }
};

// Neighbouring groups: one, or several with at most columnBlock channels together.
struct Block {
  int64_t first, count;
};

template <typename Work>
BLASNET_INLINE void byBlocks(const Units& units, Work work) {
  const int64_t most = math::larger(1, columnBlock / units.width);
  for (int64_t first = 0; first < units.groups; first += most)
    work(Block{first, math::smaller(most, units.groups - first)});
}

// Runs of at most columnBlock channels of a block. Calls work(channel, length) with the first channel of each.
template <typename Work>
BLASNET_INLINE void byColumns(const Units& units, const Block& block, Work work) {
  const int64_t end = (block.first + block.count) * units.width;
  for (int64_t channel = block.first * units.width; channel < end; channel += columnBlock)
    work(channel, math::smaller(columnBlock, end - channel));
}

// of[j] = the value of the group to which channel j of such a run belongs: all of them are the block's only group, or
// the run is the whole block.
BLASNET_INLINE void expand(float* of, const float* perGroup, const Units& units, const Block& block, int64_t length) {
  const int64_t width = math::smaller(units.width, length);
  for (int64_t group = 0; group < block.count; group++) {
#pragma omp simd
    for (int64_t j = 0; j < width; j++) of[group * width + j] = perGroup[group];
  }
}

// x normalised by its group, whose mean is near `mean`. Loops get these numbers one by one: compilers don't vectorise
// loops over structures of them.
BLASNET_INLINE float normalise(float x, float mean, float inverseStd, float scaledResidual) {
  return (x - mean) * inverseStd - scaledResidual;
}

// Those numbers of the groups of a block, or of the channels of a run.
struct Statistics {
  float mean[columnBlock], inverseStd[columnBlock], scaledResidual[columnBlock];
};

// From the statistics of the block's first group on.
BLASNET_INLINE void read(Statistics& of, const float* mean, const float* meanResidual, const float* inverseStd,
                         int64_t count) {
#pragma omp simd
  for (int64_t group = 0; group < count; group++) {
    of.mean[group] = mean[group];
    of.inverseStd[group] = inverseStd[group];
    of.scaledResidual[group] = meanResidual[group] * inverseStd[group];
  }
}

BLASNET_INLINE void expand(Statistics& of, const Statistics& groups, const Units& units, const Block& block,
                           int64_t length) {
  expand(of.mean, groups.mean, units, block, length);
  expand(of.inverseStd, groups.inverseStd, units, block, length);
  expand(of.scaledResidual, groups.scaledResidual, units, block, length);
}

// sums[group] = the sum of term(at, channel, mean, inverseStd, scaledResidual) over the values of each group of the
// block; `at` counts from the start of the unit.
template <typename Term>
BLASNET_INLINE void groupSums(double* sums, const Units& units, const Block& block, const Statistics& groups,
                              Term term) {
  if (units.pixels == 1) {
    for (int64_t group = 0; group < block.count; group++) {
      const int64_t from = (block.first + group) * units.width;
      const float mean = groups.mean[group], inverseStd = groups.inverseStd[group],
                  scaledResidual = groups.scaledResidual[group];
      sums[group] =
          sumOf(units.width, [=](int64_t j) { return term(from + j, from + j, mean, inverseStd, scaledResidual); });
    }
    return;
  }
  for (int64_t group = 0; group < block.count; group++) sums[group] = 0;
  const int64_t channels = units.channels();
  byColumns(units, block, [&](int64_t channel, int64_t length) {
    Statistics own;
    expand(own, groups, units, block, length);
    double total[columnBlock];
    columnSums(total, units.pixels, length, [&](int64_t pixel, int64_t j) {
      return term(pixel * channels + channel + j, channel + j, own.mean[j], own.inverseStd[j], own.scaledResidual[j]);
    });
    const int64_t width = math::smaller(units.width, length);
    for (int64_t group = 0; group < block.count; group++) {
      for (int64_t j = 0; j < width; j++) sums[group] += total[group * width + j];
    }
  });
}

// Mean and inverseStd of the groups of a block; meanResidual[group] is what the mean loses when rounded to float.
BLASNET_INLINE void measure(Statistics& of, float* meanResidual, const float* x, const Units& units, const Block& block,
                            float epsilon) {
  const double count = units.count();
  double sums[columnBlock], squares[columnBlock];
  groupSums(sums, units, block, of, [=](int64_t at, int64_t, float, float, float) { return x[at]; });
  for (int64_t group = 0; group < block.count; group++) of.mean[group] = static_cast<float>(sums[group] / count);
  groupSums(squares, units, block, of, [=](int64_t at, int64_t, float mean, float, float) {
    const float d = x[at] - mean;
    return d * d;
  });
  groupSums(sums, units, block, of, [=](int64_t at, int64_t, float mean, float, float) { return x[at] - mean; });
  for (int64_t group = 0; group < block.count; group++) {
    const float mean = of.mean[group];
    const bool overflow = sums[group] - sums[group] != 0 && mean - mean == 0;
    const double residual = overflow ? 0 : sums[group] / count;
    const double variance = squares[group] / count - residual * residual;
    // May have become negative by cancellation; keeps NaN.
    of.inverseStd[group] = 1.0f / math::squareRoot(static_cast<float>(variance < 0 ? 0 : variance) + epsilon);
    meanResidual[group] = static_cast<float>(residual);
    of.scaledResidual[group] = meanResidual[group] * of.inverseStd[group];
  }
}

// In place of a gamma or beta that is null.
struct Same {
  float of[columnBlock];
  constexpr explicit Same(float value) : of() {
    for (float& element : of) element = value;
  }
};
constexpr Same ones(1), zeros(0);

// Whether there is a gamma is known at compile time, so that loops have no branch.
template <bool scaled>
BLASNET_INLINE float gradientOf(float dy, const float* gamma, int64_t channel) {
  if constexpr (scaled) return dy * gamma[channel];
  return dy;
}

template <bool scaled>
BLASNET_INLINE void backwardInput(float* dx, const float* dy, const float* x, const Statistics& groups,
                                  const float* gamma, const Units& units, const Block& block) {
  double sums[columnBlock], products[columnBlock];
  groupSums(sums, units, block, groups, [=](int64_t at, int64_t channel, float, float, float) {
    return gradientOf<scaled>(dy[at], gamma, channel);
  });
  groupSums(products, units, block, groups,
            [=](int64_t at, int64_t channel, float mean, float inverseStd, float scaledResidual) {
              return gradientOf<scaled>(dy[at], gamma, channel) * normalise(x[at], mean, inverseStd, scaledResidual);
            });
  float meanGradients[columnBlock], meanProducts[columnBlock];
  for (int64_t group = 0; group < block.count; group++) {
    meanGradients[group] = static_cast<float>(sums[group] / units.count());
    meanProducts[group] = static_cast<float>(products[group] / units.count());
  }
  byColumns(units, block, [&](int64_t channel, int64_t length) {
    Statistics own;
    expand(own, groups, units, block, length);
    float meanGradient[columnBlock], meanProduct[columnBlock];
    expand(meanGradient, meanGradients, units, block, length);
    expand(meanProduct, meanProducts, units, block, length);
    for (int64_t pixel = 0; pixel < units.pixels; pixel++) {
      const int64_t from = pixel * units.channels() + channel;
#pragma omp simd
      for (int64_t j = 0; j < length; j++) {
        const float gradient = gradientOf<scaled>(dy[from + j], gamma, channel + j) - meanGradient[j];
        dx[from + j] =
            own.inverseStd[j] *
            (gradient - normalise(x[from + j], own.mean[j], own.inverseStd[j], own.scaledResidual[j]) * meanProduct[j]);
      }
    }
  });
}

// Adds, for a run of channels of the units [begin, end), the sums of dy and of dy times the normalised x.
BLASNET_INLINE void addSums(double* sum, double* product, const float* dy, const float* x, const float* mean,
                            const float* meanResidual, const float* inverseStd, const Units& units, const Block& block,
                            int64_t channel, int64_t length, int64_t begin, int64_t end) {
  double total[columnBlock];
  const int64_t size = units.size();
  if (units.pixels == 1 && units.groups == 1) {
    // One group per unit: its statistics are the same for all channels.
    columnSums(total, end - begin, length, [=](int64_t row, int64_t j) {
      const int64_t unit = begin + row, at = unit * size + channel + j;
      const float scaledResidual = meanResidual[unit] * inverseStd[unit];
      return dy[at] * math::multiplyAdd(x[at] - mean[unit], inverseStd[unit], -scaledResidual);
    });
    for (int64_t j = 0; j < length; j++) product[j] += total[j];
    columnSums(total, end - begin, length,
               [=](int64_t row, int64_t j) { return dy[(begin + row) * size + channel + j]; });
    for (int64_t j = 0; j < length; j++) sum[j] += total[j];
    return;
  }
  for (int64_t unit = begin; unit < end; unit++) {
    const int64_t first = unit * units.groups + block.first, from = unit * size + channel;
    Statistics groups, own;
    read(groups, mean + first, meanResidual + first, inverseStd + first, block.count);
    expand(own, groups, units, block, length);
    const int64_t channels = units.channels();
    columnSums(total, units.pixels, length, [=](int64_t pixel, int64_t j) { return dy[from + pixel * channels + j]; });
    for (int64_t j = 0; j < length; j++) sum[j] += total[j];
    columnSums(total, units.pixels, length, [&](int64_t pixel, int64_t j) {
      const int64_t at = from + pixel * channels + j;
      return dy[at] * normalise(x[at], own.mean[j], own.inverseStd[j], own.scaledResidual[j]);
    });
    for (int64_t j = 0; j < length; j++) product[j] += total[j];
  }
}

}  // namespace

// y, x: rows x positions x pixels x groups x width; mean, rest, inverseStd: rows x positions x groups; gamma, beta:
// groups x width, or null.
void groupNormForward(float* y, float* mean, float* rest, float* inverseStd, const float* x, const float* gamma,
                      const float* beta, int64_t, int64_t positions, int64_t pixels, int64_t groups, int64_t width,
                      float epsilon, int64_t begin, int64_t end) noexcept {
  const Units units = {positions, pixels, groups, width};
  if (units.empty()) return;
  for (int64_t unit = begin * positions; unit < end * positions; unit++) {
    const float* in = x + unit * units.size();
    float* out = y + unit * units.size();
    byBlocks(units, [&](const Block& block) {
      const int64_t first = unit * groups + block.first;
      Statistics of;
      measure(of, rest + first, in, units, block, epsilon);
      for (int64_t group = 0; group < block.count; group++) {
        mean[first + group] = of.mean[group];
        inverseStd[first + group] = of.inverseStd[group];
      }
      byColumns(units, block, [&](int64_t channel, int64_t length) {
        Statistics own;
        expand(own, of, units, block, length);
        const float* factor = gamma == nullptr ? ones.of : gamma + channel;
        const float* offset = beta == nullptr ? zeros.of : beta + channel;
        for (int64_t pixel = 0; pixel < pixels; pixel++) {
          const int64_t from = pixel * units.channels() + channel;
#pragma omp simd
          for (int64_t j = 0; j < length; j++)
            out[from + j] =
                normalise(in[from + j], own.mean[j], own.inverseStd[j], own.scaledResidual[j]) * factor[j] + offset[j];
        }
      });
    });
  }
}

// dx, dy, x: rows x positions x pixels x groups x width, dx may be dy; mean, rest, inverseStd: rows x positions x
// groups; gamma: groups x width, or null.
void groupNormBackwardInput(float* dx, const float* dy, const float* x, const float* mean, const float* rest,
                            const float* inverseStd, const float* gamma, int64_t, int64_t positions, int64_t pixels,
                            int64_t groups, int64_t width, int64_t begin, int64_t end) noexcept {
  const Units units = {positions, pixels, groups, width};
  if (units.empty()) return;
  for (int64_t unit = begin * positions; unit < end * positions; unit++) {
    const int64_t at = unit * units.size();
    byBlocks(units, [&](const Block& block) {
      const int64_t first = unit * groups + block.first;
      Statistics of;
      read(of, mean + first, rest + first, inverseStd + first, block.count);
      if (gamma == nullptr) {
        backwardInput<false>(dx + at, dy + at, x + at, of, gamma, units, block);
      } else {
        backwardInput<true>(dx + at, dy + at, x + at, of, gamma, units, block);
      }
    });
  }
}

// dgammaParts, dbetaParts: parts x groups x width; dy, x: rows x positions x pixels x groups x width; mean, rest,
// inverseStd: rows x positions x groups.
void groupNormBackwardParts(float* dgammaParts, float* dbetaParts, const float* dy, const float* x, const float* mean,
                            const float* rest, const float* inverseStd, int64_t rows, int64_t positions, int64_t pixels,
                            int64_t groups, int64_t width, int64_t parts, int64_t begin, int64_t end) noexcept {
  const Units units = {positions, pixels, groups, width};
  if (units.channels() == 0) return;
  for (int64_t part = begin; part < end; part++) {
    const Share mine = share(rows, 1, part, parts);
    byBlocks(units, [&](const Block& block) {
      byColumns(units, block, [&](int64_t channel, int64_t length) {
        double sum[columnBlock] = {}, product[columnBlock] = {};
        addSums(sum, product, dy, x, mean, rest, inverseStd, units, block, channel, length, mine.begin * positions,
                mine.end * positions);
        const int64_t at = part * units.channels() + channel;
        for (int64_t j = 0; j < length; j++) {
          dbetaParts[at + j] = static_cast<float>(sum[j]);
          dgammaParts[at + j] = static_cast<float>(product[j]);
        }
      });
    });
  }
}

}  // namespace blasnet::BLASNET_SIMD
