// An MPI library that is found when the program runs. Nothing of it is needed when the addon is built. A new function
// here needs another in mpi_shim.c.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace blasnet {

// Communicators, types, operations and requests. Some libraries have pointers, some have ints: these are passed in the
// same registers, and an int that a library writes is the lower half of a value that was 0 (little-endian only).
using MpiHandle = uintptr_t;

struct MpiLibrary {
  // Opens the library by path or name, or with an empty name takes the functions that the process has loaded already.
  // It stays loaded. Null if that fails, and `error` says why.
  static std::unique_ptr<MpiLibrary> open(const std::string& name, std::string& error);

  // Its name and version, as it says itself.
  std::string version() const;
  std::string errorText(int code) const;

  const char* interfaceName = "";  // whose binary interface: "Open MPI", "MPICH", "MPI ABI", or "shim"

  MpiHandle world = 0, typeByte = 0, typeFloat = 0, typeDouble = 0, opSum = 0, errorsReturn = 0;
  void* inPlace = nullptr;
  void* statusIgnore = nullptr;
  int threadSerialized = 0;

  int (*Initialized)(int* flag) = nullptr;
  int (*Init_thread)(int* argc, char*** argv, int required, int* provided) = nullptr;
  int (*Finalize)() = nullptr;
  int (*Abort)(MpiHandle comm, int code) = nullptr;
  int (*Get_library_version)(char* text, int* length) = nullptr;
  int (*Error_string)(int code, char* text, int* length) = nullptr;
  int (*Comm_dup)(MpiHandle comm, MpiHandle* result) = nullptr;
  int (*Comm_set_errhandler)(MpiHandle comm, MpiHandle handler) = nullptr;
  int (*Comm_rank)(MpiHandle comm, int* rank) = nullptr;
  int (*Comm_size)(MpiHandle comm, int* size) = nullptr;
  int (*Iallreduce)(const void* send, void* receive, int count, MpiHandle type, MpiHandle op, MpiHandle comm,
                    MpiHandle* request) = nullptr;
  int (*Ialltoallv)(const void* send, const int* sendCounts, const int* sendPlaces, MpiHandle sendType, void* receive,
                    const int* receiveCounts, const int* receivePlaces, MpiHandle receiveType, MpiHandle comm,
                    MpiHandle* request) = nullptr;
  int (*Iallgatherv)(const void* send, int sendCount, MpiHandle sendType, void* receive, const int* receiveCounts,
                     const int* receivePlaces, MpiHandle receiveType, MpiHandle comm, MpiHandle* request) = nullptr;
  int (*Ibcast)(void* values, int count, MpiHandle type, int root, MpiHandle comm, MpiHandle* request) = nullptr;
  int (*Ibarrier)(MpiHandle comm, MpiHandle* request) = nullptr;
  int (*Test)(MpiHandle* request, int* flag, void* status) = nullptr;

 private:
  bool findShim(void* from);
  bool findFunctions(void* from, const std::string& prefix, std::string& error);
  bool findHandles(void* from, std::string& error);
};

}  // namespace blasnet
