// Package apachekafka runs a real Apache Kafka for tests: one node in KRaft mode, as a child process. It needs Java 17 and,
// for the first start on a machine, Maven. Tests that need no real broker use embeddedtest.Kafka.
package apachekafka

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/IBM/sarama"

	"github.com/skaldhq/skald/cmd/skald/embedded"
)

// Config says where a broker lives.
type Config struct {
	// Dir keeps its data and its log. A folder that a broker used before is used again.
	Dir string
	// Port on 127.0.0.1. 0: any free one. A test that restarts a broker keeps the port with Server.Port.
	Port int
	// Settings are added to server.properties, after the helper's own.
	Settings map[string]string
}

// Server is a running broker. On Linux it ends with this process, however that ends.
type Server struct {
	port int
	dir  string
	cmd  *exec.Cmd
	done <-chan struct{}
}

// Start starts a broker and returns once it answers, which takes about three seconds, and more when the jars have to be
// fetched. ctx bounds the start alone.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	lib, err := jars(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	s := &Server{dir: dir, port: cfg.Port}
	if s.port == 0 {
		if s.port, err = FreePort(); err != nil {
			return nil, err
		}
	}
	controller, err := FreePort()
	if err != nil {
		return nil, err
	}
	properties := filepath.Join(dir, "server.properties")
	if err := os.WriteFile(properties, []byte(s.properties(controller, cfg.Settings)), 0o644); err != nil {
		return nil, err
	}
	classPath := filepath.Join(lib, "*")
	if err := format(ctx, classPath, dir, properties); err != nil {
		return nil, err
	}
	logFile, err := os.Create(s.logPath())
	if err != nil {
		return nil, err
	}
	defer logFile.Close()
	s.cmd = exec.Command("java", "-Xmx512m", "-Xms256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", classPath, "kafka.Kafka", properties)
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = dir, logFile, logFile
	if s.done, err = embedded.StartTied(s.cmd, syscall.SIGKILL); err != nil {
		return nil, fmt.Errorf("start Kafka: %w", err)
	}
	if err := s.awaitReady(ctx); err != nil {
		return nil, errors.Join(err, s.Kill())
	}
	return s, nil
}

// format prepares a new data folder. The cluster's id is fixed: it has no meaning here.
func format(ctx context.Context, classPath, dir, properties string) error {
	if _, err := os.Stat(filepath.Join(dir, "data", "meta.properties")); err == nil {
		return nil
	}
	cmd := exec.CommandContext(ctx, "java", "-cp", classPath, "kafka.tools.StorageTool", "format",
		"--cluster-id", "5L6g3nShT-eMCtK--X86sw", "--config", properties)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("format Kafka's storage in %s: %w\n%s", dir, err, out)
	}
	return nil
}

// Addr is the bootstrap address, as host:port.
func (s *Server) Addr() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// Port is where the broker listens.
func (s *Server) Port() int { return s.port }

// Process is the broker's, for tests that pause it.
func (s *Server) Process() *os.Process { return s.cmd.Process }

// Done is closed when the broker has ended.
func (s *Server) Done() <-chan struct{} { return s.done }

// Stop shuts the broker down in order, and kills it after 30 s.
func (s *Server) Stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-s.done:
		return nil
	case <-time.After(30 * time.Second):
		return s.Kill()
	}
}

// Kill ends the broker as a crash does, and waits for it.
func (s *Server) Kill() error {
	if err := s.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-s.done
	return nil
}

func (s *Server) logPath() string { return filepath.Join(s.dir, "server.log") }

func (s *Server) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cfg := sarama.NewConfig()
	cfg.Version = sarama.V3_6_0_0
	cfg.Metadata.Retry.Max = 0
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		client, err := sarama.NewClient([]string{s.Addr()}, cfg)
		if err == nil {
			_, err = client.RefreshController()
			err = errors.Join(err, client.Close())
		}
		if err == nil {
			return nil
		}
		select {
		case <-s.done:
			return fmt.Errorf("start Kafka: it ended\n%s", s.logTail())
		case <-ctx.Done():
			return fmt.Errorf("start Kafka: %w\n%s", errors.Join(ctx.Err(), err), s.logTail())
		case <-tick.C:
		}
	}
}

func (s *Server) logTail() string {
	content, err := os.ReadFile(s.logPath())
	if err != nil {
		return err.Error()
	}
	return string(content[max(0, len(content)-3000):])
}

// FreePort returns a port on 127.0.0.1 that nothing listens on. It is below the ports that systems give to outgoing connections:
// one of those could be taken by any of them before the server that it was meant for listens on it.
func FreePort() (int, error) {
	for range 100 {
		port := 10_000 + rand.IntN(20_000)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			return port, l.Close()
		}
	}
	return 0, errors.New("find a free port: 100 of 10000 to 29999 are taken")
}
