{
  "variables": {
    "simd_sources": [
      "kernels/activation.cc",
      "kernels/arithmetic.cc",
      "kernels/augment.cc",
      "kernels/batch.cc",
      "kernels/clip.cc",
      "kernels/conv2d.cc",
      "kernels/conv2d_depthwise.cc",
      "kernels/conv2d_direct.cc",
      "kernels/conv2d_direct_input.cc",
      "kernels/conv2d_grouped.cc",
      "kernels/conv2d_patches.cc",
      "kernels/conv2d_planes.cc",
      "kernels/conv2d_rounded.cc",
      "kernels/conv2d_winograd.cc",
      "kernels/dense.cc",
      "kernels/dropout.cc",
      "kernels/elementwise.cc",
      "kernels/embedding.cc",
      "kernels/group.cc",
      "kernels/group_norm.cc",
      "kernels/loss.cc",
      "kernels/metric.cc",
      "kernels/norm.cc",
      "kernels/optimizer.cc",
      "kernels/pool2d.cc",
      "kernels/prelu.cc",
      "kernels/products/bfloat16.cc",
      "kernels/products/gemm.cc",
      "kernels/products/tiles.cc",
      "kernels/products/zero_columns.cc",
      "kernels/reduction.cc",
      "kernels/regularizer.cc",
      "kernels/response_norm.cc",
      "kernels/strided.cc",
      "kernels/table.cc"
    ],
    "kernel_sources": [
      "kernels/abandon.cc",
      "kernels/blas_buffers.cc",
      "kernels/blas_environment.cc",
      "kernels/dispatch.cc",
      "kernels/products/bfloat16_avx512.cc",
      "kernels/products/bfloat16_tiles.cc",
      "kernels/products/blas.cc",
      "kernels/products/scratch.cc",
      "kernels/products/ways.cc"
    ],
    "executor_sources": [
      "executor/call.cc",
      "executor/governor.cc",
      "executor/plan.cc",
      "executor/pool.cc",
      "executor/run.cc",
      "executor/sums.cc"
    ],
    "host_sources": [
      "host/mpi_group.cc",
      "host/mpi_library.cc"
    ],
    "binding_sources": [
      "binding/addon.cc",
      "binding/arguments.cc",
      "binding/async_run.cc",
      "binding/environment.cc",
      "binding/group_object.cc",
      "binding/kernel_call.cc",
      "binding/large_pages.cc",
      "binding/plan_object.cc",
      "binding/stack.cc"
    ],
    "compile_flags": [
      "-std=c++20",
      "-O3",
      "--param=max-completely-peeled-insns=50",
      "-fPIC",
      "-fno-math-errno",
      "-fno-trapping-math",
      "-fopenmp-simd",
      "-fvisibility=hidden",
      "-ffunction-sections",
      "-fdata-sections",
      "-Wall",
      "-Wextra"
    ],
    "baseline_flags": ["-O2"],
    "avx2_flags": ["-mavx2", "-mfma"],
    "avx512_flags": ["-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mfma", "-mprefer-vector-width=512"],
    "binding_defines": [
      "NAPI_VERSION=8",
      "NODE_ADDON_API_CPP_EXCEPTIONS",
      "NODE_ADDON_API_CPP_EXCEPTIONS_ALL",
      "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS",
      "NODE_API_NO_EXTERNAL_BUFFERS_ALLOWED"
    ],
    "wrap_flags": ["-Wl,--wrap=getenv", "-Wl,--undefined=__wrap_getenv"],
    "addon_link_flags": [
      "-static-libstdc++",
      "-static-libgcc",
      "-Wl,--gc-sections",
      "-Wl,-z,nodelete",
      "-Wl,-z,relro",
      "-Wl,-z,now"
    ],
    "mac_link_flags": [
      "-Wl,-exported_symbol,_napi_register_module_v1",
      "-Wl,-exported_symbol,_node_api_module_get_api_version_v1",
      "-Wl,-dead_strip"
    ]
  }
}
