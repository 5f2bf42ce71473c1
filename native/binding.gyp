# The addon for node-gyp. It lies here and not in the package's root because npm runs `node-gyp rebuild` by itself,
# at `npm ci`, for every dependency with a binding.gyp in its root. Sources and flags: sources.gypi.
#   openblas=static|dynamic   how OpenBLAS is linked (static, with dynamic as fallback)
#   openblas_lib=<path>       the library to link instead of the one found
#   openblas_getenv=wrap|renamed   how the library's calls of getenv reach kernels/blas_environment.cc: by the linker, or because
#                             they were renamed in that library
#   openblas_threads=<n>      threads that a library which does not tell was built for
{
  'includes': ['sources.gypi'],
  'variables': {
    'openblas%': 'static',
    'openblas_lib%': '',
    'openblas_getenv%': 'wrap',
    'openblas_threads%': '',
  },
  'target_defaults': {
    'configurations': {'Release': {'defines': ['NDEBUG']}},
    # common.gypi adds the first four; kernels must not inherit a second standard or lose exceptions in the binding.
    'cflags_cc!': ['-fno-exceptions', '-fno-rtti', '-std=gnu++17', '-std=gnu++20'],
    'cflags_cc': ['<@(compile_flags)'],
    'include_dirs': ['.'],
    'xcode_settings': {
      'CLANG_CXX_LANGUAGE_STANDARD': 'c++20',
      'GCC_ENABLE_CPP_EXCEPTIONS': 'YES',
      'GCC_ENABLE_CPP_RTTI': 'YES',
      'MACOSX_DEPLOYMENT_TARGET': '11.0',
      'OTHER_CPLUSPLUSFLAGS': ['<@(compile_flags)'],
    },
  },
  'conditions': [
    ['target_arch=="x64"', {
      'variables': {
        'kernel_sets': ['kernels_baseline', 'kernels_avx2', 'kernels_avx512'],
        'kernel_set_defines': ['BLASNET_HAVE_X86_SETS'],
      },
      'targets': [
        {
          'target_name': 'kernels_baseline',
          'type': 'static_library',
          'defines': ['BLASNET_SIMD=baseline'],
          # Smaller code: these kernels run on processors of before 2013 only.
          'cflags_cc': ['<@(baseline_flags)'],
          'xcode_settings': {'OTHER_CPLUSPLUSFLAGS': ['<@(baseline_flags)']},
          'sources': ['<@(simd_sources)'],
        },
        {
          'target_name': 'kernels_avx2',
          'type': 'static_library',
          'defines': ['BLASNET_SIMD=avx2'],
          'cflags_cc': ['<@(avx2_flags)'],
          'xcode_settings': {'OTHER_CPLUSPLUSFLAGS': ['<@(avx2_flags)']},
          'sources': ['<@(simd_sources)'],
        },
        {
          'target_name': 'kernels_avx512',
          'type': 'static_library',
          'defines': ['BLASNET_SIMD=avx512'],
          'cflags_cc': ['<@(avx512_flags)'],
          'xcode_settings': {'OTHER_CPLUSPLUSFLAGS': ['<@(avx512_flags)']},
          'sources': ['<@(simd_sources)'],
        },
      ],
    }],
    ['target_arch=="arm64"', {
      'variables': {
        'kernel_sets': ['kernels_neon'],
        'kernel_set_defines': ['BLASNET_HAVE_NEON'],
      },
      'targets': [
        {
          'target_name': 'kernels_neon',
          'type': 'static_library',
          'defines': ['BLASNET_SIMD=neon'],
          'sources': ['<@(simd_sources)'],
        },
      ],
    }],
    ['target_arch!="x64" and target_arch!="arm64"', {
      'variables': {
        'kernel_sets': ['kernels_baseline'],
        'kernel_set_defines': [],
      },
      'targets': [
        {
          'target_name': 'kernels_baseline',
          'type': 'static_library',
          'defines': ['BLASNET_SIMD=baseline'],
          'sources': ['<@(simd_sources)'],
        },
      ],
    }],
  ],
  'targets': [
    {
      'target_name': 'blasnet',
      'dependencies': ['<@(kernel_sets)'],
      'sources': ['<@(kernel_sources)', '<@(executor_sources)', '<@(host_sources)', '<@(binding_sources)'],
      'defines': ['<@(binding_defines)', '<@(kernel_set_defines)'],
      'include_dirs': [
        'napi',
        '<!@(node ../scripts/openblas.mjs include <(openblas) "<(openblas_lib)")',
      ],
      'libraries': ['<!@(node ../scripts/openblas.mjs libraries <(openblas) "<(openblas_lib)")'],
      'conditions': [
        ['OS=="linux"', {
          'ldflags!': ['-rdynamic'],
          'libraries': ['-ldl'],
          'ldflags': [
            '<@(addon_link_flags)',
            # Relative to where make runs, the folder build beside the outermost binding.gyp: an absolute path may have
            # blanks and other characters that neither make nor the shell takes literally.
            '-Wl,--version-script=../<!(node -p "require(\'path\').relative(\'<(DEPTH)\', \'exports.map\')")',
          ],
        }],
        ['OS=="linux" and openblas_getenv=="wrap"', {'ldflags': ['<@(wrap_flags)']}],
        ['openblas_getenv=="renamed" or OS!="linux"', {'defines': ['BLASNET_GETENV_RENAMED']}],
        ['openblas_threads!=""', {'defines': ['BLASNET_OPENBLAS_THREADS=<(openblas_threads)']}],
        ['OS=="mac"', {
          'xcode_settings': {'OTHER_LDFLAGS': ['<@(mac_link_flags)']},
        }],
      ],
    },
  ],
}
