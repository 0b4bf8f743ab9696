package embedded

import (
	"os/exec"
	"runtime"
	"syscall"
)

// StartTied starts a server that must not outlive this process: on Linux it gets the signal when this process ends, however
// that happens; elsewhere whoever starts the next server has to look for it. It gets a process group of its own: Ctrl-C in
// a terminal must reach this process alone, which stops its servers last.
//
// The channel is closed when the server has ended; cmd.ProcessState then says how. The caller stops the server by
// cmd.Process and waits for the channel, and must not call cmd.Wait.
func StartTied(cmd *exec.Cmd, sig syscall.Signal) (<-chan struct{}, error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	dieWithParent(cmd.SysProcAttr, sig)
	started, done := make(chan error), make(chan struct{})
	go func() { // ends with the server
		// The kernel ties the server to the thread that starts it, and the runtime ends threads that nothing keeps.
		runtime.LockOSThread()
		defer close(done)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // ProcessState holds the outcome
		}
	}()
	return done, <-started
}
