package crashpoint

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// executedLimit bounds the wait for the server to have executed what a dying process still sends.
const executedLimit = 5 * time.Second

// Conn is a connection of the engine's pool to Postgres that knows where a pipeline's statements end. At a point behind a
// statement it sends what comes up to there and no more, waits until the server has executed it, and dies: the server then has
// an open transaction of which some statements are done. Without TLS only.
func (t *Tap) Conn(c net.Conn) net.Conn {
	return &conn{Conn: c, t: t, statements: map[string]string{}}
}

type conn struct {
	net.Conn
	t       *Tap
	dying   atomic.Bool // nobody else may read from then on
	reading sync.Mutex  // held while somebody reads

	// What follows belongs to Write, of which there is one at a time.
	started    bool
	pending    []byte            // the beginning of a message whose end has not come
	statements map[string]string // text, by name
	bound      string            // text of what the last Bind bound
	executes   int               // since the last Sync
}

func (c *conn) Read(b []byte) (int, error) {
	c.reading.Lock()
	if !c.dying.Load() {
		n, err := c.Conn.Read(b)
		if !c.dying.Load() {
			c.reading.Unlock()
			return n, err
		}
	}
	c.reading.Unlock()
	select {} // the process ends meanwhile
}

// Write sends what is complete; the rest with what comes next.
func (c *conn) Write(b []byte) (int, error) {
	all := append(c.pending, b...)
	end, last := 0, 0 // of what is looked at, and of the last Execute in it
	for {
		size := c.size(all[end:])
		if size == 0 || end+size > len(all) {
			break
		}
		msg := all[end : end+size]
		executed := c.look(msg)
		if executed == string(stmtCommit) {
			c.cut(stmtLast, all[:last], c.executes-1)
		}
		end += size
		if executed != "" {
			last = end
			c.cut(statementOf(executed), all[:end], c.executes)
		}
	}
	if _, err := c.Conn.Write(all[:end]); err != nil {
		return 0, err
	}
	c.pending = bytes.Clone(all[end:])
	return len(b), nil
}

// size is that of the message which b begins with; 0: it can't be told yet.
func (c *conn) size(b []byte) int {
	if !c.started { // no type byte before the session has begun
		if len(b) < 8 {
			return 0
		}
		const protocol3 = 3
		c.started = binary.BigEndian.Uint16(b[4:]) == protocol3
		return int(binary.BigEndian.Uint32(b))
	}
	if len(b) < 5 {
		return 0
	}
	return 1 + int(binary.BigEndian.Uint32(b[1:]))
}

// look follows the statements' names, and answers the text of the one that the message executes.
func (c *conn) look(msg []byte) (executed string) {
	body := msg[min(5, len(msg)):]
	field := func() string {
		text, rest, _ := bytes.Cut(body, []byte{0})
		body = rest
		return string(text)
	}
	switch msg[0] {
	case 'P':
		name := field()
		c.statements[name] = field()
	case 'B':
		field() // the portal
		c.bound = c.statements[field()]
	case 'E':
		c.executes++
		return c.bound
	case 'S':
		c.executes = 0
	}
	return ""
}

// statementOf finds the statement by its text; empty: no point stands behind it.
func statementOf(text string) Statement {
	if text == string(stmtCommit) {
		return stmtCommit
	}
	for _, st := range []Statement{stmtBegin, stmtInsert, stmtUpdate, stmtHistory, stmtOutbox, stmtAudit} {
		if strings.Contains(text, string(st)) {
			return st
		}
	}
	return ""
}

// cut ends the process behind a statement if it is to die there.
func (c *conn) cut(st Statement, upTo []byte, executes int) {
	if st == "" {
		return
	}
	p, dies := c.t.dies(st)
	if !dies {
		return
	}
	// A write that takes long has pgx read beside it: that ends first, with nothing, since nothing was asked.
	c.dying.Store(true)
	_ = c.SetReadDeadline(time.Unix(1, 0)) // where it fails, so does what follows
	c.reading.Lock()
	if st != stmtCommit {
		upTo = append(bytes.Clone(upTo), 'H', 0, 0, 0, 4) // Flush
	}
	_, err := c.Conn.Write(upTo)
	if err == nil && st != stmtCommit {
		err = c.executed(executes)
	}
	if err != nil {
		panic(fmt.Sprintf("die at %s: the server did not execute %d statements: %v", p, executes, err))
	}
	c.t.cfg.Die(p)
}

// executed reads until the server has executed n statements.
func (c *conn) executed(n int) error {
	if err := c.Conn.SetReadDeadline(time.Now().Add(executedLimit)); err != nil {
		return err
	}
	var head [5]byte
	for n > 0 {
		if _, err := io.ReadFull(c.Conn, head[:]); err != nil {
			return err
		}
		body := make([]byte, binary.BigEndian.Uint32(head[1:])-4)
		if _, err := io.ReadFull(c.Conn, body); err != nil {
			return err
		}
		switch head[0] {
		case 'C', 'I':
			n--
		case 'E':
			return fmt.Errorf("%q", body)
		}
	}
	return nil
}
