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

// parseHTTP converts an event to a request, and returns the format that the
// response must have.
func parseHTTP(event []byte) (*http.Request, httpFormat, error) {
	e, format, err := decodeHTTP(event)
	if err != nil {
		return nil, 0, err
	}
	r, err := e.request(format)
	if err != nil {
		return nil, 0, err
	}
	return r, format, nil
}

func (e *httpEvent) request(format httpFormat) (*http.Request, error) {
	method := e.HTTPMethod
	if format == formatLambdaV2 {
		method = e.Context.HTTP.Method
	}
	if method == "" || strings.ContainsFunc(method, notMethodRune) {
		return nil, errors.New("the event has no HTTP method")
	}
	u, err := e.url(format)
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
		RemoteAddr: remoteAddr(e.clientIP(format, header)),
		Body:       http.NoBody,
	}
	header.Del("Host") // net/http keeps it in Request.Host only

	body := e.Body
	if e.IsBase64Encoded {
		b, err := base64.StdEncoding.DecodeString(e.Body)
		if err != nil {
			return nil, fmt.Errorf("decode the body of the event: %w", err)
		}
		body = string(b)
	}
	if body != "" {
		r.Body = io.NopCloser(strings.NewReader(body))
		r.ContentLength = int64(len(body))
	}
	return r, nil
}

func notMethodRune(c rune) bool {
	return (c < 'A' || 'Z' < c) && (c < 'a' || 'z' < c) && c != '-'
}

func (e *httpEvent) url(format httpFormat) (*url.URL, error) {
	path := e.Path
	if format == formatLambdaV2 {
		path = e.RawPath
	}
	path = e.withoutStage(path)
	if !strings.HasPrefix(path, "/") {
		return nil, errors.New("the event has no path that begins with a slash")
	}
	u := parsePath(path)
	switch format {
	case formatSCF:
		u.RawQuery = e.SCFQuery.encode(url.QueryEscape)
	case formatLambdaV2:
		u.RawQuery = e.RawQuery
	case formatLambdaV1:
		u.RawQuery = e.MultiValueQuery.orElse(e.Query).encode(url.QueryEscape)
	case formatALB, formatALBMultiValue: // the parameters are still escaped
		u.RawQuery = e.MultiValueQuery.orElse(e.Query).encode(func(s string) string { return s })
	}
	return u, nil
}

// withoutStage removes the stage from the front of a path. HTTP APIs add it,
// also on custom domains; REST APIs do not, and their events have no version.
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

// parsePath parses a path that is escaped, as from function URLs, REST APIs and load
// balancers, or not, as from HTTP APIs. A path in which no character needs to be
// escaped counts as escaped.
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

// orElse returns p, or other if p is empty.
func (p parameters) orElse(other parameters) parameters {
	if len(p) == 0 {
		return other
	}
	return p
}

// encode returns a query, sorted by key, because events do not keep the order
// of keys.
func (p parameters) encode(escape func(string) string) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(p)) {
		for _, v := range p[k] {
			if b.Len() > 0 {
				b.WriteByte('&')
			}
			b.WriteString(escape(k) + "=" + escape(v))
		}
	}
	return b.String()
}

// header returns the headers by canonical name. Values are not split at commas,
// which may be part of a value.
func (e *httpEvent) header() http.Header {
	h := http.Header{}
	for name, values := range e.MultiValueHeaders.orElse(e.Headers) {
		for _, v := range values {
			h.Add(name, v)
		}
	}
	if cookies := append(h["Cookie"], e.Cookies...); len(cookies) > 0 {
		h.Set("Cookie", strings.Join(cookies, "; "))
	}
	return h
}

// clientIP returns the client's address as seen by the platform. A header set
// by the client must not change it.
func (e *httpEvent) clientIP(format httpFormat, h http.Header) string {
	switch format {
	case formatLambdaV2:
		return e.Context.HTTP.SourceIP
	case formatLambdaV1:
		return e.Context.Identity.SourceIP
	case formatALB, formatALBMultiValue: // the load balancer appends the address to the client's header
		all := strings.Join(h["X-Forwarded-For"], ",")
		return strings.TrimSpace(all[strings.LastIndexByte(all, ',')+1:])
	}
	return cmp.Or(e.Context.SourceIP, h.Get("X-Scf-Remote-Addr"))
}

// remoteAddr returns an address in the form of net/http, with port 0 if it has
// none; empty if it is invalid.
func remoteAddr(text string) string {
	if a, err := netip.ParseAddrPort(text); err == nil {
		return a.String()
	}
	if a, err := netip.ParseAddr(text); err == nil {
		return netip.AddrPortFrom(a, 0).String()
	}
	return ""
}
