// Web is an HTTP function for tests: it answers with the request that it was
// given, or as the path says.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"

	"tocsin/pkg/faas"
)

func main() { faas.ServeHTTP(build) }

var builds int

// build fails while WEB_CONFIG is "broken".
func build(context.Context) (http.Handler, error) {
	builds++
	if os.Getenv("WEB_CONFIG") == "broken" {
		return nil, errors.New("tocsin.yaml:3: unknown key")
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/", seen)
	mux.HandleFunc("/panic", func(http.ResponseWriter, *http.Request) { panic("secret-of-the-panic") })
	mux.HandleFunc("/length", length)
	mux.HandleFunc("/cookies", cookies)
	mux.HandleFunc("/binary", binary)
	mux.HandleFunc("/size/{bytes}", size)
	mux.HandleFunc("/status/{code}", status)
	mux.HandleFunc("/together", together)
	return mux, nil
}

// seen answers with what the handler was given.
func seen(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	deadline, _ := r.Context().Deadline()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{ // kept in memory
		"method":     r.Method,
		"path":       r.URL.Path,
		"rawPath":    r.URL.EscapedPath(),
		"query":      r.URL.Query(),
		"uri":        r.RequestURI,
		"header":     r.Header,
		"host":       r.Host,
		"remote":     r.RemoteAddr,
		"length":     r.ContentLength,
		"body":       body,
		"deadline":   deadline.UnixMilli(),
		"invocation": faas.FromContext(r.Context()),
		"builds":     builds,
	})
}

func length(w http.ResponseWriter, r *http.Request) {
	n, _ := io.Copy(io.Discard, r.Body)
	_ = json.NewEncoder(w).Encode(n)
}

func cookies(w http.ResponseWriter, _ *http.Request) {
	http.SetCookie(w, &http.Cookie{Name: "one", Value: "1", Expires: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)})
	http.SetCookie(w, &http.Cookie{Name: "two", Value: "2"})
	http.SetCookie(w, &http.Cookie{Name: "three", Value: "3"})
	w.Header().Add("Vary", "Accept")
	w.Header().Add("Vary", "Origin")
	w.WriteHeader(http.StatusNoContent)
}

// binary answers with every byte there is.
func binary(w http.ResponseWriter, _ *http.Request) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = w.Write(all)
}

func size(w http.ResponseWriter, r *http.Request) {
	n, _ := strconv.Atoi(r.PathValue("bytes"))
	w.Header().Set("Content-Type", "text/plain")
	for range n / 1000 {
		_, _ = w.Write(make([]byte, 1000))
	}
}

func status(w http.ResponseWriter, r *http.Request) {
	code, _ := strconv.Atoi(r.PathValue("code"))
	w.WriteHeader(code)
}

var inside atomic.Int64

// together answers with how many requests are being served.
func together(w http.ResponseWriter, _ *http.Request) {
	n := inside.Add(1)
	defer inside.Add(-1)
	for range 10000 { // a chance for others to come in
		runtime.Gosched()
		n = max(n, inside.Load())
	}
	_ = json.NewEncoder(w).Encode(n)
}
