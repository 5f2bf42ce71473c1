// OpenBLAS reads its settings from the environment, where settings for other programs would affect it: half the speed
// for a wrong core, or a thread pool below ours. The statically linked copy calls this function instead: it is linked
// with -Wl,--wrap=getenv or, in the prebuilt binaries, the calls were renamed in the library.
#include <cstdlib>
#include <cstring>

extern "C" {

char* blasnet_getenv(const char* name);

#ifdef BLASNET_GETENV_RENAMED
static char* __real_getenv(const char* name) { return std::getenv(name); }
#else
char* __real_getenv(const char* name);
char* __wrap_getenv(const char* name);
char* __wrap_getenv(const char* name) { return blasnet_getenv(name); }
#endif

// OpenBLAS's kernels for AMD's Zen are slower than those for Haswell, with which they share the instruction set
// (docs/decisions/0021-blas-kernels.md).
static char* preferredCore() {
#if defined(__x86_64__)
  static char haswell[] = "Haswell";
  __builtin_cpu_init();  // OpenBLAS may ask before it has been called
  const bool isZen = __builtin_cpu_is("amd") && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (isZen && !__builtin_cpu_supports("avx512vl")) return haswell;
#endif
  return nullptr;
}

char* blasnet_getenv(const char* name) {
  static char one[] = "1";
  static constexpr const char* prefixes[] = {"OPENBLAS_", "GOTO_", "OMP_"};
  if (std::strcmp(name, "OPENBLAS_NUM_THREADS") == 0) return one;
  if (std::strcmp(name, "OPENBLAS_CORETYPE") == 0) {
    char* wish = __real_getenv("BLASNET_CORETYPE");
    return wish != nullptr && *wish != '\0' ? wish : preferredCore();
  }
  for (const char* prefix : prefixes) {
    if (std::strncmp(name, prefix, std::strlen(prefix)) == 0) return nullptr;
  }
  return __real_getenv(name);
}

#if defined(_WIN32)
// On Windows, OpenBLAS asks the system for everything except the core's name, and uses the buffer's content as value
// even if the variable is not set. The import's pointer is renamed to this one in the library.
static unsigned long noVariable(const char*, char* value, unsigned long size) {
  if (size > 0) value[0] = 0;
  return 0;
}
unsigned long (*blasnet_GetEnvironmentVariable)(const char*, char*, unsigned long) = noVariable;
#endif

}  // extern "C"
