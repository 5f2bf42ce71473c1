/*
 * The functions of mpi_library.h over an MPI whose handles the addon doesn't know: `blasnet build --mpi` compiles this
 * file by the MPI's own mpicc, and the addon opens the result like any other library. Handles pass as words.
 */
#include <mpi.h>
#include <stdint.h>
#include <string.h>

typedef uintptr_t Word;

#define BLASNET_EXPORT __attribute__((visibility("default")))
#define BLASNET_HANDLE(Type)                                                       \
  _Static_assert(sizeof(Type) <= sizeof(Word), #Type " does not fit into a word"); \
  static Type as##Type(Word word) {                                                \
    Type handle;                                                                   \
    memcpy(&handle, &word, sizeof(handle));                                        \
    return handle;                                                                 \
  }                                                                                \
  static inline Word wordOf##Type(Type handle) {                                   \
    Word word = 0;                                                                 \
    memcpy(&word, &handle, sizeof(handle));                                        \
    return word;                                                                   \
  }

BLASNET_HANDLE(MPI_Comm)
BLASNET_HANDLE(MPI_Datatype)
BLASNET_HANDLE(MPI_Op)
BLASNET_HANDLE(MPI_Errhandler)
BLASNET_HANDLE(MPI_Request)

/* In the order of MpiLibrary's members. */
BLASNET_EXPORT void blasnet_MPI_handles(Word handles[6], void* pointers[2], int* threadSerialized) {
  handles[0] = wordOfMPI_Comm(MPI_COMM_WORLD);
  handles[1] = wordOfMPI_Datatype(MPI_BYTE);
  handles[2] = wordOfMPI_Datatype(MPI_FLOAT);
  handles[3] = wordOfMPI_Datatype(MPI_DOUBLE);
  handles[4] = wordOfMPI_Op(MPI_SUM);
  handles[5] = wordOfMPI_Errhandler(MPI_ERRORS_RETURN);
  pointers[0] = (void*)MPI_IN_PLACE;
  pointers[1] = (void*)MPI_STATUS_IGNORE;
  *threadSerialized = MPI_THREAD_SERIALIZED;
}

BLASNET_EXPORT int blasnet_MPI_Initialized(int* flag) { return MPI_Initialized(flag); }

BLASNET_EXPORT int blasnet_MPI_Init_thread(int* argc, char*** argv, int required, int* provided) {
  return MPI_Init_thread(argc, argv, required, provided);
}

BLASNET_EXPORT int blasnet_MPI_Finalize(void) { return MPI_Finalize(); }

BLASNET_EXPORT int blasnet_MPI_Abort(Word comm, int code) { return MPI_Abort(asMPI_Comm(comm), code); }

BLASNET_EXPORT int blasnet_MPI_Get_library_version(char* text, int* length) {
  return MPI_Get_library_version(text, length);
}

BLASNET_EXPORT int blasnet_MPI_Error_string(int code, char* text, int* length) {
  return MPI_Error_string(code, text, length);
}

BLASNET_EXPORT int blasnet_MPI_Comm_dup(Word comm, Word* result) {
  MPI_Comm made = MPI_COMM_NULL;
  const int code = MPI_Comm_dup(asMPI_Comm(comm), &made);
  *result = wordOfMPI_Comm(made);
  return code;
}

BLASNET_EXPORT int blasnet_MPI_Comm_set_errhandler(Word comm, Word handler) {
  return MPI_Comm_set_errhandler(asMPI_Comm(comm), asMPI_Errhandler(handler));
}

BLASNET_EXPORT int blasnet_MPI_Comm_rank(Word comm, int* rank) { return MPI_Comm_rank(asMPI_Comm(comm), rank); }

BLASNET_EXPORT int blasnet_MPI_Comm_size(Word comm, int* size) { return MPI_Comm_size(asMPI_Comm(comm), size); }

/* Gives the caller the request that a call has made. */
static int given(int code, MPI_Request made, Word* request) {
  *request = wordOfMPI_Request(made);
  return code;
}

BLASNET_EXPORT int blasnet_MPI_Iallreduce(const void* send, void* receive, int count, Word type, Word op, Word comm,
                                          Word* request) {
  MPI_Request made = MPI_REQUEST_NULL;
  const int code = MPI_Iallreduce(send, receive, count, asMPI_Datatype(type), asMPI_Op(op), asMPI_Comm(comm), &made);
  return given(code, made, request);
}

BLASNET_EXPORT int blasnet_MPI_Ialltoallv(const void* send, const int* sendCounts, const int* sendPlaces, Word sendType,
                                          void* receive, const int* receiveCounts, const int* receivePlaces,
                                          Word receiveType, Word comm, Word* request) {
  MPI_Request made = MPI_REQUEST_NULL;
  const int code = MPI_Ialltoallv(send, sendCounts, sendPlaces, asMPI_Datatype(sendType), receive, receiveCounts,
                                  receivePlaces, asMPI_Datatype(receiveType), asMPI_Comm(comm), &made);
  return given(code, made, request);
}

BLASNET_EXPORT int blasnet_MPI_Iallgatherv(const void* send, int sendCount, Word sendType, void* receive,
                                           const int* receiveCounts, const int* receivePlaces, Word receiveType,
                                           Word comm, Word* request) {
  MPI_Request made = MPI_REQUEST_NULL;
  const int code = MPI_Iallgatherv(send, sendCount, asMPI_Datatype(sendType), receive, receiveCounts, receivePlaces,
                                   asMPI_Datatype(receiveType), asMPI_Comm(comm), &made);
  return given(code, made, request);
}

BLASNET_EXPORT int blasnet_MPI_Ibcast(void* values, int count, Word type, int root, Word comm, Word* request) {
  MPI_Request made = MPI_REQUEST_NULL;
  const int code = MPI_Ibcast(values, count, asMPI_Datatype(type), root, asMPI_Comm(comm), &made);
  return given(code, made, request);
}

BLASNET_EXPORT int blasnet_MPI_Ibarrier(Word comm, Word* request) {
  MPI_Request made = MPI_REQUEST_NULL;
  const int code = MPI_Ibarrier(asMPI_Comm(comm), &made);
  return given(code, made, request);
}

BLASNET_EXPORT int blasnet_MPI_Test(Word* request, int* flag, void* status) {
  MPI_Request tested = asMPI_Request(*request);
  const int code = MPI_Test(&tested, flag, (MPI_Status*)status);
  return given(code, tested, request);
}
