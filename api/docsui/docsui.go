// Package docsui is Swagger UI as it is published, with nothing loaded from elsewhere. Its files are those of the npm package
// swagger-ui-dist, packed by gzip; assets.lock holds their sums.
package docsui

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

//go:embed swagger-ui-bundle.js.gz
var bundle []byte

//go:embed swagger-ui.css.gz
var style []byte

//go:embed index.html
var page []byte

//go:embed start.js
var start []byte

// Mount gives the pattern and handler of every file to mount. They need script-src 'self' and inline styles.
func Mount(mount func(pattern string, h http.Handler)) {
	mount("/docs", plain("text/html; charset=utf-8", page))
	mount("/docs/start.js", plain("text/javascript; charset=utf-8", start))
	mount("/docs/swagger-ui-bundle.js", packed("text/javascript; charset=utf-8", bundle))
	mount("/docs/swagger-ui.css", packed("text/css; charset=utf-8", style))
}

func plain(contentType string, body []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Cache-Control", "no-cache")
		_, _ = w.Write(body) // the client is gone when this fails
	})
}

// packed serves a gzip file as it is, or unpacked to who cannot.
func packed(contentType string, body []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", contentType)
		h.Set("Cache-Control", "public, max-age=3600")
		h.Set("Vary", "Accept-Encoding")
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			h.Set("Content-Encoding", "gzip")
			h.Set("Content-Length", strconv.Itoa(len(body)))
			_, _ = w.Write(body) // as above
			return
		}
		unpacked, err := unpack(body)
		if err != nil {
			http.Error(w, "the file cannot be unpacked", http.StatusInternalServerError)
			return
		}
		_, _ = w.Write(unpacked) // as above
	})
}

func unpack(body []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("open a packed file: %w", err)
	}
	defer r.Close()
	out, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("unpack a file: %w", err)
	}
	return out, nil
}
