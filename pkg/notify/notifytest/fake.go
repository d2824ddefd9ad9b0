package notifytest

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"tocsin/pkg/notify"
)

// Fake is a running fake of a vendor: its clock, its address, and the environment of the
// channel that sends to it.
type Fake struct {
	// Env has the same clock, and a client that trusts the fake.
	Env *notify.Env
	// URL is the address of the fake, without a slash at the end.
	URL string
	// Now is the time of the clock. It stands still at At until a test changes it.
	Now time.Time
}

// StartFake serves the vendor that newServer returns for a clock. language is that of the
// environment.
func StartFake[S http.Handler](t *testing.T, language string, newServer func(now func() time.Time) S) (S, *Fake) {
	t.Helper()
	f := &Fake{Env: NewEnv(language), Now: At}
	f.Env.Now = func() time.Time { return f.Now }
	server := newServer(f.Env.Now)
	f.URL = StartVendor(t, f.Env, server)
	return server, f
}

// Advance moves the clock.
func (f *Fake) Advance(d time.Duration) { f.Now = f.Now.Add(d) }

// StartVendor serves a vendor's fake over TLS, makes e.HTTP trust it, and returns
// its address.
func StartVendor(t *testing.T, e *notify.Env, vendor http.Handler) string {
	t.Helper()
	s := httptest.NewUnstartedServer(vendor)
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // of clients that hang up
	s.StartTLS()
	t.Cleanup(s.Close)
	e.HTTP = s.Client()
	e.HTTP.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return s.URL
}

// ReceivedFrom returns the function Vendor.Received of a fake with this inbox. convert
// returns what the reader sees of the message at index i.
func ReceivedFrom[M any](inbox func() []M, convert func(i int, m M) Received) func(skip int) []Received {
	return func(skip int) []Received {
		var out []Received
		for i, m := range inbox()[skip:] {
			out = append(out, convert(skip+i, m))
		}
		return out
	}
}
