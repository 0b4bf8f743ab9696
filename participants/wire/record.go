package wire

import "time"

// Record is a Kafka record without a Kafka client. Topic, Partition, Offset and Timestamp are the coordinates of a
// record that was read; a record to be sent needs only Topic, Key, Value and Headers.
type Record struct {
	Topic     string
	Partition int32
	Offset    int64
	Key       []byte
	Value     []byte
	Headers   []Header
	Timestamp time.Time
}

// Header is one header of a record. Kafka allows a key more than once; this protocol does not.
type Header struct {
	Key   string
	Value []byte
}

// Header returns the first value under key, and whether there is one.
func (r *Record) Header(key string) (string, bool) {
	for i := range r.Headers {
		if r.Headers[i].Key == key {
			return string(r.Headers[i].Value), true
		}
	}
	return "", false
}
