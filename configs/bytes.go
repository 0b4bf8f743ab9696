package configs

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Bytes is a size: 1048576, 1024KiB or 1MiB.
type Bytes int64

// UnmarshalText reads a number with an optional unit: B, KiB, MiB or GiB. Units of a thousand are refused, so that nobody
// has to guess.
func (b *Bytes) UnmarshalText(text []byte) error {
	s := strings.TrimSpace(string(text))
	unit := int64(1)
	for _, u := range []struct {
		suffix string
		bytes  int64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"B", 1}} {
		if number, found := strings.CutSuffix(s, u.suffix); found {
			s, unit = strings.TrimSpace(number), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/unit {
		return fmt.Errorf("size %q: want a whole number with the unit B, KiB, MiB or GiB", text)
	}
	*b = Bytes(n * unit)
	return nil
}

// MarshalText writes the largest unit that holds the size exactly.
func (b Bytes) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

func (b Bytes) String() string {
	switch {
	case b >= 1<<30 && b%(1<<30) == 0:
		return fmt.Sprintf("%dGiB", b>>30)
	case b >= 1<<20 && b%(1<<20) == 0:
		return fmt.Sprintf("%dMiB", b>>20)
	case b >= 1<<10 && b%(1<<10) == 0:
		return fmt.Sprintf("%dKiB", b>>10)
	}
	return fmt.Sprintf("%dB", int64(b))
}
