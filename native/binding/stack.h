// The stack of a process's first thread grows as it is used. If the system has no memory for that, it ends the process.
// So the addon takes what its kernels need when it is loaded, while that can still be reported.
#pragma once

namespace blasnet {

// Makes the calling thread's stack as large as JavaScript and kernels may need it; false if there is no memory for
// that.
bool growStack() noexcept;

}  // namespace blasnet
