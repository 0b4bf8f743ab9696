package sim

// appointment is something that happens at a time: a task goes on, or the world does something.
type appointment struct {
	at   int64  // nanoseconds since the epoch
	tie  uint64 // drawn: who goes first of those at the same time
	task *task  // goes on, unless it has since (turn)
	turn uint32
	do   func()
	// counts says that the world has not come to rest while this is to come.
	counts bool
}

// agenda is a heap of appointments, the earliest first.
type agenda []appointment

func (a agenda) before(i, j int) bool {
	if a[i].at != a[j].at {
		return a[i].at < a[j].at
	}
	return a[i].tie < a[j].tie
}

func (a *agenda) push(x appointment) {
	*a = append(*a, x)
	h := *a
	for i := len(h) - 1; i > 0; {
		parent := (i - 1) / 2
		if !h.before(i, parent) {
			break
		}
		h[i], h[parent] = h[parent], h[i]
		i = parent
	}
}

func (a *agenda) pop() appointment {
	h := *a
	first, last := h[0], len(h)-1
	h[0] = h[last]
	h[last] = appointment{} // let go of what it holds
	h = h[:last]
	*a = h
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(h); child++ {
			if h.before(child, least) {
				least = child
			}
		}
		if least == i {
			return first
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
}
