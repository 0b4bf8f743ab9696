package api

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// offsets say, per partition, the offset of the next event. They are the id of events of /v1/events: "0:12,1:44".
type offsets map[int32]int64

// maxPartitions bounds what is read of a Last-Event-ID.
const maxPartitions = 1024

var errOffsets = errors.New(`want the id of an event, such as "0:12,1:44"`)

func (o offsets) String() string {
	var b strings.Builder
	for i, p := range slices.Sorted(maps.Keys(o)) {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%d:%d", p, o[p])
	}
	return b.String()
}

func parseOffsets(s string) (offsets, error) {
	out := offsets{}
	for each := range strings.SplitSeq(s, ",") {
		partition, offset, ok := strings.Cut(each, ":")
		p, errP := strconv.ParseInt(partition, 10, 32)
		n, errN := strconv.ParseInt(offset, 10, 64)
		if !ok || errP != nil || errN != nil || p < 0 || n < 0 || len(out) >= maxPartitions {
			return nil, errOffsets
		}
		if _, twice := out[int32(p)]; twice {
			return nil, errOffsets
		}
		out[int32(p)] = n
	}
	return out, nil
}
