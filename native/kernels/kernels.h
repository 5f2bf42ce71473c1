// The kernels of one instruction set. The files that include this are compiled once for each set, with BLASNET_SIMD
// naming it, and define everything inside namespace blasnet::BLASNET_SIMD: no inline function is shared between sets,
// because the linker keeps one copy and could keep the one that this CPU can't run.
//
// A kernel takes the arguments of its row in lib/program/signatures.ts, then the range [begin, end) of units along its
// axis that this call does; sizes always describe the whole problem. docs/numerics.md says what each computes.
// Kernels share nothing and allocate nothing, so that calls on disjoint ranges run at the same time. A setting is a double
// where the kernel needs 1 - setting, which float would spoil.
#pragma once

#ifndef BLASNET_SIMD
#error "define BLASNET_SIMD as the name of the instruction set"
#endif

#include <cstdint>

namespace blasnet::BLASNET_SIMD {

// Matrix product and dense layer.
void gemm(float* c, const float* a, const float* b, int64_t m, int64_t n, int64_t k, bool transA, bool transB, float alpha,
          float beta, int64_t begin, int64_t end) noexcept;
void denseForward(float* y, const float* x, const float* w, const float* b, int64_t rows, int64_t in, int64_t out,
                  int32_t activation, float slope, int64_t begin, int64_t end) noexcept;
void denseBackwardInput(float* dx, const float* dy, const float* w, int64_t rows, int64_t in, int64_t out, int64_t begin,
                        int64_t end) noexcept;
void denseForwardColumns(float* y, const float* x, const float* w, const float* b, int64_t rows, int64_t in, int64_t out,
                         int32_t activation, float slope, int64_t begin, int64_t end) noexcept;
void denseBackwardInputColumns(float* dx, const float* dy, const float* w, int64_t rows, int64_t in, int64_t out, int64_t begin,
                               int64_t end) noexcept;
void denseForwardParts(float* products, const float* x, const float* w, int64_t rows, int64_t in, int64_t out, int64_t parts,
                       int64_t begin, int64_t end) noexcept;
void denseForwardSum(float* y, const float* products, const float* b, int64_t rows, int64_t out, int64_t parts,
                     int32_t activation, float slope, int64_t begin, int64_t end) noexcept;
void denseBackwardWeight(float* dw, const float* x, const float* dy, int64_t rows, int64_t in, int64_t out, int64_t begin,
                         int64_t end) noexcept;
void denseBackwardBias(float* db, const float* dy, int64_t rows, int64_t out, int64_t begin, int64_t end) noexcept;

// Activations.
void identity(float* y, const float* x, int64_t n, int64_t begin, int64_t end) noexcept;
void relu(float* y, const float* x, int64_t n, int64_t begin, int64_t end) noexcept;
void leakyRelu(float* y, const float* x, int64_t n, float slope, int64_t begin, int64_t end) noexcept;
void elu(float* y, const float* x, int64_t n, float alpha, int64_t begin, int64_t end) noexcept;
void selu(float* y, const float* x, int64_t n, int64_t begin, int64_t end) noexcept;
void gelu(float* y, const float* x, int64_t n, int64_t begin, int64_t end) noexcept;
void silu(float* y, const float* x, int64_t n, int64_t begin, int64_t end) noexcept;
void sigmoid(float* y, const float* x, int64_t n, int64_t begin, int64_t end) noexcept;
void tanh(float* y, const float* x, int64_t n, int64_t begin, int64_t end) noexcept;
void softplus(float* y, const float* x, int64_t n, int64_t begin, int64_t end) noexcept;
void identityBackward(float* dx, const float* dy, const float* y, int64_t n, int64_t begin, int64_t end) noexcept;
void reluBackward(float* dx, const float* dy, const float* y, int64_t n, int64_t begin, int64_t end) noexcept;
void leakyReluBackward(float* dx, const float* dy, const float* y, int64_t n, float slope, int64_t begin, int64_t end) noexcept;
void eluBackward(float* dx, const float* dy, const float* y, int64_t n, float alpha, int64_t begin, int64_t end) noexcept;
void seluBackward(float* dx, const float* dy, const float* y, int64_t n, int64_t begin, int64_t end) noexcept;
void geluBackward(float* dx, const float* dy, const float* x, int64_t n, int64_t begin, int64_t end) noexcept;
void siluBackward(float* dx, const float* dy, const float* x, int64_t n, int64_t begin, int64_t end) noexcept;
void sigmoidBackward(float* dx, const float* dy, const float* y, int64_t n, int64_t begin, int64_t end) noexcept;
void tanhBackward(float* dx, const float* dy, const float* y, int64_t n, int64_t begin, int64_t end) noexcept;
void softplusBackward(float* dx, const float* dy, const float* y, int64_t n, int64_t begin, int64_t end) noexcept;
void softmax(float* y, const float* x, int64_t rows, int64_t cols, int64_t begin, int64_t end) noexcept;
void softmaxBackward(float* dx, const float* dy, const float* y, int64_t rows, int64_t cols, int64_t begin, int64_t end) noexcept;

// Elementwise arithmetic.
void multiply(float* y, const float* a, const float* b, int64_t n, int64_t begin, int64_t end) noexcept;
void sumParts(float* y, const float* terms, int64_t n, int64_t parts, int64_t begin, int64_t end) noexcept;

// Images.
void conv2dForward(float* y, const float* x, const float* w, const float* b, int64_t rows, int64_t height, int64_t width,
                   int64_t channels, int64_t outHeight, int64_t outWidth, int64_t windowHeight, int64_t windowWidth,
                   int64_t strideHeight, int64_t strideWidth, int64_t padTop, int64_t padLeft, int64_t filters,
                   int32_t activation, float slope, int64_t begin, int64_t end) noexcept;
void conv2dBackwardInput(float* dx, const float* dy, const float* w, int64_t rows, int64_t height, int64_t width,
                         int64_t channels, int64_t outHeight, int64_t outWidth, int64_t windowHeight, int64_t windowWidth,
                         int64_t strideHeight, int64_t strideWidth, int64_t padTop, int64_t padLeft, int64_t filters,
                         int64_t begin, int64_t end) noexcept;
void conv2dReverseWeights(float* reversed, const float* w, int64_t windowHeight, int64_t windowWidth, int64_t channels,
                          int64_t filters, int64_t begin, int64_t end) noexcept;
void conv2dBackwardWeight(float* dw, const float* x, const float* dy, int64_t rows, int64_t height, int64_t width,
                          int64_t channels, int64_t outHeight, int64_t outWidth, int64_t windowHeight, int64_t windowWidth,
                          int64_t strideHeight, int64_t strideWidth, int64_t padTop, int64_t padLeft, int64_t filters,
                          int64_t patch, int64_t begin, int64_t end) noexcept;
void conv2dBackwardParts(float* dwParts, float* dbParts, const float* x, const float* dy, int64_t rows, int64_t height,
                         int64_t width, int64_t channels, int64_t outHeight, int64_t outWidth, int64_t windowHeight,
                         int64_t windowWidth, int64_t strideHeight, int64_t strideWidth, int64_t padTop, int64_t padLeft,
                         int64_t filters, int64_t patch, int64_t parts, int64_t begin, int64_t end) noexcept;
void maxPool2dForward(float* y, int32_t* winner, const float* x, int64_t rows, int64_t height, int64_t width, int64_t channels,
                      int64_t outHeight, int64_t outWidth, int64_t windowHeight, int64_t windowWidth, int64_t strideHeight,
                      int64_t strideWidth, int64_t padTop, int64_t padLeft, int64_t begin, int64_t end) noexcept;
void maxPool2dBackward(float* dx, const float* dy, const int32_t* winner, int64_t rows, int64_t height, int64_t width,
                       int64_t channels, int64_t outHeight, int64_t outWidth, int64_t windowHeight, int64_t windowWidth,
                       int64_t strideHeight, int64_t strideWidth, int64_t padTop, int64_t padLeft, int64_t begin,
                       int64_t end) noexcept;
void avgPool2dForward(float* y, const float* x, int64_t rows, int64_t height, int64_t width, int64_t channels, int64_t outHeight,
                      int64_t outWidth, int64_t windowHeight, int64_t windowWidth, int64_t strideHeight, int64_t strideWidth,
                      int64_t padTop, int64_t padLeft, int64_t begin, int64_t end) noexcept;
void avgPool2dBackward(float* dx, const float* dy, int64_t rows, int64_t height, int64_t width, int64_t channels,
                       int64_t outHeight, int64_t outWidth, int64_t windowHeight, int64_t windowWidth, int64_t strideHeight,
                       int64_t strideWidth, int64_t padTop, int64_t padLeft, int64_t begin, int64_t end) noexcept;
void localResponseNorm(float* y, float* scale, const float* x, int64_t rows, int64_t channels, int64_t radius, float bias,
                       float alpha, float beta, int64_t begin, int64_t end) noexcept;
void localResponseNormBackward(float* dx, const float* dy, const float* x, const float* y, const float* scale, int64_t rows,
                               int64_t channels, int64_t radius, float alpha, float beta, int64_t begin, int64_t end) noexcept;
void prelu(float* y, const float* x, const float* slope, int64_t rows, int64_t channels, int64_t begin, int64_t end) noexcept;
void preluBackward(float* dx, float* dslope, const float* dy, const float* x, const float* slope, int64_t rows, int64_t channels,
                   int64_t begin, int64_t end) noexcept;

// Batch normalisation.
void batchNormForward(float* y, float* mean, float* inverseStd, float* runningMean, float* runningVariance, const float* x,
                      const float* gamma, const float* beta, int64_t rows, int64_t features, float epsilon, double momentum,
                      int64_t begin, int64_t end) noexcept;
void batchNormParts(float* means, float* rests, float* squares, const float* x, int64_t rows, int64_t pixels, int64_t features,
                    int64_t parts, int64_t begin, int64_t end) noexcept;
void batchNormStatistics(float* mean, float* variance, float* inverseStd, float* runningMean, float* runningVariance,
                         const float* means, const float* rests, const float* squares, int64_t rows, int64_t pixels,
                         int64_t features, int64_t parts, float epsilon, double momentum) noexcept;
void batchNormInference(float* y, const float* x, const float* gamma, const float* beta, const float* runningMean,
                        const float* runningVariance, int64_t rows, int64_t features, float epsilon, int64_t begin,
                        int64_t end) noexcept;
void batchNormBackward(float* dx, float* dgamma, float* dbeta, const float* dy, const float* x, const float* mean,
                       const float* inverseStd, const float* gamma, int64_t rows, int64_t features, int64_t begin,
                       int64_t end) noexcept;
void batchNormBackwardParts(float* dgammaParts, float* dbetaParts, const float* dy, const float* x, const float* mean,
                            const float* inverseStd, int64_t rows, int64_t pixels, int64_t features, int64_t parts, int64_t begin,
                            int64_t end) noexcept;
void batchNormBackwardInput(float* dx, const float* dy, const float* x, const float* mean, const float* inverseStd,
                            const float* gamma, const float* dgammaParts, const float* dbetaParts, int64_t rows, int64_t features,
                            int64_t parts, int64_t begin, int64_t end) noexcept;

// Dropout.
void dropoutForward(float* y, float* mask, const float* x, int64_t n, uint32_t threshold, float scale, uint32_t seed,
                    uint32_t stream, uint32_t step, int64_t begin, int64_t end) noexcept;

// Losses.
void softmaxCrossEntropy(float* loss, float* dprediction, const float* logits, const int32_t* labels, int64_t rows,
                         int64_t classes, double smoothing, int64_t begin, int64_t end) noexcept;
void softmaxCrossEntropyProbabilities(float* loss, float* dprediction, const float* logits, const float* target, int64_t rows,
                                      int64_t classes, double smoothing, int64_t begin, int64_t end) noexcept;
void binaryCrossEntropy(float* loss, float* dprediction, const float* prediction, const float* target, int64_t rows,
                        int64_t outputs, int64_t begin, int64_t end) noexcept;
void squaredError(float* loss, float* dprediction, const float* prediction, const float* target, int64_t rows, int64_t outputs,
                  float factor, int64_t begin, int64_t end) noexcept;
void absoluteError(float* loss, float* dprediction, const float* prediction, const float* target, int64_t rows, int64_t outputs,
                   int64_t begin, int64_t end) noexcept;
void huber(float* loss, float* dprediction, const float* prediction, const float* target, int64_t rows, int64_t outputs,
           float delta, int64_t begin, int64_t end) noexcept;

// Metrics.
void argmax(int32_t* index, const float* x, int64_t rows, int64_t cols, int64_t begin, int64_t end) noexcept;
void accuracyLabels(float* hits, const float* x, const int32_t* labels, int64_t rows, int64_t classes, int64_t begin,
                    int64_t end) noexcept;
void accuracyProbabilities(float* hits, const float* x, const float* target, int64_t rows, int64_t classes, int64_t begin,
                           int64_t end) noexcept;
void accuracyBinary(float* hits, const float* logits, const float* target, int64_t rows, int64_t outputs, int64_t begin,
                    int64_t end) noexcept;
void batchTotals(double* meanLoss, double* hitCount, const float* loss, const float* hits, const double* penalty,
                 int64_t rows) noexcept;

// Regularisers.
void penalty(double* total, const double* carry, const float* w, int64_t n, double l1, double l2) noexcept;
void penaltyGradient(float* dw, const float* w, int64_t n, float l1, float l2, int64_t begin, int64_t end) noexcept;

// Optimizer steps.
void sgd(float* p, float* velocity, const float* g, int64_t n, float learningRate, float momentum, double dampening,
         bool nesterov, float weightDecay, int64_t begin, int64_t end) noexcept;
void adaGrad(float* p, float* accumulator, const float* g, int64_t n, float learningRate, float epsilon, float weightDecay,
             int64_t begin, int64_t end) noexcept;
void rmsProp(float* p, float* average, float* velocity, const float* g, int64_t n, float learningRate, double decay,
             float epsilon, float epsilonInside, float momentum, float weightDecay, int64_t begin, int64_t end) noexcept;
void adam(float* p, float* m, float* v, const float* g, int64_t n, float stepSize, float correction, double beta1, double beta2,
          float epsilon, float epsilonInside, float weightDecay, int64_t begin, int64_t end) noexcept;
void adamW(float* p, float* m, float* v, const float* g, int64_t n, float stepSize, float correction, double beta1, double beta2,
           float epsilon, float epsilonInside, float shrink, int64_t begin, int64_t end) noexcept;

void amsGrad(float* p, float* m, float* v, float* vMax, const float* g, int64_t n, float stepSize, float correction, double beta1,
             double beta2, float epsilon, float epsilonInside, float weightDecay, int64_t begin, int64_t end) noexcept;

// Gradient clipping.
void clipValue(float* g, int64_t n, float limit, int64_t begin, int64_t end) noexcept;
void squareSum(double* total, const double* carry, const float* g, int64_t n) noexcept;
void clipNorm(float* g, const double* squares, int64_t n, double limit, int64_t begin, int64_t end) noexcept;

// Batches.
void gatherBytes(float* x, const uint8_t* source, const int32_t* order, int64_t rows, int64_t features, int64_t sourceRows,
                 float scale, float offset, int64_t begin, int64_t end) noexcept;
void gatherBytesColumns(float* x, const uint8_t* source, const int32_t* order, int64_t rows, int64_t features, int64_t sourceRows,
                        float scale, float offset, int64_t begin, int64_t end) noexcept;
void gatherFloats(float* x, const float* source, const int32_t* order, int64_t rows, int64_t features, int64_t sourceRows,
                  float scale, float offset, int64_t begin, int64_t end) noexcept;
void gatherLabels(int32_t* labels, const int32_t* source, const int32_t* order, int64_t rows, int64_t sourceRows, int64_t begin,
                  int64_t end) noexcept;
void permutation(int32_t* order, int64_t n, uint32_t seed, uint32_t stream, uint32_t epoch) noexcept;
void drawWithReplacement(int32_t* order, int64_t n, int64_t sourceRows, uint32_t seed, uint32_t stream, uint32_t epoch) noexcept;

}  // namespace blasnet::BLASNET_SIMD
