// Package assets holds the files that pages load: styles, scripts and the icon, each at a URL that holds its hash, so that browsers
// keep it for good, and packed once when the program starts. htmx.js and hx-sse.js are those of the npm package htmx.org, unchanged;
// assets.lock holds their sums, LICENSE.htmx their licence.
package assets

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:embed files
var files embed.FS

// Prefix is where assets are mounted.
const Prefix = "/assets/"

// File is an asset that another package brings along.
type File struct {
	Name string // such as sagapage.css; it tells the type
	Body []byte
}

type asset struct {
	contentType string
	plain       []byte
	packed      []byte // by gzip; nil where that is no smaller
}

// Set serves assets. It is safe for concurrent use.
type Set struct {
	urls   map[string]string // by name
	byPath map[string]*asset // by the last part of the URL
}

// New reads and packs the assets of this package, and more.
func New(more ...File) (*Set, error) {
	s := &Set{urls: map[string]string{}, byPath: map[string]*asset{}}
	entries, err := files.ReadDir("files")
	if err != nil {
		return nil, fmt.Errorf("list the dashboard's assets: %w", err)
	}
	for _, e := range entries {
		body, err := files.ReadFile("files/" + e.Name())
		if err != nil {
			return nil, fmt.Errorf("read the dashboard's asset %s: %w", e.Name(), err)
		}
		more = append(more, File{e.Name(), body})
	}
	for _, f := range more {
		if err := s.add(f); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *Set) add(f File) error {
	types := map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
	ext := path.Ext(f.Name)
	if types[ext] == "" {
		return fmt.Errorf("asset %s: no known type", f.Name)
	}
	if s.urls[f.Name] != "" {
		return fmt.Errorf("asset %s is there twice", f.Name)
	}
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return fmt.Errorf("pack asset %s: %w", f.Name, err)
	}
	if _, err := w.Write(f.Body); err != nil {
		return fmt.Errorf("pack asset %s: %w", f.Name, err)
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("pack asset %s: %w", f.Name, err)
	}
	sum := sha256.Sum256(f.Body)
	hashed := strings.TrimSuffix(f.Name, ext) + "." + base64.RawURLEncoding.EncodeToString(sum[:9]) + ext
	a := &asset{contentType: types[ext], plain: f.Body}
	if packed.Len() < len(f.Body) {
		a.packed = packed.Bytes()
	}
	s.urls[f.Name], s.byPath[hashed] = Prefix+hashed, a
	return nil
}

// URL is where an asset is served; of an unknown one a URL that answers 404.
func (s *Set) URL(name string) string {
	if url, ok := s.urls[name]; ok {
		return url
	}
	return Prefix + "unknown/" + name
}

// Size is how many bytes an asset takes on its way to a browser that takes gzip; 0 for an unknown URL.
func (s *Set) Size(url string) int {
	a := s.byPath[strings.TrimPrefix(url, Prefix)]
	switch {
	case a == nil:
		return 0
	case a.packed != nil:
		return len(a.packed)
	}
	return len(a.plain)
}

// ServeHTTP serves the assets below Prefix.
func (s *Set) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := s.byPath[strings.TrimPrefix(r.URL.Path, Prefix)]
	if a == nil {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", a.contentType)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Vary", "Accept-Encoding")
	body := a.plain
	if a.packed != nil && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = a.packed
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // the client is gone when this fails
}
