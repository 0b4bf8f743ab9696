//go:build !linux

package embedded

import "syscall"

// dieWithParent does nothing: this system can't tie a child to its parent. The next start stops what was left (orphan.go).
func dieWithParent(*syscall.SysProcAttr) {}
