// OpenBLAS reads its settings from the environment, where another program's pins (half the speed for a wrong core, a thread
// pool under ours) would reach it. Its statically linked copy asks here instead: linked with -Wl,--wrap=getenv, or, in the
// prebuilt binaries, because the calls were renamed in the library.
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

char* blasnet_getenv(const char* name) {
  static char one[] = "1";
  static constexpr const char* prefixes[] = {"OPENBLAS_", "GOTO_", "OMP_"};
  if (std::strcmp(name, "OPENBLAS_NUM_THREADS") == 0) return one;
  if (std::strcmp(name, "OPENBLAS_CORETYPE") == 0) return __real_getenv("BLASNET_CORETYPE");
  for (const char* prefix : prefixes) {
    if (std::strncmp(name, prefix, std::strlen(prefix)) == 0) return nullptr;
  }
  return __real_getenv(name);
}

}  // extern "C"
