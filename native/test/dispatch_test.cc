// The kernel table, the choice of an instruction set, and what OpenBLAS sees of the environment.
#include "../kernels/products/blas.h"

#include <cstdlib>

#include "test.h"

extern "C" char* blasnet_getenv(const char* name);

namespace {

using namespace blasnet;
using namespace blasnet::test;

TEST(kernelSetsAreComplete) {
  CHECK(!kernelSets().empty());
  for (const KernelSet* set : kernelSets()) {
    CHECK(findKernelSet(set->name) == set);
    for (int i = 0; i < kernelCount; i++) CHECK(set->functions[i] != nullptr);
  }
  CHECK(findKernelSet("sse9") == nullptr);
  CHECK(findKernelSet("") == nullptr);
  CHECK(&bestKernelSet() == kernelSets().back());
}

TEST(kernelTableIsConsistent) {
  for (const Signature& signature : signatures) {
    CHECK(signature.count > 0 && signature.count <= maxParameters);
    for (const int axis : signature.axes) {
      CHECK(axis < signature.count);
      if (axis >= 0) CHECK(signature.parameters[axis].kind == ParameterKind::size);
    }
    for (int i = 0; i < signature.count; i++) {
      const Parameter& parameter = signature.parameters[i];
      for (int j = 0; j < parameter.lengthCount; j++) {
        CHECK(signature.parameters[parameter.length[j]].kind == ParameterKind::size);
      }
    }
  }
  CHECK(std::strcmp(signatures[static_cast<int>(Kernel::permutation)].name, "permutation") == 0);
}

TEST(blasEnvironment) {
  setVariable("OPENBLAS_NUM_THREADS", "7");
  setVariable("OPENBLAS_VERBOSE", "2");
  setVariable("GOTO_NUM_THREADS", "7");
  setVariable("OMP_NUM_THREADS", "7");
  setVariable("BLASNET_TEST_VALUE", "as it is");
  CHECK(std::strcmp(blasnet_getenv("OPENBLAS_NUM_THREADS"), "1") == 0);
  CHECK(blasnet_getenv("OPENBLAS_VERBOSE") == nullptr);
  CHECK(blasnet_getenv("GOTO_NUM_THREADS") == nullptr);
  CHECK(blasnet_getenv("OMP_NUM_THREADS") == nullptr);
  CHECK(std::strcmp(blasnet_getenv("BLASNET_TEST_VALUE"), "as it is") == 0);
  CHECK(blasnet_getenv("BLASNET_NOT_SET") == nullptr);

  setVariable("OPENBLAS_CORETYPE", "Prescott");
  const char* core = std::getenv("BLASNET_CORETYPE");
  const std::string kept = core != nullptr ? core : "";
  setVariable("BLASNET_CORETYPE", nullptr);
  CHECK(blasnet_getenv("OPENBLAS_CORETYPE") == nullptr);
  setVariable("BLASNET_CORETYPE", "");
  CHECK(blasnet_getenv("OPENBLAS_CORETYPE") == nullptr);
  setVariable("BLASNET_CORETYPE", "Haswell");
  CHECK(std::strcmp(blasnet_getenv("OPENBLAS_CORETYPE"), "Haswell") == 0);
  setVariable("BLASNET_CORETYPE", core != nullptr ? kept.c_str() : nullptr);
  for (const char* name : {"OPENBLAS_NUM_THREADS", "OPENBLAS_VERBOSE", "OPENBLAS_CORETYPE", "GOTO_NUM_THREADS",
                           "OMP_NUM_THREADS", "BLASNET_TEST_VALUE"}) {
    setVariable(name, nullptr);
  }
}

TEST(blasRunsOnOneThread) {
  useSingleBlasThread();
  const BlasInfo info = blasInfo();
  CHECK(info.threads == 1);
  CHECK(info.name[0] != 0 && info.core[0] != 0 && info.config[0] != 0);
}

}  // namespace
