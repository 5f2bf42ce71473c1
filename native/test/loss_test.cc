// Losses and their gradients against their formulas in double.
#include "test.h"

namespace {

using namespace blasnet;
using namespace blasnet::test;

constexpr float nan = std::numeric_limits<float>::quiet_NaN();

// The loss of one row of logits with targets t, and its gradient before the factor 1/rows.
double crossEntropy(const float* z, const std::vector<double>& t, std::vector<double>& gradient) {
  const size_t classes = t.size();
  double largest = -INFINITY, total = 0, loss = 0, targets = 0;
  for (size_t j = 0; j < classes; j++) largest = std::fmax(largest, z[j]);
  for (size_t j = 0; j < classes; j++) total += std::exp(z[j] - largest);
  const double lse = largest + std::log(total);
  for (size_t j = 0; j < classes; j++) {
    loss -= t[j] * (z[j] - lse);
    targets += t[j];
  }
  for (size_t j = 0; j < classes; j++) gradient[j] = std::exp(z[j] - lse) * targets - t[j];
  return loss;
}

TEST(softmaxCrossEntropy) {
  Random random(10);
  for (const KernelSet* set : kernelSets()) {
    for (const int64_t rows : {0, 1, 7, 64, 130}) {
      for (const int64_t classes : {1, 2, 10, 16, 33, 100, 1024, 1025, 3000}) {
        for (const double smoothing : {0.0, 0.1}) {
          if (slowRun() && rows == 130 && classes > 100) continue;
          Buffer<float> z(rows * classes, random, -8, 8), given(rows * classes, random, 0, 1);
          Buffer<int32_t> labels(rows);
          for (int64_t i = 0; i < rows; i++)
            labels[i] = static_cast<int32_t>(random.word() % static_cast<uint32_t>(classes));
          for (const bool byLabel : {true, false}) {
            Buffer<float> loss(rows), gradient(rows * classes), lossParts(rows), gradientParts(rows * classes),
                lossAlone(rows);
            const auto call = [&](const Buffer<float>& l, const Buffer<float>* d) {
              if (byLabel) return Call(*set, Kernel::softmaxCrossEntropy, l, d, z, labels, rows, classes, smoothing);
              return Call(*set, Kernel::softmaxCrossEntropyProbabilities, l, d, z, given, rows, classes, smoothing);
            };
            call(loss, &gradient).whole();
            call(lossParts, &gradientParts).split();
            call(lossAlone, nullptr).whole();
            const double count = static_cast<double>(classes);
            for (int64_t i = 0; i < rows; i++) {
              std::vector<double> t(static_cast<size_t>(classes)), expected(static_cast<size_t>(classes));
              double targets = 0;
              for (int64_t j = 0; j < classes; j++) {
                const double target = byLabel ? labels[i] == j : static_cast<double>(given[i * classes + j]);
                t[static_cast<size_t>(j)] = (1 - smoothing) * target + smoothing / count;
                targets += t[static_cast<size_t>(j)];
              }
              CHECK_NEAR(loss[i], crossEntropy(&z[i * classes], t, expected), 2e-6, 1e-6,
                         format("%ld classes", classes));
              for (int64_t j = 0; j < classes; j++) {
                CHECK_NEAR(gradient[i * classes + j], expected[static_cast<size_t>(j)] / static_cast<double>(rows),
                           2e-6, 2e-7 * targets, format("%ld classes", classes));
              }
            }
            CHECK(loss.sameBits(lossParts) && loss.sameBits(lossAlone) && gradient.sameBits(gradientParts));
            CHECK(loss.intact() && gradient.intact() && lossParts.intact() && gradientParts.intact());
          }
        }
      }
    }
  }
}

TEST(softmaxCrossEntropyExtremes) {
  for (const KernelSet* set : kernelSets()) {
    const int64_t rows = 5, classes = 3;
    Buffer<float> z(rows * classes), loss(rows), gradient(rows * classes);
    Buffer<int32_t> labels(rows);
    for (int64_t i = 0; i < rows; i++) {
      const float row[] = {1e4f, -1e4f, 0};
      const int32_t label[] = {0, 1, 3, -1, 2};
      for (int64_t j = 0; j < classes; j++) z[i * classes + j] = row[j];
      labels[i] = label[i];
    }
    z[4 * classes] = nan;
    Call(*set, Kernel::softmaxCrossEntropy, loss, &gradient, z, labels, rows, classes, 0.0).whole();
    CHECK(loss[0] == 0 && loss[1] == 2e4f);
    CHECK(gradient[0] == 0 && gradient[classes] == 0.2f && gradient[classes + 1] == -0.2f);
    for (int64_t i = 2; i < rows; i++) {
      CHECK(std::isnan(loss[i]));
      for (int64_t j = 0; j < classes; j++) CHECK(std::isnan(gradient[i * classes + j]));
    }
    CHECK(loss.intact() && gradient.intact());
    Call(*set, Kernel::softmaxCrossEntropy, loss, nullptr, z, labels, rows, classes, 0.0).whole();
    CHECK(loss[0] == 0 && std::isnan(loss[2]) && std::isnan(loss[3]));
  }
}

struct Regression {
  const char* name;
  Kernel kernel;
  bool hasSetting;
  double (*value)(double p, double t, double setting);
  double (*gradient)(double p, double t, double setting);
};

const Regression regressions[] = {
    {"binaryCrossEntropy", Kernel::binaryCrossEntropy, false,
     [](double z, double t, double) { return std::fmax(z, 0) - z * t + std::log1p(std::exp(-std::fabs(z))); },
     [](double z, double t, double) { return 1 / (1 + std::exp(-z)) - t; }},
    {"squaredError", Kernel::squaredError, true,
     [](double p, double t, double factor) { return factor * (p - t) * (p - t); },
     [](double p, double t, double factor) { return 2 * factor * (p - t); }},
    {"absoluteError", Kernel::absoluteError, false, [](double p, double t, double) { return std::fabs(p - t); },
     [](double p, double t, double) { return p > t   ? 1.0
                                             : p < t ? -1.0
                                                     : 0.0; }},
    {"huber", Kernel::huber, true,
     [](double p, double t, double delta) {
       const double d = std::fabs(p - t);
       return d <= delta ? d * d / 2 : delta * (d - delta / 2);
     },
     [](double p, double t, double delta) { return std::fmax(-delta, std::fmin(delta, p - t)); }},
};

TEST(regressionLosses) {
  Random random(11);
  for (const KernelSet* set : kernelSets()) {
    for (const Regression& r : regressions) {
      for (const int64_t rows : {0, 1, 7, 64}) {
        for (const int64_t outputs : {1, 2, 10, 17, 100, 1024, 1025, 2500}) {
          const double setting = 0.75;
          Buffer<float> p(rows * outputs, random, -3, 3), t(rows * outputs, random, 0, 1);
          if (rows > 0) p[0] = t[0];
          Buffer<float> loss(rows), gradient(rows * outputs), lossParts(rows), gradientParts(rows * outputs),
              lossAlone(rows);
          const auto call = [&](const Buffer<float>& l, const Buffer<float>* d) {
            if (r.hasSetting) return Call(*set, r.kernel, l, d, p, t, rows, outputs, setting);
            return Call(*set, r.kernel, l, d, p, t, rows, outputs);
          };
          call(loss, &gradient).whole();
          call(lossParts, &gradientParts).split();
          call(lossAlone, nullptr).whole();
          const double share = r.kernel == Kernel::squaredError ? 1 : 1 / static_cast<double>(outputs);
          for (int64_t i = 0; i < rows; i++) {
            double total = 0;
            for (int64_t j = i * outputs; j < (i + 1) * outputs; j++) {
              total += share * r.value(p[j], t[j], setting);
              CHECK_NEAR(gradient[j], share * r.gradient(p[j], t[j], setting) / static_cast<double>(rows), 2e-6, 2e-7,
                         r.name);
            }
            CHECK_NEAR(loss[i], total, 2e-6, 1e-7, r.name);
          }
          CHECK(loss.sameBits(lossParts) && loss.sameBits(lossAlone) && gradient.sameBits(gradientParts));
          CHECK(loss.intact() && gradient.intact());
        }
      }
    }
  }
}

TEST(regressionLossesKeepNaN) {
  for (const KernelSet* set : kernelSets()) {
    for (const Regression& r : regressions) {
      for (const bool inTarget : {false, true}) {
        const int64_t rows = 3, outputs = 19;
        Buffer<float> p(rows * outputs), t(rows * outputs), loss(rows), gradient(rows * outputs);
        for (int64_t i = 0; i < rows * outputs; i++) p[i] = t[i] = 0.5f;
        (inTarget ? t : p)[outputs + 18] = nan;
        if (r.hasSetting) {
          Call(*set, r.kernel, loss, &gradient, p, t, rows, outputs, 1.0).whole();
        } else {
          Call(*set, r.kernel, loss, &gradient, p, t, rows, outputs).whole();
        }
        CHECK(!std::isnan(loss[0]) && std::isnan(loss[1]) && !std::isnan(loss[2]));
        CHECK(std::isnan(gradient[outputs + 18]) && !std::isnan(gradient[outputs + 17]));
      }
    }
  }
}

}  // namespace
