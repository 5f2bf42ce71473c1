// Batch normalisation against its formulas in double.
#include "test.h"

namespace {

using namespace blasnet;
using namespace blasnet::test;

// A batch of rows x pixels x features.
struct Sizes {
  int64_t rows, pixels, features;
  int64_t all() const { return rows * pixels; }
};

struct Forward {
  Buffer<float> y, mean, variance, inverseStd, shift, runningMean, runningVariance;
  Forward(int64_t rows, int64_t features)
      : y(rows * features),
        mean(features),
        variance(features),
        inverseStd(features),
        shift(features),
        runningMean(features),
        runningVariance(features) {
    for (int64_t j = 0; j < features; j++) {
      runningMean[j] = 0.25f;
      runningVariance[j] = 2;
    }
  }
  void run(const KernelSet& set, const Buffer<float>& x, const Buffer<float>& gamma, const Buffer<float>& beta,
           const Sizes& s, int64_t parts, float epsilon, double momentum) {
    Buffer<float> means(parts * s.features), rests(parts * s.features), squares(parts * s.features);
    Call(set, Kernel::batchNormParts, means, rests, squares, x, s.rows, s.pixels, s.features, parts).split();
    Call(set, Kernel::batchNormStatistics, mean, variance, inverseStd, shift, runningMean, runningVariance, means,
         rests, squares, gamma, beta, s.rows, s.pixels, s.features, parts, epsilon, momentum)
        .whole();
    Call(set, Kernel::batchNormInference, y, x, gamma, shift, mean, variance, s.all(), s.features, epsilon).split();
    CHECK(means.intact() && rests.intact() && squares.intact());
  }
  bool intact() const {
    return y.intact() && mean.intact() && variance.intact() && inverseStd.intact() && shift.intact() &&
           runningMean.intact() && runningVariance.intact();
  }
};

struct Backward {
  Buffer<float> dx, dgamma, dbeta;
  Backward(int64_t rows, int64_t features) : dx(rows * features), dgamma(features), dbeta(features) {}
  // `into` may be dy.
  void run(const KernelSet& set, Buffer<float>& into, const Buffer<float>& dy, const Buffer<float>& x, const Forward& f,
           const Buffer<float>& gamma, const Sizes& s, int64_t parts) {
    Buffer<float> dgammaParts(parts * s.features), dbetaParts(parts * s.features);
    Call(set, Kernel::batchNormBackwardParts, dgammaParts, dbetaParts, dy, x, f.mean, f.inverseStd, s.rows, s.pixels,
         s.features, parts)
        .split();
    Call(set, Kernel::batchNormBackwardInput, into, dy, x, f.mean, f.inverseStd, gamma, dgammaParts, dbetaParts,
         s.all(), s.features, parts)
        .split();
    Call(set, Kernel::sumParts, dgamma, dgammaParts, s.features, parts).whole();
    Call(set, Kernel::sumParts, dbeta, dbetaParts, s.features, parts).whole();
    CHECK(dgammaParts.intact() && dbetaParts.intact() && dx.intact() && dgamma.intact() && dbeta.intact());
  }
};

TEST(batchNorm) {
  Random random(6);
  const double epsilon = 1e-3f, momentum = 0.9;
  for (const KernelSet* set : kernelSets()) {
    for (const int64_t rows : {1, 2, 7, 8, 9, 64, 700}) {
      for (const int64_t features : {1, 3, 16, 17, 100, 128, 129, 300}) {
        Buffer<float> x(rows * features, random, -3, 4), gamma(features, random, 0.5, 2), beta(features, random, -1, 1);
        const Sizes s{rows, 1, features};
        Forward f(rows, features);
        f.run(*set, x, gamma, beta, s, 1, epsilon, momentum);
        CHECK(f.intact());

        Buffer<float> dy(rows * features, random, -1, 1);
        Backward back(rows, features), inPlace(rows, features);
        auto& [dx, dgamma, dbeta] = back;
        back.run(*set, dx, dy, x, f, gamma, s, 1);
        Buffer<float> inference(rows * features);
        Call(*set, Kernel::batchNormInference, inference, x, gamma, beta, f.runningMean, f.runningVariance, rows,
             features, epsilon)
            .whole();

        for (int64_t j = 0; j < features; j++) {
          double mean = 0, variance = 0, sum = 0, product = 0;
          for (int64_t i = 0; i < rows; i++) mean += x[i * features + j] / static_cast<double>(rows);
          for (int64_t i = 0; i < rows; i++)
            variance += std::pow(x[i * features + j] - mean, 2) / static_cast<double>(rows);
          const double inverseStd = 1 / std::sqrt(variance + epsilon);
          CHECK_NEAR(f.mean[j], mean, 1e-6, 1e-6, "mean");
          CHECK_NEAR(f.inverseStd[j], inverseStd, 2e-6, 0, "inverseStd");
          CHECK_NEAR(f.runningMean[j], momentum * 0.25 + (1 - momentum) * mean, 1e-6, 1e-7, "runningMean");
          CHECK_NEAR(f.runningVariance[j], momentum * 2 + (1 - momentum) * variance, 1e-6, 0, "runningVariance");
          const double runningInverse = 1 / std::sqrt(f.runningVariance[j] + epsilon);
          for (int64_t i = 0; i < rows; i++) {
            const int64_t at = i * features + j;
            CHECK_NEAR(f.y[at], (x[at] - mean) * inverseStd * gamma[j] + beta[j], 2e-6, 1e-5, "y");
            CHECK_NEAR(inference[at],
                       (static_cast<double>(x[at]) - f.runningMean[j]) * runningInverse * gamma[j] + beta[j], 2e-6,
                       1e-6, "inference");
            sum += dy[at];
            product += dy[at] * (x[at] - mean) * inverseStd;
          }
          const double scale = static_cast<double>(rows);
          CHECK_NEAR(dbeta[j], sum, 2e-6, 3e-8 * scale + 2e-6, "dbeta");
          CHECK_NEAR(dgamma[j], product, 5e-6, 2e-7 * scale + 1e-5, "dgamma");
          for (int64_t i = 0; i < rows; i++) {
            const int64_t at = i * features + j;
            const double normalised = (x[at] - mean) * inverseStd;
            CHECK_NEAR(dx[at], gamma[j] * inverseStd * (dy[at] - sum / scale - normalised * product / scale), 1e-5,
                       1e-5 * inverseStd, "dx");
          }
        }
        CHECK(inference.intact());

        inPlace.run(*set, dy, dy, x, f, gamma, s, 1);
        CHECK(dy.sameBits(dx) && inPlace.dgamma.sameBits(dgamma) && inPlace.dbeta.sameBits(dbeta));
        Call(*set, Kernel::batchNormInference, x, x, gamma, beta, f.runningMean, f.runningVariance, rows, features,
             epsilon)
            .split();
        CHECK(x.sameBits(inference));

        Buffer<float> whole(rows * features), before(rows * features);
        for (int64_t i = 0; i < rows * features; i++) before[i] = dy[i];
        Call(*set, Kernel::batchNormInferenceBackward, whole, dgamma, dbeta, dy, x, gamma, f.runningMean,
             f.runningVariance, rows, features, epsilon)
            .whole();
        Call(*set, Kernel::batchNormInferenceBackward, dy, inPlace.dgamma, inPlace.dbeta, dy, x, gamma, f.runningMean,
             f.runningVariance, rows, features, epsilon)
            .split();
        CHECK(dy.sameBits(whole) && inPlace.dgamma.sameBits(dgamma) && inPlace.dbeta.sameBits(dbeta));
        for (int64_t i = 0; i < rows * features; i++) {
          const double factor = gamma[i % features] / std::sqrt(f.runningVariance[i % features] + epsilon);
          CHECK_NEAR(whole[i], factor * before[i], 2e-6, 1e-7, "dx");
        }
        CHECK(whole.intact() && dgamma.intact() && dbeta.intact());
      }
    }
  }
}

// Shared out by rows, all together give what one share gives.
TEST(batchNormByRows) {
  Random random(8);
  const float epsilon = 1e-3f;
  for (const KernelSet* set : kernelSets()) {
    for (const int64_t rows : {1, 2, 7, 64, 301}) {
      for (const int64_t pixels : {1, 9}) {
        for (const int64_t features : {1, 16, 17, 100, 129}) {
          for (const int64_t parts : {1, 2, 3, 5}) {
            if (slowRun() && rows == 301 && parts != 3) continue;
            const Sizes s{rows, pixels, features};
            const int64_t all = s.all();
            Buffer<float> x(all * features, random, -3, 4), gamma(features, random, 0.5, 2),
                beta(features, random, -1, 1);
            Forward f(all, features), g(all, features);
            f.run(*set, x, gamma, beta, s, 1, epsilon, 0.9);
            g.run(*set, x, gamma, beta, s, parts, epsilon, 0.9);
            for (int64_t j = 0; j < features; j++) {
              CHECK_NEAR(g.mean[j], f.mean[j], 1e-6, 1e-6, "mean");
              CHECK_NEAR(g.inverseStd[j], f.inverseStd[j], 2e-6, 0, "inverseStd");
              CHECK_NEAR(g.runningMean[j], f.runningMean[j], 1e-6, 1e-6, "runningMean");
              CHECK_NEAR(g.runningVariance[j], f.runningVariance[j], 2e-6, 0, "runningVariance");
            }
            for (int64_t i = 0; i < all * features; i++) CHECK_NEAR(g.y[i], f.y[i], 4e-6, 2e-5, "y");

            Buffer<float> dy(all * features, random, -1, 1);
            Backward whole(all, features), own(all, features);
            whole.run(*set, whole.dx, dy, x, f, gamma, s, 1);
            own.run(*set, own.dx, dy, x, f, gamma, s, parts);
            const double scale = static_cast<double>(all);
            for (int64_t j = 0; j < features; j++) {
              CHECK_NEAR(own.dgamma[j], whole.dgamma[j], 5e-6, 2e-7 * scale + 1e-5, "dgamma");
              CHECK_NEAR(own.dbeta[j], whole.dbeta[j], 2e-6, 3e-8 * scale + 2e-6, "dbeta");
            }
            for (int64_t i = 0; i < all * features; i++) {
              CHECK_NEAR(own.dx[i], whole.dx[i], 1e-5, 1e-5 * f.inverseStd[i % features], "dx");
            }
            CHECK(g.intact());
          }
        }
      }
    }
  }
}

// Features far from 0, in one share and in several.
TEST(batchNormKeepsPrecisionFarFromZero) {
  Random random(9);
  constexpr int64_t rows = 64, features = 300;
  const struct {
    float from, to;
    double tolerance;
  } cases[] = {{90, 110, 2e-6}, {999, 1001, 2e-6}, {9990, 10010, 4e-6}, {9999.998f, 10000.002f, 2e-5}};
  for (const KernelSet* set : kernelSets()) {
    for (const auto& [from, to, tolerance] : cases) {
      Buffer<float> x(rows * features, random, from, to);
      Buffer<float> ones(features);
      for (int64_t j = 0; j < features; j++) ones[j] = 1;
      for (const int64_t parts : {1, 2, 3, 8}) {
        Forward f(rows, features);
        f.run(*set, x, ones, ones, {rows, 1, features}, parts, 0.0f, 1.0);
        for (int64_t j = 0; j < features; j++) {
          double mean = 0, expected = 0;
          for (int64_t i = 0; i < rows; i++) mean += x[i * features + j] / static_cast<double>(rows);
          for (int64_t i = 0; i < rows; i++)
            expected += std::pow(x[i * features + j] - mean, 2) / static_cast<double>(rows);
          CHECK_NEAR(f.variance[j], expected, tolerance, 0, "variance");
          for (int64_t i = 0; i < rows; i += 9) {
            const double y = (x[i * features + j] - mean) / std::sqrt(expected) + 1;
            CHECK_NEAR(f.y[i * features + j], y, 1e-5, 1e-5, "y");
          }
        }
      }
    }
  }
}

TEST(batchNormOfOneRowIsBeta) {
  for (const KernelSet* set : kernelSets()) {
    constexpr int64_t features = 19;
    Random random(7);
    Buffer<float> x(features, random, -1e6, 1e6), gamma(features, random, 1, 2), beta(features, random, -1, 1);
    Forward f(1, features);
    f.run(*set, x, gamma, beta, {1, 1, features}, 1, 1e-5f, 1.0);
    CHECK(f.y.sameBits(beta));
    for (int64_t j = 0; j < features; j++) CHECK(f.runningMean[j] == 0.25f && f.runningVariance[j] == 2);
  }
}

// Values far from 0 with a small spread, and many rows: two passes and blocked sums keep the variance.
TEST(batchNormKeepsPrecision) {
  constexpr int64_t rows = 60000, features = 5;
  Buffer<float> x(rows * features), ones(features);
  for (int64_t i = 0; i < rows; i++) {
    for (int64_t j = 0; j < features; j++) x[i * features + j] = 1000.0f + (i % 2 == 0 ? 0.5f : -0.5f);
  }
  for (int64_t j = 0; j < features; j++) ones[j] = 1;
  for (const KernelSet* set : kernelSets()) {
    Forward f(rows, features);
    f.run(*set, x, ones, ones, {rows, 1, features}, 3, 0.0f, 0.0);
    f.run(*set, x, ones, ones, {rows, 1, features}, 1, 0.0f, 1.0);
    for (int64_t j = 0; j < features; j++) {
      CHECK_NEAR(f.mean[j], 1000, 1e-7, 0, "mean");
      CHECK_NEAR(f.variance[j], 0.25, 1e-6, 0, "variance");
      CHECK_NEAR(f.runningVariance[j], 0.25, 1e-6, 0, "variance by shares");
    }
  }
}

}  // namespace
