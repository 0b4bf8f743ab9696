package apachekafka

import (
	"context"
	_ "embed"
	"fmt"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/skaldhq/skald/cmd/skald/embedded"
)

// Version is the broker's version, as pom.xml has it.
const Version = "4.1.0"

//go:embed pom.xml
var pom []byte

// jars returns the folder with the broker's jars, and fetches them with Maven where they are not cached: 92 files, 54 MB.
func jars(ctx context.Context) (string, error) {
	cacheDir, err := embedded.DefaultCacheDir()
	if err != nil {
		return "", err
	}
	// The sum of the list of jars is part of the name: a changed list is fetched anew.
	dir := filepath.Join(cacheDir, fmt.Sprintf("apache-kafka-%s-%08x", Version, crc32.ChecksumIEEE(pom)))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(cacheDir, 0o755); err != nil {
		return "", err
	}
	// Complete under another name first: processes may come at the same time, and any may be interrupted.
	scratch, err := os.MkdirTemp(cacheDir, "apache-kafka-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(scratch)
	if err := os.WriteFile(filepath.Join(scratch, "pom.xml"), pom, 0o644); err != nil {
		return "", err
	}
	mvn := exec.CommandContext(ctx, "mvn", "--batch-mode", "--quiet", "--file", filepath.Join(scratch, "pom.xml"),
		"dependency:copy-dependencies", "-DoutputDirectory="+filepath.Join(scratch, "jars"))
	if out, err := mvn.CombinedOutput(); err != nil {
		return "", fmt.Errorf("fetch Apache Kafka %s with Maven: %w\n%s", Version, err, out)
	}
	err = os.Rename(filepath.Join(scratch, "jars"), dir)
	if _, statErr := os.Stat(dir); statErr == nil {
		return dir, nil // ours, or that of a process that was faster
	}
	return "", err
}
