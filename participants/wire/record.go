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

// headerWriter gathers headers; their values share memory, which costs one allocation and not twenty.
type headerWriter struct {
	headers []Header
	values  []byte
}

func (w *headerWriter) add(key, value string) {
	if w.headers == nil {
		w.headers, w.values = make([]Header, 0, 21), make([]byte, 0, 768)
	}
	begin := len(w.values)
	w.values = append(w.values, value...)
	// The third index keeps an append to one value out of the next.
	w.headers = append(w.headers, Header{Key: key, Value: w.values[begin:len(w.values):len(w.values)]})
}

func (w *headerWriter) addOptional(key, value string) {
	if value != "" {
		w.add(key, value)
	}
}
