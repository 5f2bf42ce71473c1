// Layer, group and instance normalisation against their formulas in double.
#include "test.h"

namespace {

using namespace blasnet;
using namespace blasnet::test;

struct Shape {
  int64_t rows, positions, pixels, groups, width;

  int64_t channels() const { return groups * width; }
  int64_t statistics() const { return rows * positions * groups; }
  int64_t values() const { return rows * positions * pixels * channels(); }
  // Where value i of a group of a unit lies.
  int64_t place(int64_t unit, int64_t group, int64_t i) const {
    return (unit * pixels + i / width) * channels() + group * width + i % width;
  }
};

struct Statistics {
  Buffer<float> mean, rest, inverseStd;
  explicit Statistics(const Shape& s) : mean(s.statistics()), rest(s.statistics()), inverseStd(s.statistics()) {}
  bool sameBits(const Statistics& o) const {
    return mean.sameBits(o.mean) && rest.sameBits(o.rest) && inverseStd.sameBits(o.inverseStd);
  }
  bool intact() const { return mean.intact() && rest.intact() && inverseStd.intact(); }
};

// One thread, several, and in place give the same bits, near the formulas. `y`: the tolerance of normalised values.
void checkShape(const KernelSet& set, Random& random, const Shape& s, bool affine, double from, double to,
                double tolerance) {
  const float epsilon = to - from < 1 ? 1e-9f : 1e-3f;
  const int64_t n = s.values();
  Buffer<float> x(n, random, from, to), y(n), inParts(n);
  Buffer<float> gamma(s.channels(), random, 0.5, 2), beta(s.channels(), random, -1, 1);
  const Buffer<float>*g = affine ? &gamma : nullptr, *b = affine ? &beta : nullptr;
  Statistics of(s), ofParts(s);
  const auto forward = [&](Buffer<float>& out, Statistics& t) {
    return Call(set, Kernel::groupNormForward, out, t.mean, t.rest, t.inverseStd, x, g, b, s.rows, s.positions,
                s.pixels, s.groups, s.width, epsilon);
  };
  forward(y, of).whole();
  forward(inParts, ofParts).split();
  CHECK(y.sameBits(inParts) && of.sameBits(ofParts) && y.intact() && of.intact());

  Buffer<float> dy(n, random, -1, 1), dx(n);
  const auto input = [&](Buffer<float>& out) {
    return Call(set, Kernel::groupNormBackwardInput, out, dy, x, of.mean, of.rest, of.inverseStd, g, s.rows,
                s.positions, s.pixels, s.groups, s.width);
  };
  input(dx).whole();
  constexpr int64_t parts = 3;
  Buffer<float> dgamma(s.channels()), dbeta(s.channels());
  Buffer<float> dgammaParts(parts * s.channels()), dbetaParts(parts * s.channels());
  const auto gradients = [&](Buffer<float>& first, Buffer<float>& second, int64_t count) {
    return Call(set, Kernel::groupNormBackwardParts, first, second, dy, x, of.mean, of.rest, of.inverseStd, s.rows,
                s.positions, s.pixels, s.groups, s.width, count);
  };
  gradients(dgamma, dbeta, 1).whole();
  gradients(dgammaParts, dbetaParts, parts).split();

  const int64_t count = s.pixels * s.width;
  std::vector<double> sums(static_cast<size_t>(s.channels())), products(sums), size(sums);
  for (int64_t unit = 0; unit < s.rows * s.positions; unit++) {
    for (int64_t group = 0; group < s.groups; group++) {
      double mean = 0, variance = 0, sum = 0, product = 0;
      const auto at = [&](int64_t i) { return s.place(unit, group, i); };
      for (int64_t i = 0; i < count; i++) mean += x[at(i)] / static_cast<double>(count);
      for (int64_t i = 0; i < count; i++) variance += std::pow(x[at(i)] - mean, 2) / static_cast<double>(count);
      const double inverse = 1 / std::sqrt(variance + epsilon);
      const int64_t k = unit * s.groups + group;
      CHECK_NEAR(static_cast<double>(of.mean[k]) + of.rest[k], mean, 0, tolerance / inverse + 1e-7, "mean");
      CHECK_NEAR(of.inverseStd[k], inverse, tolerance, 0, "inverseStd");
      for (int64_t i = 0; i < count; i++) {
        const int64_t c = at(i) % s.channels();
        const double scale = affine ? gamma[c] : 1, normalised = (x[at(i)] - mean) * inverse;
        CHECK_NEAR(y[at(i)], normalised * scale + (affine ? beta[c] : 0), tolerance, 4 * tolerance, "y");
        sum += dy[at(i)] * scale;
        product += dy[at(i)] * scale * normalised;
        sums[static_cast<size_t>(c)] += dy[at(i)];
        products[static_cast<size_t>(c)] += dy[at(i)] * normalised;
        size[static_cast<size_t>(c)] += std::fabs(dy[at(i)] * normalised);
      }
      for (int64_t i = 0; i < count; i++) {
        const double normalised = (x[at(i)] - mean) * inverse;
        const double gradient = dy[at(i)] * (affine ? gamma[at(i) % s.channels()] : 1);
        const double total = static_cast<double>(count);
        CHECK_NEAR(dx[at(i)], inverse * (gradient - sum / total - normalised * product / total), 0,
                   8 * tolerance * inverse, "dx");
      }
    }
  }
  for (int64_t c = 0; c < s.channels(); c++) {
    const auto j = static_cast<size_t>(c);
    CHECK_NEAR(dbeta[c], sums[j], 1e-6, 1e-6 + 1e-7 * size[j], "dbeta");
    CHECK_NEAR(dgamma[c], products[j], 1e-6, tolerance * (1 + size[j]), "dgamma");
    double partial = 0, partialBeta = 0;
    for (int64_t part = 0; part < parts; part++) {
      partial += dgammaParts[part * s.channels() + c];
      partialBeta += dbetaParts[part * s.channels() + c];
    }
    CHECK_NEAR(partial, products[j], 1e-6, tolerance * (1 + size[j]), "dgamma of shares");
    CHECK_NEAR(partialBeta, sums[j], 1e-6, 1e-6 + 1e-7 * size[j], "dbeta of shares");
  }
  CHECK(dx.intact() && dgamma.intact() && dbeta.intact() && dgammaParts.intact() && dbetaParts.intact());
  input(dy).split();
  CHECK(dy.sameBits(dx));
}

TEST(groupNorm) {
  Random random(61);
  for (const KernelSet* set : kernelSets()) {
    for (const bool affine : {true, false}) {
      for (const int64_t rows : {0, 1, 7}) {
        for (const int64_t width : {2, 17, 127, 128, 129, 700})
          checkShape(*set, random, {rows, 3, 1, 1, width}, affine, -3, 4, 4e-6);
        for (const int64_t pixels : {1, 9, 40}) {
          for (const int64_t groups : {1, 2, 5}) {
            for (const int64_t width : {2, 3, 64, 65, 130})
              checkShape(*set, random, {rows, 1, pixels, groups, width}, affine, -3, 4, 4e-6);
          }
        }
        for (const int64_t groups : {1, 3, 127, 128, 129, 300})
          checkShape(*set, random, {rows, 1, groups == 3 ? 300 : 25, groups, 1}, affine, -3, 4, 4e-6);
        checkShape(*set, random, {rows, 2, 3, 2, 5}, affine, -3, 4, 4e-6);
      }
    }
  }
}

// A deviation of what float32 resolves so far from 0.
TEST(groupNormKeepsPrecision) {
  Random random(62);
  const Shape shapes[] = {
      {3, 2, 1, 1, 64}, {3, 1, 1, 1, 2000}, {3, 1, 49, 4, 6}, {3, 1, 400, 17, 1}, {2, 1, 9, 2, 200}};
  for (const KernelSet* set : kernelSets()) {
    for (const Shape& s : shapes) {
      checkShape(*set, random, s, true, 9999.998, 10000.002, 2e-5);
      checkShape(*set, random, s, false, 999, 1001, 4e-6);
    }
  }
}

// Sizes of 0 read and write nothing where there is nothing.
TEST(groupNormOfNothing) {
  Random random(63);
  const Shape shapes[] = {{3, 0, 2, 2, 2}, {3, 1, 0, 2, 2}, {3, 1, 2, 0, 2}, {3, 1, 2, 2, 0}};
  for (const KernelSet* set : kernelSets()) {
    for (const Shape& s : shapes) {
      Buffer<float> nothing(0), gamma(s.channels(), random, 0, 1), dgamma(s.channels()), dbeta(s.channels());
      Statistics of(s);
      Call(*set, Kernel::groupNormForward, nothing, of.mean, of.rest, of.inverseStd, nothing, gamma, gamma, s.rows,
           s.positions, s.pixels, s.groups, s.width, 1e-3f)
          .whole();
      Call(*set, Kernel::groupNormBackwardInput, nothing, nothing, nothing, of.mean, of.rest, of.inverseStd, gamma,
           s.rows, s.positions, s.pixels, s.groups, s.width)
          .whole();
      Call(*set, Kernel::groupNormBackwardParts, dgamma, dbeta, nothing, nothing, of.mean, of.rest, of.inverseStd,
           s.rows, s.positions, s.pixels, s.groups, s.width, 1)
          .whole();
      for (int64_t c = 0; c < s.channels(); c++) CHECK(dgamma[c] == 0 && dbeta[c] == 0);
      CHECK(of.intact() && dgamma.intact() && dbeta.intact());
    }
  }
}

}  // namespace
