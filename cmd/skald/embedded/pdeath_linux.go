package embedded

import "syscall"

// dieWithParent has the kernel ask the server for a fast shutdown when the thread that starts it ends, so that even a
// killed parent leaves no server behind.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGINT }
