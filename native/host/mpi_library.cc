#include "mpi_library.h"

#include <algorithm>
#include <vector>

#if defined(__linux__) || defined(__APPLE__)
#define BLASNET_HAS_DLOPEN
#include <dlfcn.h>
#endif

namespace blasnet {

#ifdef BLASNET_HAS_DLOPEN

namespace {

template <typename Pointer>
bool find(void* from, const std::string& name, Pointer& result, std::string& error) {
  void* symbol = dlsym(from, name.c_str());
  if (symbol == nullptr) error = "it has no " + name;
  result = reinterpret_cast<Pointer>(symbol);
  return symbol != nullptr;
}

// Major version of the standard's binary interface, 0 if the library has another one.
int standardVersion(void* from) {
  int (*getVersion)(int*, int*) = nullptr;
  std::string ignored;
  int major = 0, minor = 0;
  if (!find(from, "MPI_Abi_get_version", getVersion, ignored) || getVersion(&major, &minor) != 0) return 0;
  return std::max(major, 0);
}

}  // namespace

bool MpiLibrary::findFunctions(void* from, const std::string& prefix, std::string& error) {
#define BLASNET_FIND(name) find(from, prefix + #name, name, error)
  return BLASNET_FIND(Initialized) && BLASNET_FIND(Init_thread) && BLASNET_FIND(Finalize) && BLASNET_FIND(Abort) &&
         BLASNET_FIND(Get_library_version) && BLASNET_FIND(Error_string) && BLASNET_FIND(Comm_dup) &&
         BLASNET_FIND(Comm_set_errhandler) && BLASNET_FIND(Comm_rank) && BLASNET_FIND(Comm_size) &&
         BLASNET_FIND(Iallreduce) && BLASNET_FIND(Ialltoallv) && BLASNET_FIND(Iallgatherv) && BLASNET_FIND(Ibcast) &&
         BLASNET_FIND(Ibarrier) && BLASNET_FIND(Test);
#undef BLASNET_FIND
}

// What mpi_shim.c gives; false if the library is none.
bool MpiLibrary::findShim(void* from) {
  void (*getHandles)(MpiHandle*, void**, int*) = nullptr;
  std::string ignored;
  if (!find(from, "blasnet_MPI_handles", getHandles, ignored)) return false;
  interfaceName = "shim";
  MpiHandle handles[6];
  void* pointers[2];
  getHandles(handles, pointers, &threadSerialized);
  world = handles[0];
  typeByte = handles[1];
  typeFloat = handles[2];
  typeDouble = handles[3];
  opSum = handles[4];
  errorsReturn = handles[5];
  inPlace = pointers[0];
  statusIgnore = pointers[1];
  return true;
}

// The constants are those of each interface's mpi.h.
bool MpiLibrary::findHandles(void* from, std::string& error) {
  // First, as Open MPI's library with the standard's interface needs others of it, and names are looked up in those
  // too. A library with an interface of its own says that it has version -1 of the standard's.
  if (standardVersion(from) > 0) {
    interfaceName = "MPI ABI";
    world = 0x101;
    typeByte = 0x247;
    typeFloat = 0x210;
    typeDouble = 0x214;
    opSum = 0x21;
    errorsReturn = 0x142;
    inPlace = reinterpret_cast<void*>(intptr_t{1});
    statusIgnore = nullptr;
    threadSerialized = 2048;
    return true;
  }
  threadSerialized = 2;
  if (dlsym(from, "ompi_mpi_comm_world") != nullptr) {
    interfaceName = "Open MPI";
    inPlace = reinterpret_cast<void*>(intptr_t{1});
    statusIgnore = nullptr;
    return find(from, "ompi_mpi_comm_world", world, error) && find(from, "ompi_mpi_byte", typeByte, error) &&
           find(from, "ompi_mpi_float", typeFloat, error) && find(from, "ompi_mpi_double", typeDouble, error) &&
           find(from, "ompi_mpi_op_sum", opSum, error) && find(from, "ompi_mpi_errors_return", errorsReturn, error);
  }
  interfaceName = "MPICH";
  world = 0x44000000;
  typeByte = 0x4c00010d;
  typeFloat = 0x4c00040a;
  typeDouble = 0x4c00080b;
  opSum = 0x58000003;
  errorsReturn = 0x54000001;
  inPlace = reinterpret_cast<void*>(intptr_t{-1});
  statusIgnore = reinterpret_cast<void*>(intptr_t{1});
  return true;
}

std::unique_ptr<MpiLibrary> MpiLibrary::open(const std::string& name, std::string& error) {
  error.clear();
  void* from = RTLD_DEFAULT;
  if (!name.empty()) {
#ifdef __APPLE__
    from = dlopen(name.c_str(), RTLD_LAZY | RTLD_GLOBAL);
#else
    from = dlopen(name.c_str(), RTLD_LAZY | RTLD_LOCAL);
#endif
    if (from == nullptr) {
      const char* reason = dlerror();
      error = reason == nullptr ? "it does not load" : reason;
      return nullptr;
    }
  }
  auto library = std::make_unique<MpiLibrary>();
  if (library->findShim(from)) {
    if (library->findFunctions(from, "blasnet_MPI_", error)) return library;
    error += ": the shim is that of another version of blasnet; make it again by npx blasnet build --mpi";
  } else if (library->findFunctions(from, "MPI_", error) && library->findHandles(from, error)) {
    return library;
  }
  if (!name.empty()) dlclose(from);
  return nullptr;
}

#else

std::unique_ptr<MpiLibrary> MpiLibrary::open(const std::string&, std::string& error) {
  error = "MPI is supported on Linux and macOS only";
  return nullptr;
}

#endif

std::string MpiLibrary::version() const {
  std::vector<char> text(8193);  // the most of all interfaces
  int length = 0;
  if (Get_library_version(text.data(), &length) != 0) return "";
  return text.data();
}

std::string MpiLibrary::errorText(int code) const {
  char text[1025] = "";
  int length = 0;
  if (Error_string(code, text, &length) != 0 || text[0] == '\0') return "error " + std::to_string(code);
  return text;
}

}  // namespace blasnet
