//go:build !linux

package embedded

import "syscall"

// dieWithParent does nothing: this system can't tie a process to its parent.
func dieWithParent(*syscall.SysProcAttr, syscall.Signal) {}
