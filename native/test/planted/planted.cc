// Bugs on purpose, to show that the checks for them can fail. Only builds with BLASNET_PLANT hold this file: there
// every call of cblas_sgemm comes through here (linked with -Wl,--wrap=cblas_sgemm), and makes the mistake that the
// environment variable BLASNET_PLANT names before it goes on.
#include <climits>
#include <cstdlib>
#include <cstring>

extern "C" {

void __real_cblas_sgemm(int order, int transA, int transB, int m, int n, int k, float alpha, const float* a, int lda,
                        const float* b, int ldb, float beta, float* c, int ldc);
void __wrap_cblas_sgemm(int order, int transA, int transB, int m, int n, int k, float alpha, const float* a, int lda,
                        const float* b, int ldb, float beta, float* c, int ldc);

void __wrap_cblas_sgemm(int order, int transA, int transB, int m, int n, int k, float alpha, const float* a, int lda,
                        const float* b, int ldb, float beta, float* c, int ldc) {
  static long calls = 0;
  const char* plant = std::getenv("BLASNET_PLANT");
  const auto is = [plant](const char* bug) { return plant != nullptr && std::strcmp(plant, bug) == 0; };
  if (is("overflow")) {
    float* copy = new float[static_cast<size_t>(n)];
    copy[n] = 0;
    delete[] copy;
  }
  // One element after the result, which is JavaScript's.
  if (is("array-overflow")) c[static_cast<long>(m - 1) * ldc + n] = 0;
  if (is("undefined")) {
    volatile int largest = INT_MAX;
    largest = largest + m;
  }
  if (is("leak")) {
    [[maybe_unused]] float* volatile lost = new float[1000];
    lost = nullptr;
  }
  if (is("race")) calls++;
  // A row too many, which OpenBLAS reads and writes: no sanitizer sees inside it.
  const int rows = is("blas-overrun") ? m + 1 : m;
  __real_cblas_sgemm(order, transA, transB, rows, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

}  // extern "C"
