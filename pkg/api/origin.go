package api

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/rs/cors"
)

// checkHost rejects requests to host names that are not this server's, if neither tokens
// nor public access are configured. Otherwise a page could make its own name resolve to
// this server's address, and would then have the same origin (DNS rebinding).
func (a *api) checkHost(h http.Handler) http.Handler {
	if !a.Webhook.Auth.Open() {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !a.isOwnHost(r.Host) {
			a.forbid(w, r, "Host %q is not this server's: set global.external_url to the address by which it is reached, or set webhook.auth", truncate(r.Host))
			return
		}
		h.ServeHTTP(w, r)
	})
}

// isOwnHost reports whether host, with or without a port, is loopback, the address
// listened on, or that of the external URL. A server that listens beyond loopback also
// has the addresses of its machine, and the names of its own network, which have no dot
// and cannot be rebound from elsewhere.
func (a *api) isOwnHost(host string) bool {
	name := hostname(host)
	listen := hostname(a.Address)
	external, _ := url.Parse(a.ExternalURL) // an invalid URL has no host
	ip, _ := netip.ParseAddr(name)
	own, _ := netip.ParseAddr(listen)
	switch {
	case host == "": // by HTTP/1.0, and not by a browser
		return true
	case name == "localhost", ip.IsLoopback(), name == listen && name != "", external != nil && name == hostname(external.Host) && name != "":
		return true
	case own.IsLoopback(), a.Address == "", listen == "localhost":
		return false
	case listen == "" || own.IsUnspecified():
		return ip.IsValid() || isLocalName(name)
	default:
		return isLocalName(name)
	}
}

func isLocalName(name string) bool { return name != "" && !strings.ContainsAny(name, ".:") }

// hostname returns the name or the address in host, which may have a port.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// checkOrigin rejects requests that a browser sends for a page of another origin, if they
// change something: by their method, or because they are for a hook.
func (a *api) checkOrigin(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		safe := r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions
		if (!safe || strings.HasPrefix(r.URL.Path, "/hooks/")) && !a.isOwnOrigin(r) {
			a.forbid(w, r, "a page of another origin, %q, may not send this request: set global.external_url, or --web.cors.origin for API v2", truncate(r.Header.Get("Origin")))
			return
		}
		h.ServeHTTP(w, r)
	})
}

// isOwnOrigin reports whether a request comes from a page of this server, from no page,
// or from an origin that CORSOrigin allows.
func (a *api) isOwnOrigin(r *http.Request) bool {
	origin, site := r.Header.Get("Origin"), r.Header.Get("Sec-Fetch-Site")
	switch {
	case a.CORSOrigin != nil && strings.HasPrefix(r.URL.Path, "/api/v2/") && a.CORSOrigin.MatchString(origin):
		return true
	case site == "cross-site":
		return false
	case origin == "":
		return true
	case origin == "null": // a page in a sandbox, or one that hides its address
		return site == "" || site == "same-origin"
	}
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" {
		return false
	}
	if strings.EqualFold(withoutDefaultPort(u), withoutDefaultPort(&url.URL{Scheme: u.Scheme, Host: r.Host})) {
		return true
	}
	external, err := url.Parse(a.ExternalURL)
	return err == nil && external.Host != "" && strings.EqualFold(u.Scheme, external.Scheme) && strings.EqualFold(withoutDefaultPort(u), withoutDefaultPort(external))
}

// withoutDefaultPort returns the host of u, and its port unless that is the scheme's.
func withoutDefaultPort(u *url.URL) string {
	if port := u.Port(); port == "80" && u.Scheme == "http" || port == "443" && u.Scheme == "https" {
		return strings.TrimSuffix(u.Host, ":"+port)
	}
	return u.Host
}

// forbid responds with 403 and logs why, because the sender may not show it.
func (a *api) forbid(w http.ResponseWriter, r *http.Request, format string, args ...any) {
	err := codedError(http.StatusForbidden, format, args...)
	a.Log.WarnContext(r.Context(), "request refused", "method", r.Method, "path", r.URL.Path, "err", err)
	a.respond(w, r, nil, err)
}

// allowCORS lets the pages of allowed origins use API v2, by Alertmanager's options.
func (a *api) allowCORS(h http.Handler) http.Handler {
	if a.CORSOrigin == nil {
		return h
	}
	withCORS := cors.New(cors.Options{
		AllowOriginFunc: a.CORSOrigin.MatchString,
		AllowedMethods:  []string{http.MethodGet, http.MethodPost, http.MethodDelete},
		AllowedHeaders:  []string{"*"},
		MaxAge:          600,
	}).Handler(h)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/v2/") {
			withCORS.ServeHTTP(w, r)
			return
		}
		h.ServeHTTP(w, r)
	})
}
