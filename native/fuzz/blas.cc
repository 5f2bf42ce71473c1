// The part of BLAS that native/kernels/products/gemm.cc calls, written out: sanitizers see
// each of its accesses.
#include <cblas.h>

#include <cstddef>

extern "C" {

// A core with small kernels, so that products are cut into tiles.
char* openblas_get_corename() {
  static char name[] = "SkylakeX";
  return name;
}
char* openblas_get_config() { return openblas_get_corename(); }
int openblas_get_num_threads() { return 1; }
void openblas_set_num_threads(int) {}

void cblas_sgemm(CBLAS_ORDER, CBLAS_TRANSPOSE transA, CBLAS_TRANSPOSE transB, blasint m, blasint n, blasint k,
                 float alpha, const float* a, blasint lda, const float* b, blasint ldb, float beta, float* c,
                 blasint ldc) {
  const auto at = [](const float* x, CBLAS_TRANSPOSE trans, blasint stride, blasint row, blasint column) {
    const blasint major = trans == CblasTrans ? column : row, minor = trans == CblasTrans ? row : column;
    return x[static_cast<ptrdiff_t>(major) * stride + minor];
  };
  for (blasint i = 0; i < m; i++) {
    for (blasint j = 0; j < n; j++) {
      float sum = 0;
      for (blasint l = 0; l < k; l++) sum += at(a, transA, lda, i, l) * at(b, transB, ldb, l, j);
      float& out = c[static_cast<ptrdiff_t>(i) * ldc + j];
      out = alpha * sum + (beta == 0 ? 0 : beta * out);
    }
  }
}

}  // extern "C"
