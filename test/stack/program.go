package stack

// Program runs another program than skald on the stack's servers, with the settings that skald would get and further environment.
func (s *Stack) Program(env []string, path string, args ...string) *Process {
	s.t.Helper()
	return start(s.t, path, append(s.env[:len(s.env):len(s.env)], env...), args...)
}
