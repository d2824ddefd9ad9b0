// Web is an HTTP function for tests. It returns the request, or a response
// selected by the path.
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

// build returns an error while WEB_CONFIG is "broken".
func build(context.Context) (http.Handler, error) {
	builds++
	if os.Getenv("WEB_CONFIG") == "broken" {
		return nil, errors.New("tocsin.yaml:3: unknown key")
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/", echo)
	mux.HandleFunc("/panic", func(http.ResponseWriter, *http.Request) { panic("secret-of-the-panic") })
	mux.HandleFunc("/length", length)
	mux.HandleFunc("/cookies", cookies)
	mux.HandleFunc("/binary", binary)
	mux.HandleFunc("/size/{bytes}", size)
	mux.HandleFunc("/status/{code}", status)
	mux.HandleFunc("/together", concurrency)
	return mux, nil
}

// echo returns the request as the handler got it.
func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	deadline, _ := r.Context().Deadline()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{ // the response is buffered
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

// binary returns all byte values.
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

var active atomic.Int64

// concurrency returns how many requests are processed at the same time.
func concurrency(w http.ResponseWriter, _ *http.Request) {
	n := active.Add(1)
	defer active.Add(-1)
	for range 10000 { // let other requests start
		runtime.Gosched()
		n = max(n, active.Load())
	}
	_ = json.NewEncoder(w).Encode(n)
}
