// Optimizer steps and regularisers against their formulas in double, over several steps.
#include "test.h"

namespace {

using namespace blasnet;
using namespace blasnet::test;

// The state of one parameter: up to three numbers that a step changes, and the gradient.
struct State {
  double p, first, second, g;
};

double quotient(double numerator, double denominator) { return denominator == 0 ? 0 : numerator / denominator; }

// Runs `steps` steps of a kernel on vectors of n parameters, and checks them against `reference` on each.
template <typename MakeCall, typename Reference>
void checkSteps(const char* name, MakeCall makeCall, Reference reference) {
  Random random(14);
  for (const KernelSet* set : kernelSets()) {
    for (const int64_t n : sizes) {
      Buffer<float> p(n, random, -1, 1), first(n), second(n), g(n);
      for (int64_t i = 0; i < n; i++) first[i] = second[i] = 0;
      Buffer<float> pParts = p, firstParts = first, secondParts = second;
      std::vector<State> states;
      for (int64_t i = 0; i < n; i++) states.push_back({p[i], 0, 0, 0});
      for (int step = 1; step <= 4; step++) {
        for (int64_t i = 0; i < n; i++) g[i] = i % 5 == 4 ? 0 : random.uniform(-0.5, 0.5);
        makeCall(*set, p, first, second, g, n, step).whole();
        makeCall(*set, pParts, firstParts, secondParts, g, n, step).split();
        for (int64_t i = 0; i < n; i++) {
          State& state = states[static_cast<size_t>(i)];
          state.g = g[i];
          reference(state, step);
          CHECK_NEAR(p[i], state.p, 2e-6, 3e-7, format("%s p, step %d", name, step));
          CHECK_NEAR(first[i], state.first, 3e-6, 1e-7, format("%s first state, step %d", name, step));
          CHECK_NEAR(second[i], state.second, 3e-6, 3e-6, format("%s second state, step %d", name, step));
        }
        CHECK(p.sameBits(pParts) && first.sameBits(firstParts) && second.sameBits(secondParts));
      }
      CHECK(p.intact() && first.intact() && second.intact() && pParts.intact() && firstParts.intact() &&
            secondParts.intact());
    }
  }
}

using F = Buffer<float>;
constexpr double rate = 0.0625, decay = 0.03125;  // exact in float

TEST(sgd) {
  for (const double weightDecay : {0.0, decay}) {
    checkSteps(
        "sgd",
        [=](const KernelSet& set, F& p, F&, F&, F& g, int64_t n, int) {
          return Call(set, Kernel::sgd, p, nullptr, g, n, rate, 0.9, 0.0, false, weightDecay);
        },
        [=](State& s, int) { s.p -= rate * (s.g + weightDecay * s.p); });
    for (const bool nesterov : {false, true}) {
      for (const double dampening : {0.0, 0.9}) {
        checkSteps(
            "sgd with momentum",
            [=](const KernelSet& set, F& p, F& velocity, F&, F& g, int64_t n, int) {
              return Call(set, Kernel::sgd, p, &velocity, g, n, rate, 0.9, dampening, nesterov, weightDecay);
            },
            [=](State& s, int) {
              const double g = s.g + weightDecay * s.p;
              s.first = 0.9 * s.first + (1 - dampening) * g;
              s.p -= rate * (nesterov ? g + 0.9 * s.first : s.first);
            });
      }
    }
  }
}

TEST(adaGrad) {
  for (const double epsilon : {0.0, 1e-7}) {
    checkSteps(
        "adaGrad",
        [=](const KernelSet& set, F& p, F& accumulator, F&, F& g, int64_t n, int) {
          return Call(set, Kernel::adaGrad, p, accumulator, g, n, rate, epsilon, 0.0);
        },
        [=](State& s, int) {
          s.first += s.g * s.g;
          s.p -= rate * quotient(s.g, std::sqrt(s.first) + epsilon);
        });
  }
}

TEST(rmsProp) {
  for (const bool inside : {false, true}) {
    const double epsilon = inside ? 0 : 1e-3, epsilonInside = inside ? 1e-3 : 0;
    checkSteps(
        "rmsProp",
        [=](const KernelSet& set, F& p, F& average, F&, F& g, int64_t n, int) {
          return Call(set, Kernel::rmsProp, p, average, nullptr, g, n, rate, 0.99, epsilon, epsilonInside, 0.0, decay);
        },
        [=](State& s, int) {
          const double g = s.g + decay * s.p;
          s.first = 0.99 * s.first + (1 - 0.99) * g * g;
          s.p -= rate * quotient(g, std::sqrt(s.first + epsilonInside) + epsilon);
        });
    checkSteps(
        "rmsProp with momentum",
        [=](const KernelSet& set, F& p, F& average, F& velocity, F& g, int64_t n, int) {
          return Call(set, Kernel::rmsProp, p, average, &velocity, g, n, rate, 0.99, epsilon, epsilonInside, 0.5, 0.0);
        },
        [=](State& s, int) {
          s.first = 0.99 * s.first + (1 - 0.99) * s.g * s.g;
          s.second = 0.5 * s.second + quotient(s.g, std::sqrt(s.first + epsilonInside) + epsilon);
          s.p -= rate * s.second;
        });
  }
}

TEST(adam) {
  constexpr double beta1 = 0.9, beta2 = 0.999;
  for (const bool decoupled : {false, true}) {
    for (const int form : {0, 1, 2}) {
      const auto stepSize = [form](int t) {
        const double root = form == 1 ? std::sqrt(1 - std::pow(beta2, t)) : 1;
        return form == 2 ? rate : rate * root / (1 - std::pow(beta1, t));
      };
      const auto correction = [form](int t) { return form == 0 ? 1 / (1 - std::pow(beta2, t)) : 1; };
      const double epsilon = form == 2 ? 0 : 1e-7, epsilonInside = form == 2 ? 1e-7 : 0;
      checkSteps(
          decoupled ? "adamW" : "adam",
          [=](const KernelSet& set, F& p, F& m, F& v, F& g, int64_t n, int t) {
            return Call(set, decoupled ? Kernel::adamW : Kernel::adam, p, m, v, g, n, stepSize(t), correction(t), beta1,
                        beta2, epsilon, epsilonInside, decay);
          },
          [=](State& s, int t) {
            const double g = decoupled ? s.g : s.g + decay * s.p;
            if (decoupled) s.p *= 1 - decay;
            s.first = beta1 * s.first + (1 - beta1) * g;
            s.second = beta2 * s.second + (1 - beta2) * g * g;
            s.p -= stepSize(t) * quotient(s.first, std::sqrt(s.second * correction(t) + epsilonInside) + epsilon);
          });
    }
  }
}

TEST(amsGrad) {
  constexpr double beta1 = 0.9, beta2 = 0.5;
  Random random(18);
  for (const KernelSet* set : kernelSets()) {
    for (const int64_t n : sizes) {
      Buffer<float> p(n, random, -1, 1), m(n), v(n), vMax(n), g(n);
      for (int64_t i = 0; i < n; i++) m[i] = v[i] = vMax[i] = 0;
      Buffer<float> pParts = p, mParts = m, vParts = v, vMaxParts = vMax;
      std::vector<double> parameters(p.data(), p.data() + n), first(static_cast<size_t>(n)), second(first),
          largest(first);
      for (int step = 1; step <= 5; step++) {
        const double correction = 1 / (1 - std::pow(beta2, step)), epsilon = 1e-7, epsilonInside = 1e-8;
        for (int64_t i = 0; i < n; i++) g[i] = random.uniform(-0.5, 0.5) / static_cast<float>(step);  // so that v falls
        Call(*set, Kernel::amsGrad, p, m, v, vMax, g, n, rate, correction, beta1, beta2, epsilon, epsilonInside, decay)
            .whole();
        Call(*set, Kernel::amsGrad, pParts, mParts, vParts, vMaxParts, g, n, rate, correction, beta1, beta2, epsilon,
             epsilonInside, decay)
            .split();
        for (int64_t i = 0; i < n; i++) {
          const size_t at = static_cast<size_t>(i);
          const double gradient = g[i] + decay * parameters[at];
          first[at] = beta1 * first[at] + (1 - beta1) * gradient;
          second[at] = beta2 * second[at] + (1 - beta2) * gradient * gradient;
          largest[at] = std::fmax(largest[at], second[at]);
          parameters[at] -= rate * quotient(first[at], std::sqrt(largest[at] * correction + epsilonInside) + epsilon);
          CHECK_NEAR(p[i], parameters[at], 2e-6, 3e-7, "amsGrad p");
          CHECK_NEAR(m[i], first[at], 3e-6, 1e-7, "amsGrad m");
          CHECK_NEAR(v[i], second[at], 3e-6, 1e-7, "amsGrad v");
          CHECK_NEAR(vMax[i], largest[at], 3e-6, 1e-7, "amsGrad vMax");
        }
        CHECK(p.sameBits(pParts) && m.sameBits(mParts) && v.sameBits(vParts) && vMax.sameBits(vMaxParts));
      }
      CHECK(p.intact() && m.intact() && v.intact() && vMax.intact());
    }
  }
}

TEST(adaDelta) {
  checkSteps(
      "adaDelta",
      [=](const KernelSet& set, F& p, F& average, F& steps, F& g, int64_t n, int) {
        return Call(set, Kernel::adaDelta, p, average, steps, g, n, rate, 0.75, 1e-3, decay);
      },
      [=](State& s, int) {
        const double g = s.g + decay * s.p;
        s.first = 0.75 * s.first + 0.25 * g * g;
        const double step = std::sqrt((s.second + 1e-3) / (s.first + 1e-3)) * g;
        s.second = 0.75 * s.second + 0.25 * step * step;
        s.p -= rate * step;
      });
}

TEST(adamax) {
  for (const double epsilon : {0.0, 1e-3}) {
    checkSteps(
        "adamax",
        [=](const KernelSet& set, F& p, F& m, F& u, F& g, int64_t n, int) {
          return Call(set, Kernel::adamax, p, m, u, g, n, rate, 0.9, 0.75, epsilon, 0.0);
        },
        [=](State& s, int) {
          s.first = 0.9 * s.first + (1 - 0.9) * s.g;
          s.second = std::fmax(0.75 * s.second, std::fabs(s.g));
          s.p -= rate * quotient(s.first, s.second + epsilon);
        });
  }
}

TEST(largestStateKeepsNaN) {
  constexpr int64_t n = 37;
  for (const KernelSet* set : kernelSets()) {
    for (const bool inGradient : {false, true}) {
      Random random(19);
      Buffer<float> p(n, random, -1, 1), m(n, random, -1, 1), largest(n, random, 0, 1), g(n, random, -1, 1),
          v = largest;
      for (int64_t i = 0; i < n; i += 3) (inGradient ? g : largest)[i] = NAN;
      Buffer<float> pMax = p, mMax = m, vMax = largest;
      Call(*set, Kernel::adamax, p, m, largest, g, n, rate, 0.9, 0.75, 1e-3, 0.0).whole();
      Call(*set, Kernel::amsGrad, pMax, mMax, v, vMax, g, n, rate, 1.5, 0.9, 0.75, 1e-3, 0.0, decay).whole();
      for (int64_t i = 0; i < n; i++) {
        const bool isNaN = i % 3 == 0;
        CHECK(std::isnan(largest[i]) == isNaN && std::isnan(p[i]) == isNaN);
        CHECK(std::isnan(vMax[i]) == isNaN && std::isnan(pMax[i]) == isNaN);
      }
    }
  }
}

TEST(nadam) {
  const auto correction = [](int t) { return 1 / (1 - std::pow(0.99, t)); };
  checkSteps(
      "nadam",
      [=](const KernelSet& set, F& p, F& m, F& v, F& g, int64_t n, int t) {
        return Call(set, Kernel::nadam, p, m, v, g, n, rate / 4, rate, correction(t), 0.9, 0.99, 1e-3, decay);
      },
      [=](State& s, int t) {
        const double g = s.g + decay * s.p;
        s.first = 0.9 * s.first + (1 - 0.9) * g;
        s.second = 0.99 * s.second + (1 - 0.99) * g * g;
        s.p -= rate * quotient(g / 4 + s.first, std::sqrt(s.second * correction(t)) + 1e-3);
      });
}

TEST(lion) {
  checkSteps(
      "lion",
      [=](const KernelSet& set, F& p, F& m, F&, F& g, int64_t n, int) {
        return Call(set, Kernel::lion, p, m, g, n, rate, 0.75, 0.5, decay);
      },
      [=](State& s, int) {
        const double direction = 0.75 * s.first + 0.25 * s.g;
        s.p = s.p * (1 - decay) - rate * (direction > 0 ? 1 : direction < 0 ? -1 : 0);
        s.first = 0.5 * s.first + 0.5 * s.g;
      });
}

TEST(muonMomentum) {
  for (const bool nesterov : {false, true}) {
    checkSteps(
        "muonMomentum",
        [=](const KernelSet& set, F& u, F& velocity, F&, F& g, int64_t n, int) {
          return Call(set, Kernel::muonMomentum, u, velocity, g, n, 0.75, nesterov);
        },
        [=](State& s, int) {
          s.first = 0.75 * s.first + s.g;
          s.p = nesterov ? s.g + 0.75 * s.first : s.first;
        });
  }
}

TEST(averageWeights) {
  for (const double intake : {1.0, 0.25}) {
    checkSteps(
        "averageWeights",
        [=](const KernelSet& set, F& average, F&, F&, F& p, int64_t n, int) {
          return Call(set, Kernel::averageWeights, average, p, n, intake);
        },
        [=](State& s, int) { s.p += intake * (s.g - s.p); });
  }
}

TEST(accumulate) {
  Random random(20);
  for (const KernelSet* set : kernelSets()) {
    for (const int64_t n : sizes) {
      F mean(n), meanParts(n);
      // An intake of 1 forgets what was there.
      for (int64_t i = 0; i < n; i++) mean[i] = meanParts[i] = i % 2 == 0 ? INFINITY : std::nanf("");
      std::vector<double> expected(static_cast<size_t>(n));
      for (const double intake : {1.0, 0.25, 1.0 / 3}) {
        F g(n, random, -1, 1), gParts = g;
        for (int64_t i = 0; i < n; i++) {
          const size_t at = static_cast<size_t>(i);
          expected[at] += intake * (g[i] - expected[at]);
        }
        Call(*set, Kernel::accumulate, g, mean, n, intake).whole();
        Call(*set, Kernel::accumulate, gParts, meanParts, n, intake).split();
        for (int64_t i = 0; i < n; i++) CHECK_NEAR(mean[i], expected[static_cast<size_t>(i)], 2e-6, 1e-6, "accumulate");
        CHECK(g.sameBits(mean) && mean.sameBits(meanParts) && g.sameBits(gParts) && g.intact() && mean.intact());
      }
    }
  }
}

TEST(normalize) {
  Random random(19);
  for (const KernelSet* set : kernelSets()) {
    for (const int64_t n : sizes) {
      Buffer<float> x(n, random, -1, 1);
      Buffer<double> squares(1);
      for (const double square : {0.0, 1e60, 7.0}) {
        squares[0] = square;
        Buffer<float> whole = x, inParts = x;
        Call(*set, Kernel::normalize, whole, squares, n, 0.0).whole();
        Call(*set, Kernel::normalize, inParts, squares, n, 0.0).split();
        for (int64_t i = 0; i < n; i++)
          CHECK_NEAR(whole[i], quotient(x[i], std::sqrt(square)), 2e-7, 1e-45, "normalize");
        CHECK(whole.sameBits(inParts) && whole.intact());
      }
    }
  }
}

TEST(parametersWithoutGradientStay) {
  for (const KernelSet* set : kernelSets()) {
    constexpr int64_t n = 37;
    Random random(15);
    Buffer<float> p(n, random, -1, 1), m(n), v(n), g(n);
    for (int64_t i = 0; i < n; i++) m[i] = v[i] = g[i] = 0;
    const Buffer<float> before = p;
    Call(*set, Kernel::adam, p, m, v, g, n, 0.1, 1.0, 0.9, 0.999, 0.0, 0.0, 0.0).whole();
    Call(*set, Kernel::adamW, p, m, v, g, n, 0.1, 1.0, 0.9, 0.999, 0.0, 0.0, 0.0).whole();
    Buffer<float> vMax = v;
    Call(*set, Kernel::amsGrad, p, m, v, vMax, g, n, 0.1, 1.0, 0.9, 0.999, 0.0, 0.0, 0.0).whole();
    Call(*set, Kernel::adaGrad, p, v, g, n, 0.1, 0.0, 0.0).whole();
    Call(*set, Kernel::rmsProp, p, v, &m, g, n, 0.1, 0.9, 0.0, 0.0, 0.5, 0.0).whole();
    Call(*set, Kernel::rmsProp, p, v, nullptr, g, n, 0.1, 0.9, 0.0, 0.0, 0.5, 0.0).whole();
    CHECK(p.sameBits(before));
    g[n - 1] = std::numeric_limits<float>::quiet_NaN();
    Call(*set, Kernel::adam, p, m, v, g, n, 0.1, 1.0, 0.9, 0.999, 0.0, 0.0, 0.0).whole();
    CHECK(std::isnan(p[n - 1]) && p[0] == before[0]);
    p = before;
    m[n - 1] = v[n - 1] = 0;
    Call(*set, Kernel::amsGrad, p, m, v, vMax, g, n, 0.1, 1.0, 0.9, 0.999, 0.0, 0.0, 0.0).whole();
    CHECK(std::isnan(p[n - 1]) && std::isnan(vMax[n - 1]) && p[0] == before[0]);
  }
}

TEST(regularizers) {
  Random random(16);
  for (const KernelSet* set : kernelSets()) {
    for (const int64_t n : {0, 1, 17, 1009, 200000}) {
      Buffer<float> w(n, random, -1, 1), dw(n, random, -1, 1);
      if (n > 1) w[1] = 0;
      const double l1 = 0.5, l2 = 0.25;
      Buffer<double> total(1), carry(1);
      carry[0] = 3;
      double expected = 3;
      for (int64_t i = 0; i < n; i++) expected += l1 * std::fabs(w[i]) + l2 / 2 * w[i] * static_cast<double>(w[i]);
      Call(*set, Kernel::penalty, total, &carry, w, n, l1, l2).whole();
      CHECK_NEAR(total[0], expected, 1e-12, 0, "penalty");
      Call(*set, Kernel::penalty, carry, &carry, w, n, l1, l2).whole();
      CHECK(carry[0] == total[0]);
      Call(*set, Kernel::penalty, total, nullptr, w, n, l1, l2).whole();
      CHECK_NEAR(total[0], expected - 3, 1e-12, 1e-12, "penalty");

      Buffer<float> inParts = dw;
      const Buffer<float> before = dw;
      Call(*set, Kernel::penaltyGradient, dw, w, n, l1, l2).whole();
      Call(*set, Kernel::penaltyGradient, inParts, w, n, l1, l2).split();
      for (int64_t i = 0; i < n; i++) {
        const double sign = w[i] > 0 ? 1 : w[i] < 0 ? -1 : 0;
        CHECK_NEAR(dw[i], before[i] + l1 * sign + l2 * w[i], 1e-6, 1e-7, "penaltyGradient");
      }
      CHECK(dw.sameBits(inParts) && dw.intact());
    }
  }
}

}  // namespace
