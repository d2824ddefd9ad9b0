package faas

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// parseHTTP turns an event into the request that it was made from, and tells
// the shape that the answer must have.
func parseHTTP(event []byte) (*http.Request, shape, error) {
	e, s, err := decodeHTTP(event)
	if err != nil {
		return nil, 0, err
	}
	r, err := e.request(s)
	if err != nil {
		return nil, 0, err
	}
	return r, s, nil
}

func (e *httpEvent) request(s shape) (*http.Request, error) {
	method := e.HTTPMethod
	if s == lambdaV2 {
		method = e.Context.HTTP.Method
	}
	if method == "" || strings.ContainsFunc(method, notInMethod) {
		return nil, errors.New("the event has no HTTP method")
	}
	u, err := e.url(s)
	if err != nil {
		return nil, err
	}
	header := e.header()
	r := &http.Request{
		Method:     method,
		URL:        u,
		RequestURI: u.RequestURI(),
		Proto:      "HTTP/1.1",
		ProtoMajor: 1,
		ProtoMinor: 1,
		Header:     header,
		Host:       cmp.Or(header.Get("Host"), e.Context.DomainName),
		RemoteAddr: remoteAddr(e.client(s, header)),
		Body:       http.NoBody,
	}
	header.Del("Host") // as net/http does

	body := e.Body
	if e.IsBase64Encoded {
		b, err := base64.StdEncoding.DecodeString(e.Body)
		if err != nil {
			return nil, fmt.Errorf("reading the body in the event: %w", err)
		}
		body = string(b)
	}
	if body != "" {
		r.Body = io.NopCloser(strings.NewReader(body))
		r.ContentLength = int64(len(body))
	}
	return r, nil
}

func notInMethod(c rune) bool {
	return (c < 'A' || 'Z' < c) && (c < 'a' || 'z' < c) && c != '-'
}

func (e *httpEvent) url(s shape) (*url.URL, error) {
	path := e.Path
	if s == lambdaV2 {
		path = e.RawPath
	}
	path = e.withoutStage(path)
	if !strings.HasPrefix(path, "/") {
		return nil, errors.New("the event has no path that begins with a slash")
	}
	u := parsePath(path)
	switch s {
	case scfHTTP:
		u.RawQuery = e.SCFQuery.encode(url.QueryEscape)
	case lambdaV2:
		u.RawQuery = e.RawQuery
	case lambdaV1:
		u.RawQuery = e.MultiValueQuery.or(e.Query).encode(url.QueryEscape)
	case alb, albMulti: // which leaves parameters as they came
		u.RawQuery = e.MultiValueQuery.or(e.Query).encode(func(s string) string { return s })
	}
	return u, nil
}

// withoutStage takes the stage off the front of a path. An HTTP API puts it
// there, on its own domains too; a REST API does not, and its events have no
// version.
func (e *httpEvent) withoutStage(path string) string {
	stage := e.Context.Stage
	if e.Version == "" || stage == "" || stage == "$default" {
		return path
	}
	rest, ok := strings.CutPrefix(path, "/"+stage)
	if !ok || rest != "" && rest[0] != '/' {
		return path
	}
	return cmp.Or(rest, "/")
}

// parsePath reads a path that is escaped, as function URLs, REST APIs and load
// balancers send it, or is not, as HTTP APIs do. It tells by the path itself: an
// escaped one has no character that must be escaped.
func parsePath(path string) *url.URL {
	if plain, err := url.PathUnescape(path); err == nil {
		u := &url.URL{Path: plain}
		if u.EscapedPath() == path {
			return u
		}
		u.RawPath = path
		if u.EscapedPath() == path {
			return u
		}
	}
	return &url.URL{Path: path}
}

// or returns f, or other when f is empty.
func (f fields) or(other fields) fields {
	if len(f) == 0 {
		return other
	}
	return f
}

// encode writes a query, sorted by key: events do not keep the order of keys.
func (f fields) encode(escape func(string) string) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(f)) {
		for _, v := range f[k] {
			if b.Len() > 0 {
				b.WriteByte('&')
			}
			b.WriteString(escape(k) + "=" + escape(v))
		}
	}
	return b.String()
}

// header returns the headers under their canonical names, values as they came:
// a comma may separate values, and may as well belong to one.
func (e *httpEvent) header() http.Header {
	h := http.Header{}
	for name, values := range e.MultiValueHeaders.or(e.Headers) {
		for _, v := range values {
			h.Add(name, v)
		}
	}
	if cookies := append(h["Cookie"], e.Cookies...); len(cookies) > 0 {
		h.Set("Cookie", strings.Join(cookies, "; "))
	}
	return h
}

// client is the client's address as the platform saw it, never as the client
// says it is.
func (e *httpEvent) client(s shape, h http.Header) string {
	switch s {
	case lambdaV2:
		return e.Context.HTTP.SourceIP
	case lambdaV1:
		return e.Context.Identity.SourceIP
	case alb, albMulti: // which appends the address to what the client sent
		all := strings.Join(h["X-Forwarded-For"], ",")
		return strings.TrimSpace(all[strings.LastIndexByte(all, ',')+1:])
	}
	return cmp.Or(e.Context.SourceIP, h.Get("X-Scf-Remote-Addr"))
}

// remoteAddr writes an address as net/http does, with port 0 where none is
// known; empty when it is no address.
func remoteAddr(text string) string {
	if a, err := netip.ParseAddrPort(text); err == nil {
		return a.String()
	}
	if a, err := netip.ParseAddr(text); err == nil {
		return netip.AddrPortFrom(a, 0).String()
	}
	return ""
}
