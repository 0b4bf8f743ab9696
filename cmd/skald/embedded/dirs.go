package embedded

import (
	"fmt"
	"os"
	"path/filepath"
)

// DefaultDataDir is where dev mode keeps what must survive a restart: /var/lib/skald/data for root, whose home no other
// user may enter, else skald/data under os.UserCacheDir.
func DefaultDataDir() (string, error) { return defaultDir("data") }

// DefaultCacheDir is where what can be made again is kept: the Postgres binaries and the test server.
func DefaultCacheDir() (string, error) { return defaultDir("cache") }

func defaultDir(name string) (string, error) {
	if os.Geteuid() == 0 {
		return filepath.Join("/var/lib/skald", name), nil
	}
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a folder for embedded servers: %w (set SKALD_DATA_DIR)", err)
	}
	return filepath.Join(base, "skald", name), nil
}

// makeOpenDir makes dir and lets every user enter it whatever the umask says: as root, the servers run as another user.
func makeOpenDir(dir string) error {
	var made []string
	for d := filepath.Clean(dir); ; d = filepath.Dir(d) {
		if _, err := os.Stat(d); err == nil || filepath.Dir(d) == d {
			break
		}
		made = append(made, d)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, d := range made {
		if err := os.Chmod(d, 0o755); err != nil {
			return err
		}
	}
	return nil
}
